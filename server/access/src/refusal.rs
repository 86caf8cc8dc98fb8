//! Why policies cannot be used.

use std::path::PathBuf;

use crate::policies::DEEPEST;

/// Why policies cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    #[error("{} cannot be read: {source}", path.display())]
    Unreadable { path: PathBuf, source: std::io::Error },
    #[error("{file} is not what it should be: {reason}")]
    Malformed { file: &'static str, reason: String },
    #[error(
        "roles.csv, line {line}: \"{text}\" is not \"g2, role:NAME, role:NAME|perm:NAME|bind:NAME\""
    )]
    NotALine { line: usize, text: String },
    #[error("roles.csv, line {line}: {reason}")]
    BadName { line: usize, reason: String },
    #[error("roles.csv: the role \"{0}\" is named, but has no line of its own")]
    UnknownRole(String),
    #[error("roles.csv: the role \"{0}\" holds itself, through {1}")]
    Cycle(String, String),
    #[error("roles.csv: the role \"{0}\" is more than {DEEPEST} roles deep")]
    TooDeep(String),
    #[error("four-eyes.toml: {0}")]
    Marks(String),
    #[error("break-glass.toml: {0}")]
    Never(String),
    #[error("the built-in role \"{0}\" is missing")]
    MissingRole(&'static str),
    #[error("roles.toml: the role \"{0}\" stands in only one of roles.toml and roles.csv")]
    Untold(String),
    #[error(
        "permissions.toml: \"{0}\" stands there but not in the program, or the other way round"
    )]
    Permissions(String),
    #[error(
        "model.conf: differs from the model of this program; roles may be changed, the model not"
    )]
    Model,
}
