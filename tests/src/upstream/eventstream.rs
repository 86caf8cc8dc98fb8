//! Amazon's binary events: lengths, headers and a payload, each guarded by a checksum.

use bytes::{BufMut, Bytes, BytesMut};

pub(super) enum Kind<'a> {
    Event(&'a str),
    Exception(&'a str),
}

/// A header's value that is a text.
const TEXT: u8 = 7;

pub(super) fn frame(kind: &Kind<'_>, payload: &str) -> Bytes {
    let (message, name, value) = match kind {
        Kind::Event(value) => ("event", ":event-type", value),
        Kind::Exception(value) => ("exception", ":exception-type", value),
    };
    let mut headers = BytesMut::new();
    header(&mut headers, name, value);
    header(&mut headers, ":content-type", "application/json");
    header(&mut headers, ":message-type", message);
    let length = |bytes: usize| u32::try_from(bytes).unwrap_or(u32::MAX);
    let mut frame = BytesMut::new();
    frame.put_u32(length(12 + headers.len() + payload.len() + 4));
    frame.put_u32(length(headers.len()));
    frame.put_u32(crc32fast::hash(&frame));
    frame.put(headers);
    frame.put(payload.as_bytes());
    frame.put_u32(crc32fast::hash(&frame));
    frame.freeze()
}

fn header(headers: &mut BytesMut, name: &str, value: &str) {
    headers.put_u8(u8::try_from(name.len()).unwrap_or(u8::MAX));
    headers.put(name.as_bytes());
    headers.put_u8(TEXT);
    headers.put_u16(u16::try_from(value.len()).unwrap_or(u16::MAX));
    headers.put(value.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From Amazon's published test vectors of the encoding: an empty message.
    #[test]
    fn the_checksum_is_that_of_amazons_vectors() {
        let prelude = [0, 0, 0, 0x10, 0, 0, 0, 0];
        assert_eq!(crc32fast::hash(&prelude), 0x05c2_48eb);
        let whole = [&prelude[..], &0x05c2_48eb_u32.to_be_bytes()].concat();
        assert_eq!(crc32fast::hash(&whole), 0x7d98_c8ff);
    }

    #[test]
    fn a_frame_tells_its_own_length() {
        let frame = frame(&Kind::Event("metadata"), "{}");
        let told = u32::from_be_bytes(frame[..4].try_into().unwrap());
        assert_eq!(usize::try_from(told).unwrap(), frame.len());
    }
}
