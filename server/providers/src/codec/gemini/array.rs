//! A stream as one JSON array, which Google sends to callers that do not ask for `alt=sse`.

use bytes::Bytes;

use crate::sse::Decoder;

/// Writes a Gemini caller's events as the elements of an array.
#[derive(Debug, Default)]
pub struct JsonArray {
    decoder: Decoder,
    begun: bool,
}

impl JsonArray {
    /// The elements that the events in these bytes are.
    pub fn push(&mut self, events: &[u8]) -> Bytes {
        let mut out = Vec::with_capacity(events.len());
        self.decoder.push(events);
        // An event that is too large was refused when it was read.
        while let Ok(Some(event)) = self.decoder.event() {
            self.element(event.data.as_deref(), &mut out);
        }
        out.into()
    }

    /// The end of the array.
    pub fn finish(mut self) -> Bytes {
        let mut out = Vec::new();
        if let Some(event) = self.decoder.finish() {
            self.element(event.data.as_deref(), &mut out);
        }
        out.extend_from_slice(if self.begun { b"]" } else { b"[]" });
        out.into()
    }

    fn element(&mut self, data: Option<&str>, out: &mut Vec<u8>) {
        let Some(data) = data else { return };
        let begun = std::mem::replace(&mut self.begun, true);
        out.extend_from_slice(if begun { b",\r\n" } else { b"[" });
        out.extend_from_slice(data.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn events_become_the_elements_of_an_array_however_they_are_cut() {
        let events = b"data: {\"a\":1}\r\n\r\n: note\n\ndata: {\"a\":2}\n\n";
        for size in 1..events.len() {
            let mut array = JsonArray::default();
            let mut out = Vec::new();
            for piece in events.chunks(size) {
                out.extend_from_slice(&array.push(piece));
            }
            out.extend_from_slice(&array.finish());
            let read: Value = serde_json::from_slice(&out).unwrap();
            assert_eq!(read, json!([{ "a": 1 }, { "a": 2 }]));
        }
        assert_eq!(JsonArray::default().finish(), "[]");
    }
}
