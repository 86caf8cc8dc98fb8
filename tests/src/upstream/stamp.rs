//! When a piece of a stream was sent, written into it: whoever gets it knows how long it took.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;

/// The place for nanoseconds since 1970 in a piece's text.
pub const STAMP: &str = "@0000000000000000000";

/// The piece with the time of now in its place.
pub(super) fn stamped(piece: &Bytes) -> Bytes {
    let Some(at) = find(piece, STAMP.as_bytes()) else { return piece.clone() };
    let nanos = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
    let stamp = format!("@{nanos:019}");
    let mut piece = piece.to_vec();
    piece.splice(at..at + STAMP.len(), stamp.into_bytes());
    piece.into()
}

/// How long ago the first stamped piece of this text was sent.
#[must_use]
pub fn sent_ago(text: &[u8]) -> Option<Duration> {
    let at = text.iter().position(|&byte| byte == b'@')?;
    let digits = text.get(at + 1..at + STAMP.len())?;
    let nanos = std::str::from_utf8(digits).ok()?.parse().ok()?;
    let sent = UNIX_EPOCH + Duration::from_nanos(nanos);
    SystemTime::now().duration_since(sent).ok()
}

fn find(text: &[u8], needle: &[u8]) -> Option<usize> {
    text.windows(needle.len()).position(|window| window == needle)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_is_read_where_it_was_written() {
        let piece = Bytes::from(format!("data: {{\"text\":\"{STAMP} word\"}}"));
        let stamped = stamped(&piece);
        assert_eq!(stamped.len(), piece.len());
        assert!(sent_ago(&stamped).is_some_and(|ago| ago < Duration::from_secs(5)));
        assert_eq!(sent_ago(b"no stamp"), None);
        assert_eq!(sent_ago(b"cut @12"), None);
    }
}
