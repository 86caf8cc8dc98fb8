//! The command line that repeats a call.

use serde_json::Value;

use super::json;

/// A `curl` that sends `body` to `url` with these headers, ready to paste into a shell.
pub fn command(url: &str, headers: &[(&str, &str)], body: &Value) -> String {
    let fields =
        body.as_object().into_iter().flatten().map(|(name, value)| {
            format!("  \"{name}\": {}", json::compact(value).unwrap_or_default())
        });
    let body = format!("{{\n{}\n}}", fields.collect::<Vec<_>>().join(",\n"));
    let mut lines = vec![
        format!("curl -N {}", quoted(url)),
        "  -H \"Authorization: Bearer $RALEX_TOKEN\"".to_owned(),
        "  -H 'Content-Type: application/json'".to_owned(),
    ];
    lines.extend(
        headers.iter().map(|(name, value)| format!("  -H {}", quoted(&format!("{name}: {value}")))),
    );
    lines.push(format!("  -d {}", quoted(&body)));
    lines.join(" \\\n")
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
        let command = command("http://localhost/v1/x", &[("x-ralex-org", "acme")], &body);
        assert!(command.contains("-d '{\n  \"content\": \"it"), "{command}");
        assert!(command.contains(r"it'\''s; rm -rf $HOME"), "{command}");
        assert!(command.starts_with("curl -N 'http://localhost/v1/x' \\\n  -H"), "{command}");
        assert!(command.contains("-H 'x-ralex-org: acme'"), "{command}");
    }
}
