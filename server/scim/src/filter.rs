//! Filters: what RFC 7644 section 3.4.2.2 lets a client ask for, as a tree, and back as text.
//!
//! A parser by hand over at most [`LONGEST`] bytes and [`DEEPEST`] levels, so that no filter costs more
//! than it may. What is printed is read as the same tree again.

use std::fmt;

use serde_json::Value;

/// Of a filter or a path, in bytes.
pub(crate) const LONGEST: usize = 2_000;
const DEEPEST: usize = 20;

/// What is asked of a resource, or of one value of an attribute.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Filter {
    And(Box<Self>, Box<Self>),
    Or(Box<Self>, Box<Self>),
    Not(Box<Self>),
    /// The attribute has any value.
    Present(Path),
    /// `emails[type eq "work"]`: one value is so.
    Some(Path),
    Compare(Path, Op, Value),
}

/// An attribute, as it is written: `userName`, `name.givenName`, `emails[type eq "work"].value`, or one of
/// these after a schema's name and a colon.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Path {
    pub name: String,
    pub within: Option<Box<Filter>>,
    pub part: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Op {
    Eq,
    Ne,
    Co,
    Sw,
    Ew,
    Gt,
    Ge,
    Lt,
    Le,
}

impl Op {
    pub const ALL: [Self; 9] =
        [Self::Eq, Self::Ne, Self::Co, Self::Sw, Self::Ew, Self::Gt, Self::Ge, Self::Lt, Self::Le];

    const fn word(self) -> &'static str {
        match self {
            Self::Eq => "eq",
            Self::Ne => "ne",
            Self::Co => "co",
            Self::Sw => "sw",
            Self::Ew => "ew",
            Self::Gt => "gt",
            Self::Ge => "ge",
            Self::Lt => "lt",
            Self::Le => "le",
        }
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        if let Some(within) = &self.within {
            write!(f, "[{within}]")?;
        }
        self.part.as_ref().map_or(Ok(()), |part| write!(f, ".{part}"))
    }
}

impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::And(a, b) => {
                let left = matches!(**a, Self::Or(..));
                let right = matches!(**b, Self::Or(..) | Self::And(..));
                grouped(f, a, left)?;
                f.write_str(" and ")?;
                grouped(f, b, right)
            }
            Self::Or(a, b) => {
                grouped(f, a, false)?;
                f.write_str(" or ")?;
                grouped(f, b, matches!(**b, Self::Or(..)))
            }
            Self::Not(inner) => write!(f, "not ({inner})"),
            Self::Present(path) => write!(f, "{path} pr"),
            Self::Some(path) => write!(f, "{path}"),
            Self::Compare(path, op, value) => write!(f, "{path} {} {value}", op.word()),
        }
    }
}

fn grouped(f: &mut fmt::Formatter<'_>, filter: &Filter, in_parentheses: bool) -> fmt::Result {
    if in_parentheses { write!(f, "({filter})") } else { write!(f, "{filter}") }
}

/// Why a text is no filter: at which byte, and what was expected there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Unread {
    at: usize,
    wanted: &'static str,
}

impl fmt::Display for Unread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at character {}: {}", self.at + 1, self.wanted)
    }
}

/// Reads a filter.
pub(crate) fn filter(text: &str) -> Result<Filter, Unread> {
    whole(text, Reader::any)
}

/// Reads a path.
pub(crate) fn path(text: &str) -> Result<Path, Unread> {
    whole(text, Reader::path)
}

fn whole<'a, T>(
    text: &'a str,
    read: impl FnOnce(&mut Reader<'a>) -> Result<T, Unread>,
) -> Result<T, Unread> {
    if text.len() > LONGEST {
        return Err(Unread { at: LONGEST, wanted: "is longer than a filter may be" });
    }
    let mut reader = Reader { text, at: 0, depth: 0 };
    reader.blanks();
    let found = read(&mut reader)?;
    reader.blanks();
    if reader.at == text.len() { Ok(found) } else { reader.wants("the end, `and` or `or`") }
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
    depth: usize,
}

impl<'a> Reader<'a> {
    fn any(&mut self) -> Result<Filter, Unread> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return self.wants("fewer levels of grouping");
        }
        let mut found = self.all()?;
        while self.takes_word("or") {
            found = Filter::Or(Box::new(found), Box::new(self.all()?));
        }
        self.depth -= 1;
        Ok(found)
    }

    fn all(&mut self) -> Result<Filter, Unread> {
        let mut found = self.one()?;
        while self.takes_word("and") {
            found = Filter::And(Box::new(found), Box::new(self.one()?));
        }
        Ok(found)
    }

    fn one(&mut self) -> Result<Filter, Unread> {
        self.blanks();
        let start = self.at;
        if self.takes_word("not") {
            if self.rest().starts_with('(') {
                return Ok(Filter::Not(Box::new(self.group()?)));
            }
            self.at = start;
        }
        if self.rest().starts_with('(') { self.group() } else { self.comparison() }
    }

    fn group(&mut self) -> Result<Filter, Unread> {
        self.takes('(');
        let inner = self.any()?;
        self.blanks();
        if self.takes(')') { Ok(inner) } else { self.wants("`)`") }
    }

    fn comparison(&mut self) -> Result<Filter, Unread> {
        let path = self.path()?;
        self.blanks();
        if self.takes_word("pr") {
            return Ok(Filter::Present(path));
        }
        if let Some(op) = Op::ALL.into_iter().find(|op| self.takes_word(op.word())) {
            return Ok(Filter::Compare(path, op, self.value()?));
        }
        if path.within.is_some() && path.part.is_none() {
            return Ok(Filter::Some(path));
        }
        self.wants("an operator: eq, ne, co, sw, ew, pr, gt, ge, lt or le")
    }

    fn path(&mut self) -> Result<Path, Unread> {
        let name = self.name()?;
        let mut path = Path { name, within: None, part: None };
        if self.takes('[') {
            let within = self.any()?;
            self.blanks();
            if !self.takes(']') {
                return self.wants("`]`");
            }
            path.within = Some(Box::new(within));
            if self.takes('.') {
                path.part = Some(self.name()?);
            }
        }
        Ok(path)
    }

    fn name(&mut self) -> Result<String, Unread> {
        let rest = self.rest();
        let belongs = |c: char| c.is_ascii_alphanumeric() || "-_.:$".contains(c);
        let end = rest.find(|c| !belongs(c)).unwrap_or(rest.len());
        let name = &rest[..end];
        if !name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '$') {
            return self.wants("the name of an attribute");
        }
        self.at += end;
        Ok(name.to_owned())
    }

    fn value(&mut self) -> Result<Value, Unread> {
        self.blanks();
        let rest = self.rest();
        let end = if rest.starts_with('"') {
            text_end(rest)
        } else {
            let word = rest.find([' ', ')', ']']).unwrap_or(rest.len());
            (word > 0).then_some(word)
        };
        let wanted = "a value: \"text\", a number, true, false or null";
        let Some(end) = end else { return self.wants(wanted) };
        let read = &rest[..end];
        let value = serde_json::from_str::<Value>(read).or_else(|_| {
            // Words are written in any case.
            serde_json::from_str(&read.to_ascii_lowercase())
        });
        match value {
            Ok(value) if !value.is_array() && !value.is_object() => {
                self.at += end;
                Ok(value)
            }
            Ok(_) | Err(_) => self.wants(wanted),
        }
    }

    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn blanks(&mut self) {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start_matches(' ').len();
    }

    fn takes(&mut self, wanted: char) -> bool {
        let found = self.rest().starts_with(wanted);
        self.at += if found { wanted.len_utf8() } else { 0 };
        found
    }

    /// Takes a word, in any case, that something else follows, and the blanks around it.
    fn takes_word(&mut self, word: &str) -> bool {
        let rest = self.rest();
        let trimmed = rest.trim_start_matches(' ');
        let Some(head) = trimmed.get(..word.len()) else { return false };
        let tail = &trimmed[word.len()..];
        if !head.eq_ignore_ascii_case(word)
            || !(tail.is_empty() || tail.starts_with([' ', '(', ')', ']']))
        {
            return false;
        }
        self.at += rest.len() - tail.trim_start_matches(' ').len();
        true
    }

    fn wants<T>(&self, wanted: &'static str) -> Result<T, Unread> {
        Err(Unread { at: self.at, wanted })
    }
}

/// Where a quoted text ends that a text begins with.
fn text_end(text: &str) -> Option<usize> {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return Some(at + 1),
            _ => {}
        }
    }
    None
}
