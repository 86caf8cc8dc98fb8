//! A verdict in words, and for programs.

use chrono::{DateTime, SecondsFormat};
use ralex_audit::offline::{Finding, Verdict};

pub fn sentence(verdict: &Verdict) -> String {
    match verdict.finding {
        Finding::Good
            if verdict.text.is_some() || verdict.leaves == 0 && verdict.keys.is_empty() =>
        {
            proof(verdict)
        }
        Finding::Good if verdict.disclosed.is_some() => {
            let (told, of) = verdict.disclosed.unwrap_or_default();
            format!(
                "{}\n  told  {told} of {of} personal values, each as committed to",
                bundle(verdict)
            )
        }
        Finding::Good => bundle(verdict),
        Finding::Tampered => {
            let index = verdict.first_bad_index.unwrap_or(0);
            format!("tampered: first bad index {index} (line {}): {}", verdict.line, verdict.reason)
        }
        Finding::Incomplete => format!("incomplete: {} (line {})", verdict.reason, verdict.line),
    }
}

fn bundle(verdict: &Verdict) -> String {
    let Verdict { leaves, events, tree_size, root, origin, key, first_index, .. } = verdict;
    let from = if *first_index == 0 { String::new() } else { format!(" (from {first_index} on)") };
    let trust = if verdict.key_was_given {
        "the key that you named, or one that followed it"
    } else {
        "the key that the bundle names; compare it with one that you noted"
    };
    let earlier = verdict.keys.len().saturating_sub(1);
    let before = if earlier == 0 { String::new() } else { format!(" (after {earlier} earlier)") };
    let anchored = if verdict.anchored { "\n  held  in the deployment's log" } else { "" };
    let unchanged = if verdict.reason.ends_with("stand unchanged.") {
        verdict
            .reason
            .rsplit_once(". ")
            .map_or(String::new(), |(_, told)| format!("\n  since {told}"))
    } else {
        String::new()
    };
    format!(
        "good: {leaves} of {tree_size} leaves{from}, {events} with their events\n  log   {origin}\n  root  {root}\n  key   {key}{before}\n  by    {trust}{anchored}{}{unchanged}",
        seen(verdict)
    )
}

fn proof(verdict: &Verdict) -> String {
    let Verdict { tree_size, root, origin, key, reason, .. } = verdict;
    let reason = reason.strip_prefix("Good: ").unwrap_or(reason);
    let text = verdict
        .text
        .as_ref()
        .map_or(String::new(), |text| format!("\n  text  {}", text.trim_end()));
    format!(
        "good: {reason}\n  log   {origin}\n  tree  {tree_size} leaves\n  root  {root}\n  key   {key}{}{text}",
        seen(verdict)
    )
}

fn seen(verdict: &Verdict) -> String {
    let witnesses = verdict.witnesses.iter();
    let lines: Vec<_> =
        witnesses.map(|(name, at)| format!("\n  seen  by {name} at {}", written(*at))).collect();
    lines.concat()
}

fn written(seconds: u64) -> String {
    i64::try_from(seconds)
        .ok()
        .and_then(|seconds| DateTime::from_timestamp(seconds, 0))
        .map_or_else(|| seconds.to_string(), |at| at.to_rfc3339_opts(SecondsFormat::Secs, true))
}

pub fn json(verdict: &Verdict) -> String {
    let witnesses: Vec<_> = verdict
        .witnesses
        .iter()
        .map(|(name, at)| serde_json::json!({ "name": name, "signed_at": written(*at) }))
        .collect();
    serde_json::json!({
        "finding": match verdict.finding {
            Finding::Good => "good",
            Finding::Tampered => "tampered",
            Finding::Incomplete => "incomplete",
        },
        "origin": verdict.origin,
        "tree_size": verdict.tree_size,
        "root": verdict.root,
        "first_index": verdict.first_index,
        "leaves": verdict.leaves,
        "events": verdict.events,
        "filtered": verdict.filtered,
        "pruned": verdict.pruned,
        "key": verdict.key,
        "keys": verdict.keys,
        "key_was_given": verdict.key_was_given,
        "anchored": verdict.anchored,
        "witnesses": witnesses,
        "index": verdict.index,
        "text": verdict.text,
        "disclosed": verdict.disclosed.map(|(told, of)| serde_json::json!({ "values": told, "of": of })),
        "first_bad_index": verdict.first_bad_index,
        "line": verdict.line,
        "reason": verdict.reason,
    })
    .to_string()
}
