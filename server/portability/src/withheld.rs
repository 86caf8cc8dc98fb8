//! What an export does not have, and why: `policies/export/withheld.toml`.

use std::collections::BTreeMap;

use ralex_kernel::{Code, Problem};
use serde::Deserialize;

const FILE: &str = include_str!("../../../policies/export/withheld.toml");

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    withheld: BTreeMap<String, String>,
}

/// By table, or by table and column, the reason.
pub(crate) fn withheld() -> Result<BTreeMap<String, String>, Problem> {
    let file: File = toml::from_str(FILE).map_err(|error| {
        tracing::error!(error = %error, "policies/export/withheld.toml cannot be read: {error}");
        Problem::new(Code::Internal, "The export could not be written; the log says more.")
    })?;
    Ok(file.withheld)
}
