//! The command line that repeats a call.

use serde_json::Value;

/// A `curl` that sends `body` to `path` of this server, ready to paste into a shell.
pub fn command(origin: &str, path: &str, body: &Value) -> String {
    let body = serde_json::to_string_pretty(body).unwrap_or_default();
    format!(
        "curl -N {} \\\n  -H \"Authorization: Bearer $RALEX_TOKEN\" \\\n  -H 'Content-Type: application/json' \\\n  -d {}",
        quoted(&format!("{origin}{path}")),
        quoted(&body),
    )
}

/// Single quotes, so that a shell changes nothing of what stands inside.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quote_in_the_message_stays_in_the_message() {
        let body = serde_json::json!({ "content": "it's; rm -rf $HOME" });
        let command = command("http://localhost", "/v1/x", &body);
        assert!(command.contains(r"it'\''s; rm -rf $HOME"), "{command}");
        assert!(command.starts_with("curl -N 'http://localhost/v1/x'"));
    }
}
