//! Frameworks and their controls, which are data: `policies/compliance/*.toml`.
//!
//! A control names what an auditor asks for, in our own words, which reports show something of it,
//! and what the system can check by itself. Nothing here says that a control is met.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use ralex_access::Scope;
use ralex_api::reports::{Control, ControlCheck, ControlReport, Framework, Frameworks, ReportKind};
use ralex_kernel::{Code, Problem};
use ralex_store::problem;
use serde::Deserialize;

use crate::Reports;
use crate::check::{Check, Findings};
use crate::sql::record;

const FOLDER: &str = "compliance";
const NOTE: &str = "What Ralex can show for each control, and what it cannot. It is evidence and no \
                    verdict: whether a control is met, an auditor decides. Clauses are told in our own \
                    words; the framework's own text is what counts.";

const BUILT_IN: [(&str, &str); 5] = [
    ("eu_ai_act.toml", include_str!("../../../policies/compliance/eu_ai_act.toml")),
    ("gdpr.toml", include_str!("../../../policies/compliance/gdpr.toml")),
    ("hipaa.toml", include_str!("../../../policies/compliance/hipaa.toml")),
    ("iso27001.toml", include_str!("../../../policies/compliance/iso27001.toml")),
    ("soc2.toml", include_str!("../../../policies/compliance/soc2.toml")),
];

/// All frameworks, by their names.
pub(crate) struct Book(Vec<Written>);

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    name: String,
    title: String,
    edition: String,
    control: Vec<WrittenControl>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenControl {
    clause: String,
    title: String,
    evidence: String,
    #[serde(default)]
    reports: Vec<Shows>,
    #[serde(default)]
    checks: Vec<Check>,
    /// How long the audit log has to be kept for it.
    #[serde(default)]
    retention_days: Option<u32>,
    #[serde(default)]
    beyond: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Shows {
    kind: ReportKind,
    shows: String,
}

impl Book {
    pub fn load(policies: Option<&Path>) -> Result<Self, Problem> {
        let folder = policies.map(|folder| folder.join(FOLDER)).filter(|folder| folder.is_dir());
        let Some(folder) = folder else {
            return Self::read(BUILT_IN.iter().map(|(name, text)| (*name, (*text).to_owned())));
        };
        let unreadable = |error: std::io::Error| {
            let detail = format!("{} cannot be read: {error}", folder.display());
            Problem::new(Code::Internal, detail)
        };
        let mut files = Vec::new();
        for entry in fs::read_dir(&folder).map_err(unreadable)? {
            let path = entry.map_err(unreadable)?.path();
            if path.extension().is_some_and(|ending| ending == "toml") {
                let text = fs::read_to_string(&path).map_err(unreadable)?;
                files.push((path.display().to_string(), text));
            }
        }
        files.sort();
        Self::read(files.iter().map(|(name, text)| (name.as_str(), text.clone())))
    }

    fn read<'a>(files: impl Iterator<Item = (&'a str, String)>) -> Result<Self, Problem> {
        let read = files.map(|(name, text)| {
            toml::from_str::<Written>(&text).map_err(|error| {
                let detail = format!("The compliance policy {name} cannot be read: {error}");
                Problem::new(Code::Internal, detail)
            })
        });
        let mut all = read.collect::<Result<Vec<_>, _>>()?;
        all.sort_by(|a, b| a.title.cmp(&b.title));
        Ok(Self(all))
    }
}

impl Reports {
    /// Every control, with the reports that show something of it and what can be told at this moment.
    pub async fn frameworks(&self, scope: &Scope) -> Result<Frameworks, Problem> {
        let found = Findings::look(&self.0, scope.org()).await?;
        let mut tx = self.0.db.tenant(scope.org()).await?;
        let newest = record::newest(&mut tx, scope.org()).await.map_err(problem)?;
        tx.rollback().await.map_err(problem)?;
        let newest: HashMap<_, _> =
            newest.into_iter().map(|(kind, id, at)| (kind, (id, at))).collect();
        let control = |control: &WrittenControl| Control {
            clause: control.clause.clone(),
            title: control.title.clone(),
            evidence: control.evidence.clone(),
            reports: control
                .reports
                .iter()
                .map(|it| {
                    let newest = newest.get(it.kind.as_str());
                    ControlReport {
                        kind: it.kind,
                        title: it.kind.title().to_owned(),
                        shows: it.shows.clone(),
                        newest: newest.map(|newest| newest.0),
                        newest_at: newest.map(|newest| newest.1),
                    }
                })
                .collect(),
            checks: control
                .checks
                .iter()
                .filter_map(|check| found.of(*check, control.retention_days))
                .map(|finding| ControlCheck {
                    name: finding.check.name().to_owned(),
                    state: finding.state,
                    detail: finding.detail,
                })
                .collect(),
            beyond: control.beyond.clone(),
        };
        let items = self.0.book.0.iter().map(|framework| Framework {
            name: framework.name.clone(),
            title: framework.title.clone(),
            edition: framework.edition.clone(),
            controls: framework.control.iter().map(control).collect(),
        });
        Ok(Frameworks { note: NOTE.to_owned(), items: items.collect() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_control_is_answered_by_something_and_none_claims_to_be_met() {
        let book = Book::load(None).unwrap();
        assert_eq!(book.0.len(), 5);
        for control in book.0.iter().flat_map(|framework| &framework.control) {
            let answered = !control.reports.is_empty()
                || !control.checks.is_empty()
                || control.beyond.is_some();
            assert!(answered, "{}", control.clause);
            let text = format!("{} {} {:?}", control.title, control.evidence, control.beyond);
            for claim in ["complies", "compliant", "conforms", "is met", "certified"] {
                assert!(!text.to_lowercase().contains(claim), "{}: {text}", control.clause);
            }
        }
    }

    #[test]
    fn an_operators_folder_takes_the_place_of_what_is_built_in() {
        let folder = std::env::temp_dir().join(format!("ralex-{}", uuid::Uuid::now_v7()));
        fs::create_dir_all(folder.join(FOLDER)).unwrap();
        let own = "name = \"own\"\ntitle = \"Own\"\nedition = \"1\"\n[[control]]\nclause = \"1\"\n\
                   title = \"Backups\"\nevidence = \"Drills\"\nchecks = [\"backup\"]\n";
        fs::write(folder.join(FOLDER).join("own.toml"), own).unwrap();
        let book = Book::load(Some(&folder)).unwrap();
        assert_eq!(book.0[0].name, "own");
        assert_eq!(book.0[0].control[0].checks, [Check::Backup]);
        fs::write(folder.join(FOLDER).join("own.toml"), "name = 1").unwrap();
        let refused = Book::load(Some(&folder)).err().unwrap();
        assert!(refused.detail.contains("own.toml"), "{}", refused.detail);
        fs::remove_dir_all(folder).unwrap();
    }
}
