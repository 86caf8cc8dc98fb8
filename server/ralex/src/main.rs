//! Ralex: the control plane for every agent and model call of a company, in one binary.

mod audit_log;
mod cli;
mod database;
mod first_start;
mod http;
mod limits;
mod listen;
mod logging;
mod overview;
mod say;
mod serve;
mod settings;
mod shutdown;
mod upkeep;

use std::collections::BTreeMap;
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // Settings are read here, once; nothing below asks the environment.
    // Beside what is ours it matters where somebody's files are, and who they are.
    let is_asked = |name: &str| {
        name.starts_with("RALEX_") || ["HOME", "XDG_CONFIG_HOME", "USER"].contains(&name)
    };
    let environment: BTreeMap<String, String> =
        std::env::vars().filter(|(name, _)| is_asked(name)).collect();
    cli::run(std::env::args_os(), &environment)
}
