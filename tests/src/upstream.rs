//! A scripted provider: speaks the vendors' true wire formats, and misbehaves as it is told.
//!
//! It generates text, plain and streamed, as OpenAI (chat completions, responses), Anthropic
//! (messages), Google (`generateContent`) and Amazon Bedrock (`converse`) do, and answers what
//! stands beside: token counts, embeddings, ranks, moderations, pictures, speech, transcriptions,
//! files and batches.
//! Which of them is told by the path's end, so any base URL works. Without a script an answer
//! repeats the question; words count as tokens. Scripts are kept by model name, so that tests can
//! share one provider and still run beside each other:
//!
//! | | |
//! |---|---|
//! | `POST /_script` | sets the [`Script`] for `match` (a model, a key or everything) |
//! | `POST /_script/{model}` | sets it for one model |
//! | `DELETE /_script`, `DELETE /_script/{model}` | back to the default |
//! | `GET /_requests`, `GET /_requests/{model}` | what came in, headers and bodies, oldest first |
//! | `DELETE /_requests` | forgets that, and the counts |
//! | `GET /_counts` | calls begun, ended, and cut off by the client |

mod answer;
mod auth;
mod beside;
mod chat;
mod converse;
mod dialect;
mod embeddings;
mod eventstream;
mod gemini;
mod keep;
mod messages;
mod multipart;
mod question;
mod respond;
mod responses;
mod route;
mod script;
mod serve;
mod sigv4;
mod stamp;
mod state;

pub use auth::Key;
pub use script::{Match, Script, ScriptedUsage, ToolCall, Usage};
pub use serve::Upstream;
pub use stamp::{STAMP, sent_ago};
pub use state::{Counts, Manner, Received, Served};
