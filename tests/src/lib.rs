//! Black-box suites: the real binary, and the scripted provider that they all use.

pub mod app;
pub mod authenticator;
pub mod bench;
pub mod drill;
pub mod idp;
pub mod rig;
pub mod torture;
pub mod upstream;
