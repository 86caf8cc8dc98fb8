//! The words that ask, told from the matter that something is to be done to.
//!
//! "Fix this:" and forty lines of code, a question and the pages to answer it from, a mail and
//! "shorter, please": what is wanted stands in a few words, at the start or the end or where
//! somebody is addressed. Code lines, long quotes and the middle of long prose are matter.

use super::lexicon::spaceless;

/// A quote or what follows a colon is matter from so many bytes on.
const QUOTE: usize = 24;
const AFTER_COLON: usize = 70;
/// Prose up to here is all read as asking; of longer prose only some sentences are.
const SHORT: usize = 420;
const EDGE: usize = 220;
/// A paragraph of this length at the start or the end is set apart from what is long.
const SET_APART: usize = 330;
/// A text of this length can be a letter; what is longer is a document.
const LETTER: usize = 1_400;
/// So much of the matter is kept, to know a little of what it is about.
const MATTER: usize = 800;

/// A text taken apart.
#[derive(Debug, Default)]
pub(crate) struct Apart {
    pub asking: String,
    pub matter: String,
    /// Lines of code that nobody put between fences.
    pub code: String,
    pub code_lines: usize,
}

/// Takes prose apart.
pub(crate) fn apart(prose: &str) -> Apart {
    let mut apart = Apart::default();
    let mut rest = String::new();
    for line in prose.lines() {
        let (words, code) = code_of(line);
        if !code.is_empty() {
            apart.code.push_str(code);
            apart.code.push('\n');
            apart.code_lines += 1;
        }
        if !words.trim().is_empty() || code.is_empty() {
            rest.push_str(words);
            rest.push('\n');
        }
    }
    let rest = without_quotes(&rest, &mut apart.matter);
    let rest = without_tails(&rest, &mut apart.matter);
    choose(rest.trim(), &mut apart);
    apart
}

/// A line's words, and the code that stands alone or behind them.
fn code_of(line: &str) -> (&str, &str) {
    let code = is_code(line);
    for end in [": ", "? ", ". "] {
        if let Some((words, tail)) = line.split_once(end)
            && tail.len() > 8
            && (!code || is_said(words))
            && is_code(tail)
        {
            return (&line[..=words.len()], tail);
        }
    }
    if !code {
        return (line, "");
    }
    // "what does this match ^a+$"
    let said = said(line);
    if is_said(said) { (said, &line[said.len()..]) } else { ("", line) }
}

/// The words before the first sign of code.
fn said(line: &str) -> &str {
    let plain = |word: &&str| !word.contains(|c: char| CODE_SIGNS.contains(c));
    let words = line.split_inclusive(' ').take_while(plain).take(SAID);
    &line[..words.map(str::len).sum()]
}

/// True for three words and more that no statement begins with.
fn is_said(words: &str) -> bool {
    const KEYWORDS: [&str; 22] = [
        "if", "for", "while", "elif", "else", "case", "when", "def", "class", "with", "return",
        "lambda", "except", "public", "private", "static", "const", "let", "import", "from",
        "select", "val",
    ];
    let first = words.split_whitespace().next().unwrap_or_default().to_ascii_lowercase();
    let is_word = |word: &&str| word.chars().all(|c| c.is_alphabetic() || "'’,-?!".contains(c));
    let plain = words.split_whitespace().filter(is_word).count();
    let all = words.split_whitespace().count();
    let spoken =
        plain >= 3 && plain * 4 >= all * 3 || words.chars().filter(|c| spaceless(*c)).count() >= 4;
    spoken && !words.starts_with([' ', '\t']) && !KEYWORDS.contains(&first.as_str())
}

/// Signs that stand in code and hardly in what is said.
const CODE_SIGNS: &str = "(){}[];=<>$|&_\\+*`^";
/// So many words before code on one line are read.
const SAID: usize = 16;

const STARTS: [&str; 56] = [
    "def ",
    "class ",
    "fn ",
    "pub ",
    "func ",
    "function ",
    "const ",
    "let ",
    "var ",
    "import ",
    "from ",
    "#include",
    "#define",
    "#[",
    "#!",
    "return ",
    "public ",
    "private ",
    "protected ",
    "package ",
    "using ",
    "export ",
    "async ",
    "await ",
    "elif ",
    "else:",
    "try:",
    "except",
    "for (",
    "if (",
    "while (",
    "while True",
    "switch ",
    "case ",
    "int ",
    "void ",
    "static ",
    "struct ",
    "enum ",
    "impl ",
    "use ",
    "mod ",
    "//",
    "/*",
    "*/",
    "@@",
    "+++ ",
    "--- a",
    "diff --git",
    "</",
    "<div",
    "<html",
    "<?php",
    "print(",
    "console.",
    "assert",
];
const STATEMENTS: [&str; 9] = [
    "select ",
    "insert into ",
    "update ",
    "delete from ",
    "create table ",
    "with ",
    "docker ",
    "git ",
    "curl ",
];

/// True for a line that is code rather than prose.
fn is_code(line: &str) -> bool {
    let text = line.trim();
    if text.starts_with(['+', '-']) && !text[1..].starts_with(' ') || line.starts_with("+    ") {
        return text.len() > 3 && is_code(line.get(1..).unwrap_or_default());
    }
    if text.len() < 2 {
        return matches!(text, "{" | "}" | ")" | "]" | ";");
    }
    let (signs, letters, spaces) =
        text.bytes().fold((0, 0, 0), |(signs, letters, spaces), byte| {
            (
                signs + usize::from(b"(){}[];=<>$|&_\\+*:/\"'`".contains(&byte)),
                letters + usize::from(byte.is_ascii_alphabetic() || byte >= 0x80),
                spaces + usize::from(byte == b' '),
            )
        });
    let starts = STARTS.iter().any(|start| text.starts_with(start));
    let ends = text.ends_with([';', '{', '}']) || text.ends_with("):") || text.ends_with(");");
    let dense = signs * 8 >= text.len();
    let lower = text.get(..16.min(text.len())).unwrap_or_default().to_ascii_lowercase();
    let statement = STATEMENTS.iter().any(|start| lower.starts_with(start));
    let calls =
        ["()", "](", ");", " = ", " == ", "=>", "->", "::", "</", "${", "=\"", "||", "&&", "!="]
            .iter()
            .filter(|sign| text.contains(**sign))
            .count();
    let indented = line.starts_with("    ") || line.starts_with('\t');
    (ends && (dense || starts || calls > 0))
        || (starts && (signs * 14 >= text.len() || indented))
        || (statement && (signs > 1 || text.contains(" FROM ") || text.contains(" from ")))
        || (indented && signs * 14 >= text.len() && signs > 1)
        || (calls >= 2 && dense)
        || (signs * 4 >= text.len()
            && letters * 3 < text.len() * 2
            && spaces * 5 < text.len()
            && signs > 5)
}

/// The text without its longer quotes, which are added to the matter.
fn without_quotes(text: &str, matter: &mut String) -> String {
    const PAIRS: [(char, &[char]); 4] = [
        ('"', &['"']),
        ('\u{201c}', &['\u{201d}', '"']),
        ('\u{201e}', &['\u{201c}', '\u{201d}', '"']),
        ('\u{300c}', &['\u{300d}']),
    ];
    let (mut kept, mut rest) = (String::with_capacity(text.len()), text);
    while let Some((at, open, ends)) = PAIRS
        .iter()
        .filter_map(|(open, ends)| Some((rest.find(*open)?, *open, *ends)))
        .min_by_key(|(at, ..)| *at)
    {
        let inside = &rest[at + open.len_utf8()..];
        let Some(length) = inside.find(ends) else { break };
        let close = inside[length..].chars().next().map_or(1, char::len_utf8);
        let quote = &inside[..length];
        kept.push_str(&rest[..at]);
        if length >= QUOTE || (quote.chars().count() >= 8 && !quote.is_ascii()) {
            push(matter, quote);
            kept.push_str(" \u{201d} ");
        } else {
            kept.push('"');
            kept.push_str(quote);
            kept.push('"');
        }
        rest = &inside[length + close..];
    }
    kept.push_str(rest);
    kept
}

/// The text without what follows a colon at length: "Summarise: …".
fn without_tails(text: &str, matter: &mut String) -> String {
    let Some((at, sign)) = text.char_indices().find(|(at, sign)| {
        (*sign == ':' && text[at + 1..].starts_with([' ', '\n'])) || *sign == '：'
    }) else {
        return text.to_owned();
    };
    let (head, tail) = (&text[..at], text[at + sign.len_utf8()..].trim_start());
    let wide = !tail.is_ascii();
    if !(6..=240).contains(&at) || tail.len() < AFTER_COLON || head.contains('\n') && wide {
        return text.to_owned();
    }
    // What comes after a blank line may ask again: "… Text: … \n\n Now shorten it."
    let (tail, again) = tail.rsplit_once("\n\n").unwrap_or((tail, ""));
    push(matter, tail);
    format!("{head}:\n{again}")
}

/// Of short prose all asks; of longer prose what is set apart at its start or its end does, else
/// both ends, and in letters the sentences that address somebody.
fn choose(text: &str, apart: &mut Apart) {
    if let Some((asked, rest)) = marked(text) {
        apart.asking = asked;
        push(&mut apart.matter, rest);
        return;
    }
    if text.len() <= SHORT {
        text.clone_into(&mut apart.asking);
        return;
    }
    let short = |part: &&str| part.len() <= SET_APART && !part.starts_with(['#', '|', '-', '<']);
    let first = text.split_once("\n\n").map(|(first, _)| first).filter(short);
    let last = text.rsplit_once("\n\n").map(|(_, last)| last).filter(short);
    let (head, tail) = match (first, last) {
        (None, None) => (EDGE, EDGE),
        (first, last) => (first.map_or(0, str::len), last.map_or(0, str::len)),
    };
    let mut at = 0;
    for sentence in sentences(text) {
        let end = at + sentence.len();
        let edge = at < head || end + tail > text.len();
        if edge || (text.len() < LETTER && addresses(sentence)) {
            apart.asking.push_str(sentence);
        } else {
            push(&mut apart.matter, sentence);
        }
        at = end;
    }
}

/// What stands behind a mark, as templates of prompts have it, and the rest.
fn marked(text: &str) -> Option<(String, &str)> {
    const MARKS: [&str; 8] = [
        "### Instruction",
        "### Task",
        "### Question",
        "Instruction:",
        "Question:",
        "<question>",
        "Frage:",
        "Task:",
    ];
    const ENDS: [&str; 7] =
        ["\n###", "\nInput:", "\nText:", "</question>", "\nAnswer:", "\nContext:", "\nSnippet:"];
    let (at, mark) = MARKS.iter().find_map(|mark| Some((text.find(mark)?, mark)))?;
    let asked = text[at + mark.len()..].trim_start_matches([':', '\n', ' ']);
    let end = ENDS.iter().filter_map(|end| asked.find(end)).min().unwrap_or(asked.len());
    let (asked, rest) = asked.split_at(end);
    // A question in a template has something to be answered from.
    let from = if mark.contains("uestion") || mark.contains("Frage") { "question:\n" } else { "" };
    let known = if rest.trim().len() > 40 { rest } else { &text[..at] };
    (!asked.trim().is_empty()).then(|| (format!("{from}{asked}"), known))
}

fn sentences(text: &str) -> impl Iterator<Item = &str> {
    text.split_inclusive(['.', '?', '!', '\n', '。', '？'])
}

fn addresses(sentence: &str) -> bool {
    const CUES: [&str; 26] = [
        "please",
        " you ",
        "i need",
        "we need",
        "i want",
        "i'd like",
        "would like",
        "help me",
        "?",
        "bitte",
        "kannst du",
        "können sie",
        "peux-tu",
        "pouvez-vous",
        "s'il",
        "por favor",
        "puedes",
        "necesito",
        "per favore",
        "puoi",
        "preciso",
        "você pode",
        "请",
        "ください",
        "пожалуйста",
        "task:",
    ];
    let lower = sentence.to_lowercase();
    CUES.iter().any(|cue| lower.contains(cue))
}

fn push(matter: &mut String, text: &str) {
    let room = MATTER.saturating_sub(matter.len());
    matter.push_str(&text[..text.floor_char_boundary(room.min(text.len()))]);
    matter.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_is_known_without_fences() {
        for line in [
            "for (int i = 0; i < n; i++) {",
            "    return x + 1",
            "def f(n): return 1 if n < 2 else n * f(n - 1)",
            "SELECT a.* FROM a LEFT JOIN b ON a.id = b.a_id",
            "const {data} = await fetch('/api/me')",
            "+    if key not in _cache:",
            "<button onClick={() => select(r.id)}>Go</button>",
            "app.post('/login', (req, res) => { db.get(q, ...) })",
        ] {
            assert!(is_code(line), "{line}");
        }
        for line in [
            "Please use the function that we wrote for this.",
            "for each of the rows, write a line",
            "Let's go! What do you think (honestly)?",
            "import taxes for bikes from Taiwan",
            "Update the docs with what we said.",
            "1. keep the CLI",
            "- no new dependencies",
        ] {
            assert!(!is_code(line), "{line}");
        }
    }

    #[test]
    fn quotes_and_what_follows_a_colon_are_matter() {
        let text = "Make this politer: \"You people never answer. It is a joke.\"";
        let found = apart(text);
        assert!(found.asking.starts_with("Make this politer") && !found.asking.contains("joke"));
        assert!(found.matter.contains("joke"));
        let found = apart("what does this do: SELECT dept, COUNT(*) FROM emp GROUP BY dept");
        assert_eq!((found.asking.as_str(), found.code_lines), ("what does this do:", 1));
    }

    #[test]
    fn words_before_code_on_one_line_ask() {
        let asking = |text: &str| apart(text).asking;
        for (text, asked) in [
            (
                "Convert this to plain JS: $('.a').on('click', () => go());",
                "Convert this to plain JS:",
            ),
            ("Is this idiomatic Go? if err != nil { panic(err) }", "Is this idiomatic Go?"),
            (
                "what does this regex match ^(?=.*\\d)(?=.*[a-z]).{8,}$",
                "what does this regex match",
            ),
            ("if x is None: return f(x);", ""),
            ("for i in range(10): print(f(i));", ""),
            ("const total = items.map(i => i.p).reduce((a, b) => a + b);", ""),
        ] {
            assert_eq!(asking(text).trim(), asked, "{text}");
        }
    }

    #[test]
    fn of_a_long_text_the_ends_and_what_addresses_somebody_ask() {
        let pages = "The bridge was rebuilt in 1874 after a fire. ".repeat(40);
        let found = apart(&format!("{pages}\nWhen was the bridge rebuilt?"));
        assert!(found.asking.ends_with("rebuilt?") && found.asking.len() < 700);
        assert!(!found.matter.is_empty());
        let found = apart(&format!("{pages}\n\nShorter, please."));
        assert_eq!(found.asking.trim(), "Shorter, please.");
        let found = apart(
            "### Instruction:\nMake it short.\n\n### Input:\nDue to the fact that it rained.",
        );
        assert_eq!(found.asking.trim(), "Make it short.");
    }
}
