//! Black-box suites, and the scripted provider that they all use.

pub mod upstream;
