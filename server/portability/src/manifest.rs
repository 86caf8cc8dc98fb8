//! The manifest: what is in an archive, and what is not. It is the archive's last file.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// The archive's form; another number where a reader of this one would read it wrongly.
pub const FORM: u32 = 1;

/// Its files that are no tables.
pub(crate) const README: &str = "README.txt";
pub(crate) const LOG: &str = "audit/log.jsonl";
pub(crate) const DISCLOSURES: &str = "audit/disclosures.jsonl";
/// The folder of tables.
pub(crate) const TABLES: &str = "tables/";
pub(crate) const MANIFEST: &str = "manifest.json";

/// What an archive says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// The archive's form.
    pub ralex_org_export: u32,
    /// The version of the program that wrote it, and of its tables.
    pub program: String,
    pub schema: i64,
    pub org: ExportedOrg,
    /// The moment of which all tables are.
    pub taken_at: DateTime<Utc>,
    pub audit: ExportedLog,
    /// Every file but this one, in the order of the archive.
    pub files: Vec<ExportedFile>,
    /// What is not in it, and why.
    pub withheld: BTreeMap<String, String>,
}

/// Whose archive it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExportedOrg {
    pub id: String,
    pub slug: String,
    pub name: String,
}

/// How far the log in it goes: it has a record of whatever the tables show.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExportedLog {
    pub tree_size: u64,
    /// The signed root, in base64.
    pub root: String,
}

/// A file of an archive.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExportedFile {
    pub path: String,
    /// Lines, of which each is one row.
    pub rows: u64,
    pub bytes: u64,
    /// In hexadecimal.
    pub sha256: String,
}
