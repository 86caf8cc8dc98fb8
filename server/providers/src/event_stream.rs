//! Amazon's event stream: the framing of a streamed answer where it is not server-sent events.
//!
//! A message is a prelude (its length, that of its headers, a checksum of both), headers, a
//! payload and a checksum of all of it. Each gives one [`Event`] with the face that server-sent
//! events have, so that nothing behind it needs to know the framing. A message that is not whole
//! by its checksums is an error, never an event.

use bytes::{Bytes, BytesMut};
use serde_json::json;

use crate::sse::{Event, MAX_EVENT};

/// Begins the name of an event that is a failure, which ends its stream.
pub(crate) const EXCEPTION: &str = "exception:";

/// Both lengths and the checksum over them.
const PRELUDE: usize = 12;
const CHECKSUM: usize = 4;

/// Why bytes are no message; nothing after it can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Broken(pub &'static str);

/// Decodes one stream.
#[derive(Debug, Default)]
pub(crate) struct Decoder {
    buffer: BytesMut,
}

impl Decoder {
    /// Takes more of the stream.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// The next message that is complete.
    pub fn event(&mut self) -> Result<Option<Event>, Broken> {
        let Some(prelude) = self.buffer.first_chunk::<PRELUDE>() else { return Ok(None) };
        if u32_at(prelude, 8) != Some(crc32fast::hash(&prelude[..8])) {
            return Err(Broken("an event's prelude has a wrong checksum"));
        }
        let length = length_at(prelude, 0);
        let headers = length_at(prelude, 4);
        let least = PRELUDE + CHECKSUM;
        if length > MAX_EVENT {
            return Err(Broken("an event is too large"));
        }
        if length < least || headers > length - least {
            return Err(Broken("an event's lengths contradict each other"));
        }
        if self.buffer.len() < length {
            return Ok(None);
        }
        let raw = self.buffer.split_to(length).freeze();
        let (content, checksum) = raw.split_at(length - CHECKSUM);
        if u32_at(checksum, 0) != Some(crc32fast::hash(content)) {
            return Err(Broken("an event has a wrong checksum"));
        }
        let (headers, payload) = content[PRELUDE..].split_at(headers);
        let headers = Headers::read(headers)?;
        let (name, data) = headers.meaning(payload);
        Ok(Some(Event { name, data, raw }))
    }

    /// True where the stream ended within a message.
    pub fn is_within(&self) -> bool {
        !self.buffer.is_empty()
    }
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk::<4>().map(|bytes| u32::from_be_bytes(*bytes))
}

fn length_at(bytes: &[u8], at: usize) -> usize {
    u32_at(bytes, at).and_then(|length| usize::try_from(length).ok()).unwrap_or(usize::MAX)
}

/// The headers that say what a message is.
#[derive(Debug, Default)]
struct Headers {
    message: Option<String>,
    event: Option<String>,
    exception: Option<String>,
    error_code: Option<String>,
    error_message: Option<String>,
}

impl Headers {
    fn read(mut rest: &[u8]) -> Result<Self, Broken> {
        let mut headers = Self::default();
        while !rest.is_empty() {
            let (name, value) = header(&mut rest).ok_or(Broken("an event's headers are cut"))?;
            let Some(value) = value else { continue };
            let place = match name {
                b":message-type" => &mut headers.message,
                b":event-type" => &mut headers.event,
                b":exception-type" => &mut headers.exception,
                b":error-code" => &mut headers.error_code,
                b":error-message" => &mut headers.error_message,
                // The payload's type, which is JSON throughout.
                _ => continue,
            };
            *place = Some(String::from_utf8_lossy(value).into_owned());
        }
        Ok(headers)
    }

    /// The name and the data of the event. Where the failure stands in headers alone, its data is
    /// made to look like that of an exception.
    fn meaning(self, payload: &[u8]) -> (Option<String>, Option<String>) {
        let said = || String::from_utf8_lossy(payload).into_owned();
        let data = || (!payload.is_empty()).then(said);
        match self.message.as_deref() {
            Some("exception") => {
                let kind = self.exception.unwrap_or_default();
                (Some(format!("{EXCEPTION}{kind}")), data())
            }
            Some("error") => {
                let kind = self.error_code.unwrap_or_default();
                let data = json!({ "message": self.error_message.unwrap_or_default() });
                (Some(format!("{EXCEPTION}{kind}")), Some(data.to_string()))
            }
            Some(_) | None => (self.event, data()),
        }
    }
}

/// Takes one header off: its name, and its value where that is a text.
fn header<'a>(rest: &mut &'a [u8]) -> Option<(&'a [u8], Option<&'a [u8]>)> {
    let length = usize::from(*take(rest, 1)?.first()?);
    let name = take(rest, length)?;
    let kind = *take(rest, 1)?.first()?;
    let fixed = match kind {
        // True and false.
        0 | 1 => 0,
        2 => 1,
        3 => 2,
        4 => 4,
        // A number and a time.
        5 | 8 => 8,
        // Bytes and a text, with their length before them.
        6 | 7 => {
            let length = take(rest, 2)?.first_chunk::<2>().copied()?;
            let value = take(rest, usize::from(u16::from_be_bytes(length)))?;
            return Some((name, (kind == 7).then_some(value)));
        }
        9 => 16,
        _ => return None,
    };
    take(rest, fixed)?;
    Some((name, None))
}

fn take<'a>(rest: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    let (taken, left) = rest.split_at_checked(length)?;
    *rest = left;
    Some(taken)
}

/// One message, as Bedrock writes it; a name that begins with [`EXCEPTION`] makes a failure.
pub(crate) fn write(name: &str, payload: &str) -> Bytes {
    let (message, key, name) = match name.strip_prefix(EXCEPTION) {
        Some(name) => ("exception", ":exception-type", name),
        None => ("event", ":event-type", name),
    };
    let mut headers = Vec::with_capacity(96);
    for (key, value) in
        [(key, name), (":content-type", "application/json"), (":message-type", message)]
    {
        headers.extend(u8::try_from(key.len()).unwrap_or(u8::MAX).to_be_bytes());
        headers.extend(key.as_bytes());
        headers.push(7);
        headers.extend(u16::try_from(value.len()).unwrap_or(u16::MAX).to_be_bytes());
        headers.extend(value.as_bytes());
    }
    let length = PRELUDE + headers.len() + payload.len() + CHECKSUM;
    let mut out = Vec::with_capacity(length);
    out.extend(u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes());
    out.extend(u32::try_from(headers.len()).unwrap_or(u32::MAX).to_be_bytes());
    out.extend(crc32fast::hash(&out).to_be_bytes());
    out.extend(headers);
    out.extend(payload.as_bytes());
    out.extend(crc32fast::hash(&out).to_be_bytes());
    out.into()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn decode(parts: &[&[u8]]) -> Result<Vec<Event>, Broken> {
        let (mut decoder, mut events) = (Decoder::default(), Vec::new());
        for part in parts {
            decoder.push(part);
            while let Some(event) = decoder.event()? {
                events.push(event);
            }
        }
        Ok(events)
    }

    /// Two messages of the vendor's own tests of decoders: one header of every type, and a failure
    /// that stands in headers alone.
    const EVERY_TYPE: &[u8] = b"\x00\x00\x00\x62\x00\x00\x00\x52\x03\xb5\xcb\x9c\
        \x010\x00\x011\x01\x012\x02\x02\x013\x03\x00\x03\
        \x014\x04\x00\x00\x00\x04\x015\x05\x00\x00\x00\x00\x00\x00\x00\x05\
        \x016\x06\x00\x05bytes\x017\x07\x00\x04utf8\
        \x018\x08\x00\x00\x00\x00\x00\x00\x00\x08\x019\x090123456789abcdef\x63\x35\x36\x71";
    const ERROR: &[u8] = b"\x00\x00\x00\x52\x00\x00\x00\x42\xbf\x23\x63\x7e\
        \x0d:message-type\x07\x00\x05error\x0b:error-code\x07\x00\x04code\
        \x0e:error-message\x07\x00\x07message\x6b\x6c\xea\x3d";

    #[test]
    fn headers_of_every_type_are_passed_over() {
        let events = decode(&[EVERY_TYPE]).unwrap();
        assert_eq!(events, [Event { name: None, data: None, raw: EVERY_TYPE.into() }]);
    }

    #[test]
    fn a_failure_is_named_as_one_wherever_it_stands() {
        let frame = write("exception:throttlingException", r#"{"message":"slow"}"#);
        let event = decode(&[&frame]).unwrap().remove(0);
        assert_eq!(event.name.as_deref(), Some("exception:throttlingException"));
        assert_eq!(event.data.as_deref(), Some(r#"{"message":"slow"}"#));
        let event = decode(&[ERROR]).unwrap().remove(0);
        assert_eq!(event.name.as_deref(), Some("exception:code"));
        assert_eq!(event.data.as_deref(), Some(r#"{"message":"message"}"#));
    }

    #[test]
    fn a_length_that_cannot_be_is_refused_before_anything_is_held_for_it() {
        for (length, headers) in
            [(u32::MAX, 0u32), (15, 0), (40, 30), (u32::try_from(MAX_EVENT).unwrap() + 1, 0)]
        {
            let mut bytes = [length.to_be_bytes(), headers.to_be_bytes()].concat();
            bytes.extend(crc32fast::hash(&bytes).to_be_bytes());
            assert!(decode(&[&bytes]).is_err(), "{length} {headers}");
        }
    }

    proptest! {
        #[test]
        fn any_split_gives_the_same_events(
            said in proptest::collection::vec(("[a-zA-Z]{1,20}", "\\PC{1,40}"), 1..6),
            cuts in proptest::collection::vec(0usize..800, 0..20),
        ) {
            let bytes: Vec<u8> =
                said.iter().flat_map(|(name, data)| write(name, data).to_vec()).collect();
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(bytes.len())).collect();
            cuts.extend([0, bytes.len()]);
            cuts.sort_unstable();
            let parts: Vec<&[u8]> = cuts.windows(2).map(|cut| &bytes[cut[0]..cut[1]]).collect();
            let events = decode(&parts).unwrap();
            let raw: Vec<u8> = events.iter().flat_map(|event| event.raw.to_vec()).collect();
            prop_assert_eq!(&raw, &bytes);
            let read: Vec<(String, String)> =
                events.into_iter().map(|it| (it.name.unwrap(), it.data.unwrap())).collect();
            prop_assert_eq!(read, said);
        }

        #[test]
        fn a_changed_bit_is_never_an_event(data in "\\PC{0,40}", at in 0usize..2000, bit in 0u8..8) {
            let mut bytes = write("contentBlockDelta", &data).to_vec();
            let at = at % bytes.len();
            bytes[at] ^= 1 << bit;
            prop_assert!(decode(&[&bytes]).is_err());
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let mut rest = bytes.as_slice();
            while header(&mut rest).is_some() {}
            let _ = decode(&[&bytes]);
        }
    }
}
