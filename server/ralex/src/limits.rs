//! What the operating system lets this process do, raised as far as it allows.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tracing::{info, warn};

/// Below this, a few hundred open streams use up all descriptors.
const ENOUGH: u64 = 8192;

/// Allows as many open files as the hard limit does: an open stream takes two, one on each side.
pub fn raise_open_files() {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: maximum, maximum };
    let now = if setrlimit(Resource::Nofile, raised).is_ok() { maximum } else { current };
    match now {
        Some(files) if files < ENOUGH => {
            warn!(
                "only {files} files may be open, so about {} streams; raise the limit",
                files / 2
            );
        }
        Some(files) => info!("up to {files} files may be open"),
        None => {}
    }
}

/// Keeps secrets out of core files: a crash writes none.
pub fn forbid_core_files() {
    let none = Rlimit { current: Some(0), maximum: Some(0) };
    if setrlimit(Resource::Core, none).is_err() {
        warn!("core files could not be switched off; one would hold secrets");
    }
}
