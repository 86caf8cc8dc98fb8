//! The records of reports: asking for one, reading, deleting.

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use ralex_access::{Permission, Scope};
use ralex_api::Page;
use ralex_api::page::PageQuery;
use ralex_api::reports::{
    NewReport, Report, ReportFile, ReportFilters, ReportFormat, ReportKind, ReportMail,
    ReportQuery, ReportSample, ReportState,
};
use ralex_audit::{Author, Event, ReportEvent, record};
use ralex_kernel::{
    Caller, Code, OrgId, Problem, ReportId, ReportScheduleId, ScopePath, Subject, UserId,
};
use ralex_store::problem;
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;

use crate::sample;
use crate::sql::record::{self as sql, New, Stored};
use crate::{Inner, Reports};

/// So many of one organisation may wait.
const MOST_WAITING: i64 = 20;
const USUAL: TimeDelta = TimeDelta::days(30);
/// Before anything of Ralex.
const BEGINNING: &str = "2020-01-01T00:00:00Z";

/// What is asked for beside kind and period, as the database keeps it.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Ask {
    #[serde(default)]
    pub filters: ReportFilters,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sample: Option<ReportSample>,
}

/// What one has to be allowed beside reports themselves: nobody reads in a report what they could not
/// read without it.
pub(crate) const fn needs(kind: ReportKind) -> &'static [Permission] {
    match kind {
        ReportKind::AccessReview => {
            &[Permission::MemberRead, Permission::TokenRead, Permission::AuditRead]
        }
        ReportKind::KeyLifecycle => {
            &[Permission::SecretRead, Permission::TokenRead, Permission::AuditRead]
        }
        ReportKind::AuditExtract => &[Permission::AuditExport],
        ReportKind::DataSubject => {
            &[Permission::MemberRead, Permission::CallRead, Permission::AuditRead]
        }
        ReportKind::AiRegister => {
            &[Permission::UsageRead, Permission::ModelRead, Permission::GuardrailRead]
        }
        ReportKind::ControlHealth => &[Permission::AuditRead],
    }
}

impl Reports {
    /// Asks for a report, which is made in the background.
    pub async fn create(&self, scope: &Scope, new: NewReport) -> Result<Report, Problem> {
        let (org, person) = (scope.org(), person(scope.caller())?);
        self.0.may_all(scope.caller(), org, new.kind).await?;
        let formats = check(new.kind, &new.filters, &new.formats, new.sample.as_ref())?;
        let (from, to) = period(&new, self.0.clock.now())?;
        let ask = Ask { filters: new.filters, sample: new.sample.map(seeded) };
        let id = ReportId::generate();
        let row = New {
            id,
            kind: new.kind.as_str(),
            ask: written(&ask)?,
            formats,
            from,
            to,
            asked_by: person,
            schedule: None,
            recipients: Vec::new(),
        };
        let mut tx = self.0.db.tenant(org).await?;
        if sql::under_way(&mut tx, org).await.map_err(problem)? >= MOST_WAITING {
            let detail = format!("{MOST_WAITING} reports wait already; wait for one of them.");
            return Err(Problem::new(Code::Conflict, detail));
        }
        insert(&mut tx, scope.author(), &row, &ask).await?;
        let made = one(&mut tx, org, id).await?;
        tx.commit().await.map_err(problem)?;
        self.0.wanted.notify_one();
        made.shown()
    }

    /// The newest first, of the kinds that the caller may read.
    pub async fn list(&self, scope: &Scope, query: &ReportQuery) -> Result<Page<Report>, Problem> {
        let org = scope.org();
        let page = PageQuery { cursor: query.cursor.clone(), limit: query.limit };
        let mut kinds = Vec::new();
        for kind in ReportKind::ALL.iter().filter(|kind| query.kind.is_none_or(|it| it == **kind)) {
            let caller = scope.caller();
            let brought = |it: &Permission| caller.narrowed.is_none_or(|only| only.contains(*it));
            if needs(*kind).iter().all(brought) && self.0.may(caller.subject, org, *kind).await? {
                kinds.push(kind.as_str().to_owned());
            }
        }
        let mut tx = self.0.db.tenant(org).await?;
        let rows = sql::list(&mut tx, org, (None, &kinds), page.after()?, page.size() + 1).await;
        let rows = rows.map_err(problem)?;
        tx.rollback().await.map_err(problem)?;
        let reports = rows.into_iter().map(Stored::shown).collect::<Result<Vec<_>, _>>()?;
        Ok(Page::of(reports, page.size(), |last| last.id.to_string()))
    }

    pub async fn find(&self, scope: &Scope, id: ReportId) -> Result<Report, Problem> {
        let mut tx = self.0.db.tenant(scope.org()).await?;
        let report = one(&mut tx, scope.org(), id).await?.shown()?;
        tx.rollback().await.map_err(problem)?;
        self.0.may_all(scope.caller(), scope.org(), report.kind).await?;
        Ok(report)
    }

    /// Deletes a report and its files; that it was made stays in the audit log.
    pub async fn delete(&self, scope: &Scope, id: ReportId) -> Result<(), Problem> {
        let kind = self.find(scope, id).await?.kind;
        let mut tx = self.0.db.tenant(scope.org()).await?;
        let gone = sql::delete(&mut tx, scope.org(), id).await.map_err(problem)?;
        gone.ok_or_else(|| Problem::not_found("report"))?;
        let event = ReportEvent::Deleted { report: id, kind: kind.as_str(), expired: false };
        record(&mut tx, scope.author(), Event::Report(event)).await.map_err(problem)?;
        tx.commit().await.map_err(problem)
    }
}

impl Inner {
    /// Whether somebody may read all that a kind of report shows.
    pub async fn may(
        &self,
        subject: Subject,
        org: OrgId,
        kind: ReportKind,
    ) -> Result<bool, Problem> {
        for permission in needs(kind) {
            let judged = self.access.judge(subject, org, *permission, ScopePath::Org);
            if !judged.await?.is_allowed() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The same, with the refusal on record where there is one.
    pub async fn may_all(
        &self,
        caller: &Caller,
        org: OrgId,
        kind: ReportKind,
    ) -> Result<(), Problem> {
        for permission in needs(kind) {
            self.access.allow(caller, org, *permission, ScopePath::Org).await?;
        }
        Ok(())
    }
}

/// Writes a report down with its event. False where its schedule has this period already.
pub(crate) async fn insert(
    conn: &mut PgConnection,
    author: &Author,
    new: &New<'_>,
    ask: &Ask,
) -> Result<bool, Problem> {
    if !sql::insert(conn, author.org, new).await.map_err(problem)? {
        return Ok(false);
    }
    let kind = ReportKind::named(new.kind).ok_or_else(unknown)?;
    let event = ReportEvent::Asked {
        report: new.id,
        kind: kind.as_str(),
        from: new.from.to_rfc3339_opts(SecondsFormat::AutoSi, true),
        to: new.to.to_rfc3339_opts(SecondsFormat::AutoSi, true),
        filtered: ask.filters != ReportFilters::default(),
        sample: ask.sample.as_ref().map(|sample| sample.size),
        schedule: new.schedule,
    };
    record(conn, author, Event::Report(event)).await.map_err(problem)?;
    Ok(true)
}

async fn one(conn: &mut PgConnection, org: OrgId, id: ReportId) -> Result<Stored, Problem> {
    let kinds: Vec<String> = ReportKind::ALL.iter().map(|kind| kind.as_str().to_owned()).collect();
    let found = sql::list(conn, org, (Some(id), &kinds), None, 1).await.map_err(problem)?;
    found.into_iter().next().ok_or_else(|| Problem::not_found("report"))
}

/// Reports are made with a person's rights, so a person has to ask.
pub(crate) fn person(caller: &Caller) -> Result<UserId, Problem> {
    caller.subject.user().ok_or_else(|| {
        let detail = "Only people ask for reports, in the console or by a personal token.";
        Problem::new(Code::Forbidden, detail)
    })
}

fn period(new: &NewReport, now: DateTime<Utc>) -> Result<(DateTime<Utc>, DateTime<Utc>), Problem> {
    let to = new.to.unwrap_or(now).min(now);
    let usual = match new.kind {
        ReportKind::DataSubject => BEGINNING.parse().unwrap_or(DateTime::UNIX_EPOCH),
        ReportKind::AccessReview
        | ReportKind::KeyLifecycle
        | ReportKind::AuditExtract
        | ReportKind::AiRegister
        | ReportKind::ControlHealth => to - USUAL,
    };
    let from = new.from.unwrap_or(usual);
    if from >= to {
        return Err(Problem::field("from", "must be before `to`, and in the past"));
    }
    if to - from > TimeDelta::days(3_660) {
        return Err(Problem::field("from", "is more than ten years before `to`"));
    }
    Ok((from, to))
}

/// The formats that are asked for, where everything that is asked for goes together.
pub(crate) fn check(
    kind: ReportKind,
    filters: &ReportFilters,
    formats: &[ReportFormat],
    sample: Option<&ReportSample>,
) -> Result<Vec<String>, Problem> {
    let by_team = matches!(kind, ReportKind::AccessReview | ReportKind::AiRegister);
    let extract = kind == ReportKind::AuditExtract;
    let person = kind == ReportKind::DataSubject;
    let given = [
        ("team", &filters.team, by_team),
        ("person", &filters.person, person),
        ("actor", &filters.actor, extract),
        ("action", &filters.action, extract),
        ("target", &filters.target, extract),
        ("outcome", &filters.outcome, extract),
    ];
    for (name, value, fits) in given {
        let Some(value) = value else { continue };
        let field = format!("filters.{name}");
        if !fits {
            return Err(Problem::field(&field, format!("is not for {}", kind.title())));
        }
        if value.is_empty() || value.len() > 200 {
            return Err(Problem::field(&field, "must have 1 to 200 letters"));
        }
    }
    if person && filters.person.is_none() {
        return Err(Problem::field("filters.person", "is needed: whom the pack is about"));
    }
    if let Some(sample) = sample {
        if !kind.samples() {
            return Err(Problem::field("sample", format!("is not for {}", kind.title())));
        }
        if !(1..=sample::MOST).contains(&sample.size) {
            let rule = format!("must be between 1 and {}", sample::MOST);
            return Err(Problem::field("sample.size", rule));
        }
        let good = |seed: &String| (1..=64).contains(&seed.len()) && !seed.contains('\n');
        if !sample.seed.as_ref().is_none_or(good) {
            return Err(Problem::field("sample.seed", "must have 1 to 64 letters, on one line"));
        }
    }
    let all = kind.formats();
    if let Some(format) = formats.iter().find(|format| !all.contains(format)) {
        return Err(Problem::field("formats", format!("{} has no {format}", kind.title())));
    }
    let wanted = all.iter().filter(|it| formats.is_empty() || formats.contains(it));
    let mut names: Vec<String> = wanted.map(|it| it.as_str().to_owned()).collect();
    // What the hash on the cover is of.
    if !names.iter().any(|name| name == "json") {
        names.push("json".to_owned());
    }
    Ok(names)
}

/// With a seed, drawn where none was given, so that it is known before anything is selected.
fn seeded(sample: ReportSample) -> ReportSample {
    ReportSample { seed: sample.seed.or_else(|| Some(sample::draw())), ..sample }
}

pub(crate) fn written(ask: &Ask) -> Result<serde_json::Value, Problem> {
    serde_json::to_value(ask).map_err(|_| unknown())
}

pub(crate) fn unknown() -> Problem {
    Problem::new(Code::Internal, "This report is of a form that this server does not know.")
}

fn number(stored: i64) -> u64 {
    u64::try_from(stored).unwrap_or(0)
}

pub(crate) fn formats(names: &[String]) -> Vec<ReportFormat> {
    names.iter().filter_map(|name| ReportFormat::named(name)).collect()
}

impl Stored {
    fn shown(self) -> Result<Report, Problem> {
        let kind = ReportKind::named(&self.kind).ok_or_else(unknown)?;
        let ask: Ask = serde_json::from_value(self.ask).map_err(|_| unknown())?;
        let files = self.file_formats.iter().zip(&self.file_bytes).zip(&self.file_hashes);
        let files = files.filter_map(|((format, bytes), hash)| {
            let format = ReportFormat::named(format)?;
            Some(ReportFile { format, bytes: number(*bytes), sha256: hash.clone() })
        });
        let root = self
            .root
            .map(|root| base64::Engine::encode(&base64::engine::general_purpose::STANDARD, root));
        let sample = ask.sample.map(|it| ReportSample { seed: self.seed.or(it.seed), ..it });
        Ok(Report {
            id: self.id,
            kind,
            title: kind.title().to_owned(),
            state: ReportState::named(&self.state).ok_or_else(unknown)?,
            percent: u8::try_from(self.percent).unwrap_or(0),
            step: self.step,
            failure: self.failure,
            from: self.from_at,
            to: self.to_at,
            filters: ask.filters,
            sample,
            population: self.population.map(number),
            formats: formats(&self.formats),
            asked_by: self.asker,
            asked_at: self.asked_at,
            ended_at: self.ended_at,
            rows: self.row_count.map(number),
            tree_size: self.tree_size.map(number),
            root,
            key: self.key,
            files: files.collect(),
            schedule: self.schedule_id as Option<ReportScheduleId>,
            recipients: self.recipients,
            mail: self.mail.as_deref().and_then(ReportMail::named),
            mail_failure: self.mail_why,
            expires_at: self.expires_at,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_go_together_is_refused_by_the_field_that_does_not_fit() {
        let team = ReportFilters { team: Some("core".to_owned()), ..ReportFilters::default() };
        let path =
            |result: Result<Vec<String>, Problem>| result.unwrap_err().errors[0].path.clone();
        let none = ReportFilters::default();
        assert_eq!(path(check(ReportKind::KeyLifecycle, &team, &[], None)), "filters.team");
        assert_eq!(path(check(ReportKind::DataSubject, &none, &[], None)), "filters.person");
        let sample = ReportSample { size: 0, seed: None };
        let extract = ReportKind::AuditExtract;
        assert_eq!(path(check(extract, &none, &[], Some(&sample))), "sample.size");
        let health = ReportKind::ControlHealth;
        assert_eq!(path(check(health, &none, &[], Some(&sample))), "sample");
        assert_eq!(path(check(health, &none, &[ReportFormat::Bundle], None)), "formats");
        assert_eq!(check(extract, &none, &[], None).unwrap(), ["pdf", "csv", "json", "bundle"]);
        assert_eq!(check(health, &none, &[ReportFormat::Pdf], None).unwrap(), ["pdf", "json"]);
    }
}
