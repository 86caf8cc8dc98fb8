//! Server-sent events, decoded as the bytes arrive.
//!
//! Each event keeps the bytes it was made of, so that it can be passed on unchanged; together the
//! raw parts are the input, none lost and none added. An event has a hard upper size, since its
//! bytes must be held until it ends.

use bytes::{Bytes, BytesMut};
use memchr::memchr2;

/// The most bytes that one event may have.
pub const MAX_EVENT: usize = 16 * 1024 * 1024;

const BOM: &[u8] = "\u{feff}".as_bytes();

/// What stands between two blank lines: an event, or only comments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// The `event` field.
    pub name: Option<String>,
    /// The `data` lines, joined; nothing when there is none, as in a keep-alive comment.
    pub data: Option<String>,
    /// The bytes as they came, with the blank line that ended them.
    pub raw: Bytes,
}

/// An event that grew beyond [`MAX_EVENT`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an event is larger than {MAX_EVENT} bytes")]
pub struct TooLarge;

/// Decodes one stream.
#[derive(Debug)]
pub struct Decoder {
    /// The event that has not ended yet.
    buffer: BytesMut,
    /// Where its current line begins, and up to where it is searched.
    line: usize,
    searched: usize,
    /// A line ended with CR at the end of what had come; an LF now belongs to that end.
    after_cr: bool,
    /// Only the first line of the stream may begin with a byte order mark.
    first: bool,
}

impl Default for Decoder {
    fn default() -> Self {
        Self { buffer: BytesMut::new(), line: 0, searched: 0, after_cr: false, first: true }
    }
}

impl Decoder {
    /// Takes more of the stream.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// The next event that is complete.
    pub fn event(&mut self) -> Result<Option<Event>, TooLarge> {
        loop {
            if self.after_cr && self.searched < self.buffer.len() {
                self.after_cr = false;
                if self.buffer.get(self.searched) == Some(&b'\n') {
                    self.searched += 1;
                    self.line = self.searched;
                }
            }
            let rest = self.buffer.get(self.searched..).unwrap_or_default();
            let Some(found) = memchr2(b'\r', b'\n', rest) else {
                self.searched = self.buffer.len();
                return if self.buffer.len() > MAX_EVENT { Err(TooLarge) } else { Ok(None) };
            };
            let end = self.searched + found;
            let blank = self.is_blank(end);
            let next = self.after_line(end);
            if !blank {
                (self.line, self.searched) = (next, next);
            } else if next > MAX_EVENT {
                return Err(TooLarge);
            } else {
                return Ok(Some(self.take(next)));
            }
        }
    }

    /// What is left at the end of the stream, where a server forgot the last blank line.
    pub fn finish(&mut self) -> Option<Event> {
        if self.buffer.is_empty() { None } else { Some(self.take(self.buffer.len())) }
    }

    fn is_blank(&self, end: usize) -> bool {
        let line = self.buffer.get(self.line..end).unwrap_or_default();
        line.is_empty() || (self.first && self.line == 0 && line == BOM)
    }

    /// Where the next line begins; CRLF is one end.
    fn after_line(&mut self, end: usize) -> usize {
        if self.buffer.get(end) == Some(&b'\n') {
            return end + 1;
        }
        match self.buffer.get(end + 1) {
            Some(b'\n') => end + 2,
            Some(_) => end + 1,
            None => {
                self.after_cr = true;
                end + 1
            }
        }
    }

    fn take(&mut self, end: usize) -> Event {
        let raw = self.buffer.split_to(end).freeze();
        (self.line, self.searched) = (0, 0);
        let first = std::mem::replace(&mut self.first, false);
        parse(raw, first)
    }
}

fn parse(raw: Bytes, first: bool) -> Event {
    let text = if first { raw.strip_prefix(BOM).unwrap_or(&raw) } else { &raw };
    let mut event = Event { name: None, data: None, raw: Bytes::new() };
    for line in text.split(|byte| matches!(byte, b'\r' | b'\n')) {
        let (field, value) = match memchr::memchr(b':', line) {
            Some(colon) => {
                let (field, value) = line.split_at(colon);
                let value = value.strip_prefix(b":").unwrap_or(value);
                (field, value.strip_prefix(b" ").unwrap_or(value))
            }
            None => (line, &[][..]),
        };
        match field {
            b"event" => event.name = Some(String::from_utf8_lossy(value).into_owned()),
            b"data" => {
                let value = String::from_utf8_lossy(value);
                match &mut event.data {
                    Some(data) => {
                        data.push('\n');
                        data.push_str(&value);
                    }
                    None => event.data = Some(value.into_owned()),
                }
            }
            // Comments, ids, retry times and what the standard says to ignore.
            _ => {}
        }
    }
    event.raw = raw;
    event
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    type Carried = (Option<String>, Option<String>);

    /// Everything that carries something, and all raw bytes in order.
    fn decode(parts: &[&[u8]]) -> (Vec<Carried>, Vec<u8>) {
        let (mut decoder, mut events, mut raw) = (Decoder::default(), Vec::new(), Vec::new());
        let mut keep = |event: Event| {
            raw.extend_from_slice(&event.raw);
            if event.name.is_some() || event.data.is_some() {
                events.push((event.name, event.data));
            }
        };
        for part in parts {
            decoder.push(part);
            while let Some(event) = decoder.event().unwrap() {
                keep(event);
            }
        }
        if let Some(event) = decoder.finish() {
            keep(event);
        }
        (events, raw)
    }

    fn data(text: &str) -> Vec<String> {
        decode(&[text.as_bytes()]).0.into_iter().filter_map(|(_, data)| data).collect()
    }

    #[test]
    fn lines_end_in_all_three_ways() {
        assert_eq!(
            data("data: a\n\ndata: b\r\rdata: c\r\n\r\ndata: d\r\n\n"),
            ["a", "b", "c", "d"]
        );
    }

    #[test]
    fn the_details_of_the_standard_are_kept() {
        assert_eq!(data("\u{feff}data: a\n\n"), ["a"]);
        assert_eq!(data("\u{feff}\n\ndata: a\n\n"), ["a"]);
        assert_eq!(data("data: a\n\n\u{feff}data: b\n\n"), ["a"]);
        assert_eq!(data(": comment\ndata:a\ndata: b\ndata\nid: 1\nretry: 5\nx\n\n"), ["a\nb\n"]);
        assert_eq!(data("data:  two spaces\n\n"), [" two spaces"]);
        assert_eq!(data("data: unfinished"), ["unfinished"]);
        let named = decode(&[b"event: ping\ndata: {}\n\n"]).0;
        assert_eq!(named, [(Some("ping".to_owned()), Some("{}".to_owned()))]);
    }

    #[test]
    fn an_event_is_given_out_as_soon_as_it_ended() {
        let mut decoder = Decoder::default();
        decoder.push(b"data: a\r\n\r");
        assert_eq!(decoder.event().unwrap().unwrap().data.as_deref(), Some("a"));
        decoder.push(b"\ndata: b\n\n");
        assert_eq!(decoder.event().unwrap().unwrap().data.as_deref(), Some("b"));
        assert_eq!(decoder.event(), Ok(None));
    }

    #[test]
    fn an_event_beyond_the_cap_is_an_error_however_it_comes() {
        let long = [b"data: ".as_slice(), &vec![b'a'; MAX_EVENT], b"\n\n"].concat();
        let mut whole = Decoder::default();
        whole.push(&long);
        assert_eq!(whole.event(), Err(TooLarge));
        let mut parts = Decoder::default();
        let refused = long.chunks(4096).any(|part| {
            parts.push(part);
            parts.event().is_err()
        });
        assert!(refused);
    }

    fn stream() -> impl Strategy<Value = String> {
        let piece = prop_oneof![
            Just("\r"),
            Just("\n"),
            Just("\r\n"),
            Just("\n\n"),
            Just("data: x"),
            Just("data:"),
            Just("event: e"),
            Just(": c"),
            Just("é"),
            Just("\u{feff}"),
            Just(":"),
            Just(" "),
        ];
        proptest::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #[test]
        fn any_split_gives_the_same_events(text in stream(), cuts in proptest::collection::vec(0usize..200, 0..20)) {
            let bytes = text.as_bytes();
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(bytes.len())).collect();
            cuts.extend([0, bytes.len()]);
            cuts.sort_unstable();
            let parts: Vec<&[u8]> = cuts.windows(2).map(|cut| &bytes[cut[0]..cut[1]]).collect();
            let (events, raw) = decode(&parts);
            prop_assert_eq!(&raw, bytes);
            prop_assert_eq!(events, decode(&[bytes]).0);
        }
    }
}
