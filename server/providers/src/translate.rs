//! Between the two dialects: a request one way, its answer the other way.
//!
//! `request_*` build the upstream's body, `response` its whole answer, `stream_*` its events.
//! Every field of a request is carried, known to be harmless ([`refuse`] has the one table), or
//! refused by name.

mod reason;
mod refuse;
mod request_to_chat;
mod request_to_messages;
mod response;
mod stream_to_chat;
mod stream_to_messages;

use ralex_kernel::Problem;

use crate::dialect::Dialect;
use crate::inbound::Inbound;
use crate::json::Object;
use crate::prepare::Target;

pub(crate) use response::{now, response};
pub(crate) use stream_to_chat::MessagesToChat;
pub(crate) use stream_to_messages::ChatToMessages;

/// The body in the other dialect.
pub(crate) fn request(
    inbound: &Inbound,
    target: &Target,
    max_output: u64,
) -> Result<Object, Problem> {
    match inbound.dialect() {
        Dialect::OpenaiChat => request_to_messages::body(inbound, target, max_output),
        Dialect::AnthropicMessages => request_to_chat::body(inbound, target, max_output),
    }
}

#[cfg(test)]
mod tests;
