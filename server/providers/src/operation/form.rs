//! Forms with files (`multipart/form-data`), read as far as a gateway must and sent on as they
//! are.

use std::ops::Range;

use bytes::Bytes;
use memchr::memmem;
use ralex_kernel::{Code, Problem};
use serde_json::Value;

use crate::json::Object;

/// A form's files; its fields are with the request.
#[derive(Clone, Debug)]
pub(crate) struct Form {
    pub files: Vec<Enclosed>,
}

/// A file in a form.
#[derive(Clone, Debug)]
pub(crate) struct Enclosed {
    /// Where its bytes are in the body.
    pub span: Range<usize>,
}

/// A form's files, its texts by name, and where each stands in the body.
type Read = (Form, Object, Vec<(String, Range<usize>)>);

/// No form has a third of this many parts.
const MOST_PARTS: usize = 100;
/// Nor a text of this size; files have names.
const LONGEST_TEXT: usize = 256 * 1024;

impl Form {
    pub fn read(raw: &Bytes, content_type: &str) -> Result<Read, Problem> {
        let boundary = boundary(content_type).ok_or_else(|| broken("it has no boundary"))?;
        let delimiter = format!("\r\n--{boundary}");
        let first = delimiter.get(2..).unwrap_or_default();
        if !raw.starts_with(first.as_bytes()) {
            return Err(broken("it does not begin with its boundary"));
        }
        let finder = memmem::Finder::new(&delimiter);
        let (mut files, mut body, mut spans) = (Vec::new(), Object::new(), Vec::new());
        let mut at = first.len();
        loop {
            let rest = raw.get(at..).unwrap_or_default();
            if rest.starts_with(b"--") {
                return Ok((Self { files }, body, spans));
            }
            if files.len() + spans.len() == MOST_PARTS {
                return Err(broken("it has too many parts"));
            }
            let length = finder.find(rest).ok_or_else(|| broken("it is cut"))?;
            let part = rest.get(..length).unwrap_or_default();
            let head =
                memmem::find(part, b"\r\n\r\n").ok_or_else(|| broken("a part has no head"))?;
            let disposition = Disposition::read(part.get(..head).unwrap_or_default())?;
            let span = at + head + 4..at + length;
            at += length + delimiter.len();
            if disposition.is_file {
                files.push(Enclosed { span });
                continue;
            }
            let name = disposition.name;
            let said = raw.get(span.clone()).unwrap_or_default();
            if said.len() > LONGEST_TEXT {
                return Err(Problem::field(name, "is too long for a text"));
            }
            let said = std::str::from_utf8(said)
                .map_err(|_| Problem::field(name.clone(), "is not a text"))?;
            // The gateway could judge the one and the provider obey the other. Rows of values have
            // names that end so.
            if body.insert(name.clone(), Value::from(said)).is_some() && !name.ends_with("[]") {
                return Err(Problem::field(name, "stands twice"));
            }
            spans.push((name, span));
        }
    }
}

fn broken(why: &str) -> Problem {
    Problem::new(Code::InvalidRequest, format!("The body is not a form: {why}."))
}

fn boundary(content_type: &str) -> Option<&str> {
    let mut parameters = content_type.split(';').skip(1).map(str::trim);
    let named = parameters.find_map(|it| {
        let (name, value) = it.split_once('=')?;
        name.trim().eq_ignore_ascii_case("boundary").then_some(value.trim())
    })?;
    let bare = named.strip_prefix('"').and_then(|it| it.strip_suffix('"')).unwrap_or(named);
    (1..=70).contains(&bare.len()).then_some(bare)
}

/// What a part says it is.
struct Disposition {
    name: String,
    is_file: bool,
}

impl Disposition {
    fn read(head: &[u8]) -> Result<Self, Problem> {
        let head = std::str::from_utf8(head).map_err(|_| broken("a part's head is not a text"))?;
        let mut lines = head.split("\r\n").filter_map(|line| line.split_once(':'));
        let mut said = lines
            .by_ref()
            .filter(|(name, _)| name.trim().eq_ignore_ascii_case("content-disposition"));
        let (Some((_, said)), None) = (said.next(), said.next()) else {
            return Err(broken("a part does not say once what it is"));
        };
        let name = parameter(said, "name").ok_or_else(|| broken("a part has no name"))?;
        let is_file = parameter(said, "filename").or(parameter(said, "filename*")).is_some();
        Ok(Self { name, is_file })
    }
}

/// The value of a parameter, quoted or bare.
fn parameter(header: &str, wanted: &str) -> Option<String> {
    let mut rest = header.split_once(';')?.1;
    loop {
        let (name, after) = rest.split_once('=')?;
        let (value, next) = if let Some(quoted) = after.strip_prefix('"') {
            let end = closing_quote(quoted)?;
            (quoted.get(..end)?.replace("\\\"", "\""), quoted.get(end + 1..)?)
        } else {
            let end = after.find(';').unwrap_or(after.len());
            (after.get(..end)?.trim().to_owned(), after.get(end..)?)
        };
        if name.trim().eq_ignore_ascii_case(wanted) {
            return Some(value);
        }
        rest = next.trim_start().strip_prefix(';')?;
    }
}

fn closing_quote(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    (0..bytes.len())
        .find(|at| bytes.get(*at) == Some(&b'"') && (*at == 0 || bytes.get(at - 1) != Some(&b'\\')))
}
