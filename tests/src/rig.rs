//! What measures Ralex from outside: the binary as a process, an organisation set up through the
//! API, and a client so light that it may share the machine with what it measures.

mod api;
mod folder;
mod org;
pub mod proof;
mod server;
mod wire;

pub use api::Api;
pub use folder::{Folder, in_target};
pub use org::{Governed, Limits, MAX_OUTPUT, Tariff};
pub use server::{
    Server, allow_many_connections, beside_this_program, children, command, resident, signal,
};
pub use wire::{Request, Seen, Wire};
