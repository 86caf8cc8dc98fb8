//! Why an answer ended, in the words of both dialects.

/// A message's stop reason as a chat completion's finish reason.
pub(crate) fn to_chat(stop_reason: Option<&str>) -> &'static str {
    match stop_reason {
        Some("max_tokens" | "model_context_window_exceeded") => "length",
        Some("tool_use") => "tool_calls",
        Some("refusal") => "content_filter",
        // `end_turn`, `stop_sequence`, `pause_turn`: nothing is amiss.
        Some(_) | None => "stop",
    }
}

/// A chat completion's finish reason as a message's stop reason.
pub(crate) fn to_message(finish_reason: Option<&str>) -> &'static str {
    match finish_reason {
        Some("length") => "max_tokens",
        Some("tool_calls" | "function_call") => "tool_use",
        Some("content_filter") => "refusal",
        Some(_) | None => "end_turn",
    }
}
