//! Providers: what callers and upstreams say on the wire, and how Ralex reaches an upstream.
//!
//! A caller speaks one [`Dialect`], a provider another or the same. [`Inbound`] is a call as it
//! came, [`prepare`] makes the upstream's request of it, [`Client`] sends it and gives an
//! [`Answer`] in the caller's dialect again, whole or as a stream. What is no conversation
//! (embeddings, images, sound, rankings, files) takes the same way by [`prepare_operation`].
//!
//! What always holds: between equal dialects every byte passes that Ralex has no reason to
//! change; between different ones nothing is dropped silently ([`prepare`] refuses it by name);
//! no connection is made to an address that [`EgressPolicy`] refuses; an answer ends with a known
//! [`Usage`], counted here when the upstream does not tell. Dropping a stream ends the upstream's
//! work. This crate knows neither database nor organisation. Used by `routing` and `broker`.

mod address;
mod answer;
mod arguments;
mod auth;
mod client;
mod codec;
mod dialect;
mod distinct;
mod egress;
mod error;
mod event_stream;
mod fetch;
mod file_ids;
mod filter;
mod framing;
mod google;
mod inbound;
mod ir;
mod json;
mod kept_ids;
mod one_call;
mod operation;
mod outline;
mod patience;
mod post;
mod prepare;
mod relay;
mod secure;
mod sigv4;
mod simulated;
mod spec;
mod sse;
mod texts;
mod tokens;
mod tool_use;
mod usage;

pub use answer::{Answer, AnswerStream, Chunk};
pub use client::{Client, Upload};
pub use codec::gemini::JsonArray;
pub use dialect::{Dialect, Operation};
pub use egress::EgressPolicy;
pub use error::{Stop, UpstreamError, error_body, error_event};
pub use fetch::{Ask, Fetched};
pub use filter::{Channel, TextFilter};
pub use inbound::{InPath, Inbound};
pub use operation::line::{Answered, Endpoint, Line, Passed};
pub use operation::{Kept, prepare_operation};
pub use outline::Outline;
pub use patience::{Patience, Timeouts};
pub use post::{Object, Post, Posted, StoreKey};
pub use prepare::{Prepared, Target, prepare};
pub use secure::Tls;
pub use spec::{Auth, BrokenSpec, ProviderSpec, Quirks, RerankForm, Scheme, Speaks, Specs};
pub use sse::{Decoder, Event, MAX_EVENT};
pub use tokens::{IMAGE_TOKENS, MARGIN_PERCENT, UNKNOWN_INPUT, warm_up};
pub use tool_use::ToolUse;
pub use usage::{Allowance, Meter, Usage};
