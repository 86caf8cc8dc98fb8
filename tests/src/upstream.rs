//! A scripted provider: speaks the true wire formats, and misbehaves as it is told.
//!
//! `POST /v1/chat/completions` and `POST /v1/messages` answer as the vendors do, plain and
//! streamed. Without a script the answer repeats the question and counts words as tokens. Scripts
//! are kept by model name, so that tests can share one provider and still run beside each other:
//!
//! | | |
//! |---|---|
//! | `POST /_script` | sets the [`Script`] for `match` (a model, a key or everything) |
//! | `POST /_script/{model}` | sets it for one model |
//! | `DELETE /_script`, `DELETE /_script/{model}` | back to the default |
//! | `GET /_requests`, `GET /_requests/{model}` | what came in, headers and bodies, oldest first |
//! | `DELETE /_requests` | forgets that, and the counts |
//! | `GET /_counts` | calls begun, ended, and cut off by the client |

mod chat;
mod messages;
mod question;
mod respond;
mod script;
mod serve;
mod state;

pub use script::{Match, Script, ScriptedUsage, ToolCall, Usage};
pub use serve::Upstream;
pub use state::{Counts, Received};
