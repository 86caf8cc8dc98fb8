//! Server-sent events out of a stream that is cut at any place.

/// Collects what has come and gives out the events that are whole.
#[derive(Debug, Default)]
pub struct Events {
    rest: String,
    data: Vec<String>,
}

impl Events {
    /// Takes the next piece of text; returns the data of every event that it completes.
    pub fn push(&mut self, text: &str) -> Vec<String> {
        self.rest.push_str(text);
        let mut events = Vec::new();
        while let Some(end) = self.rest.find('\n') {
            let line: String = self.rest.drain(..=end).collect();
            let line = line.trim_end_matches(['\n', '\r']);
            if line.is_empty() {
                if !self.data.is_empty() {
                    events.push(self.data.join("\n"));
                    self.data.clear();
                }
            } else if let Some(data) = line.strip_prefix("data:") {
                self.data.push(data.strip_prefix(' ').unwrap_or(data).to_owned());
            }
        }
        events
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_may_come_in_any_number_of_pieces() {
        let stream = ": hello\r\n\r\nevent: x\r\ndata: {\"a\":1}\r\n\r\ndata: one\ndata: two\n\ndata: [DONE]\n\n";
        let whole = Events::default().push(stream);
        assert_eq!(whole, ["{\"a\":1}", "one\ntwo", "[DONE]"]);
        let mut events = Events::default();
        let pieces: Vec<String> =
            stream.chars().flat_map(|letter| events.push(&letter.to_string())).collect();
        assert_eq!(pieces, whole);
    }

    #[test]
    fn an_event_without_its_end_is_not_given_out() {
        let mut events = Events::default();
        assert!(events.push("data: half").is_empty());
        assert_eq!(events.push("\n\n"), ["half"]);
    }
}
