//! Schedules: reports that are asked for again and again, each period once.

use chrono_tz::Tz;
use ralex_access::Scope;
use ralex_api::reports::{
    NewReportSchedule, ReportEvery, ReportKind, ReportSchedule, ReportSchedules,
    UpdateReportSchedule,
};
use ralex_audit::{Author, Event, ReportEvent, record};
use ralex_kernel::{Code, Email, Name, OrgId, Problem, ReportId, ReportScheduleId};
use ralex_store::{Leadership, OnConstraint, problem};
use sqlx::PgConnection;
use tokio::sync::Mutex;

use crate::Reports;
use crate::calendar::Calendar;
use crate::report::{Ask, check, formats, insert, person, unknown, written};
use crate::sql::record::New;
use crate::sql::schedule::{self as sql, Stored};

const MOST: usize = 50;
const MOST_RECIPIENTS: usize = 20;
/// So many that were missed are made up for at once; the rest follows.
const AT_ONCE: usize = 50;

impl Reports {
    pub async fn schedules(&self, scope: &Scope) -> Result<ReportSchedules, Problem> {
        let mut tx = self.0.db.tenant(scope.org()).await?;
        let rows = sql::list(&mut tx, scope.org(), None).await.map_err(problem)?;
        tx.rollback().await.map_err(problem)?;
        let items = rows.into_iter().map(Stored::shown).collect::<Result<_, _>>()?;
        Ok(ReportSchedules { items, mail: self.0.mailer.is_set_up() })
    }

    pub async fn create_schedule(
        &self,
        scope: &Scope,
        new: NewReportSchedule,
    ) -> Result<ReportSchedule, Problem> {
        let (org, made_by) = (scope.org(), person(scope.caller())?);
        self.0.may_all(scope.caller(), org, new.kind).await?;
        if new.kind == ReportKind::DataSubject {
            return Err(Problem::field("kind", "is about one person, who asks once"));
        }
        let formats = check(new.kind, &new.filters, &new.formats, new.sample.as_ref())?;
        recipients(&new.recipients)?;
        let time_zone = new.time_zone.unwrap_or_else(|| "UTC".to_owned());
        let calendar = calendar(new.every, new.day, new.hour, &time_zone)?;
        let stored = Stored {
            org,
            id: ReportScheduleId::generate(),
            name: new.name.as_str().to_owned(),
            kind: new.kind.as_str().to_owned(),
            ask: written(&Ask { filters: new.filters, sample: new.sample })?,
            formats,
            every: new.every.as_str().to_owned(),
            day: new.day.into(),
            hour: new.hour.into(),
            time_zone: time_zone.clone(),
            recipients: new.recipients.iter().map(|it| it.as_str().to_owned()).collect(),
            enabled: true,
            made_by,
            maker: String::new(),
            created_at: self.0.clock.now(),
            next_at: calendar.next(self.0.clock.now()),
            reopened_at: None,
        };
        let mut tx = self.0.db.tenant(org).await?;
        if sql::list(&mut tx, org, None).await.map_err(problem)?.len() >= MOST {
            let detail = format!("There are {MOST} schedules already; delete one first.");
            return Err(Problem::new(Code::Conflict, detail));
        }
        let taken =
            || Taken(Problem::new(Code::AlreadyExists, "A schedule has this name already."));
        sql::insert(&mut tx, &stored)
            .await
            .on_constraint("report_schedule_name_taken", taken())
            .map_err(|taken| taken.0)?;
        let event = ReportEvent::ScheduleCreated {
            schedule: stored.id,
            name: new.name,
            kind: new.kind.as_str(),
            every: new.every.as_str(),
            day: new.day,
            hour: new.hour,
            time_zone,
            recipients: new.recipients,
        };
        record(&mut tx, scope.author(), Event::Report(event)).await.map_err(problem)?;
        let made = one(&mut tx, org, stored.id).await?;
        tx.commit().await.map_err(problem)?;
        made.shown()
    }

    pub async fn update_schedule(
        &self,
        scope: &Scope,
        id: ReportScheduleId,
        change: UpdateReportSchedule,
    ) -> Result<ReportSchedule, Problem> {
        let org = scope.org();
        let mut tx = self.0.db.tenant(org).await?;
        let mut stored = one(&mut tx, org, id).await?;
        let kind = ReportKind::named(&stored.kind).ok_or_else(unknown)?;
        self.0.may_all(scope.caller(), org, kind).await?;
        if let Some(list) = &change.recipients {
            recipients(list)?;
            stored.recipients = list.iter().map(|it| it.as_str().to_owned()).collect();
        }
        let every = ReportEvery::named(&stored.every).ok_or_else(unknown)?;
        let day = change.day.unwrap_or_else(|| small(stored.day));
        let hour = change.hour.unwrap_or_else(|| small(stored.hour));
        let calendar = calendar(every, day, hour, &stored.time_zone)?;
        // What was missed while it was off stays so.
        let on_again = change.enabled == Some(true) && !stored.enabled;
        if on_again || change.day.is_some() || change.hour.is_some() {
            stored.next_at = calendar.next(self.0.clock.now());
        }
        (stored.day, stored.hour) = (day.into(), hour.into());
        stored.enabled = change.enabled.unwrap_or(stored.enabled);
        sql::update(&mut tx, &stored).await.map_err(problem)?;
        let event = ReportEvent::ScheduleUpdated {
            schedule: id,
            day,
            hour,
            recipients: stored.recipients.iter().filter_map(|it| it.parse().ok()).collect(),
            enabled: stored.enabled,
        };
        record(&mut tx, scope.author(), Event::Report(event)).await.map_err(problem)?;
        let changed = one(&mut tx, org, id).await?;
        tx.commit().await.map_err(problem)?;
        changed.shown()
    }

    /// Asks no more; reports that it made stay.
    pub async fn delete_schedule(
        &self,
        scope: &Scope,
        id: ReportScheduleId,
    ) -> Result<(), Problem> {
        let mut tx = self.0.db.tenant(scope.org()).await?;
        let gone = sql::delete(&mut tx, scope.org(), id).await.map_err(problem)?;
        let name = gone.ok_or_else(|| Problem::not_found("schedule"))?;
        let name: Name = name.parse().map_err(|_| unknown())?;
        let event = ReportEvent::ScheduleDeleted { schedule: id, name };
        record(&mut tx, scope.author(), Event::Report(event)).await.map_err(problem)?;
        tx.commit().await.map_err(problem)
    }

    /// Asks for what schedules say is due, also for what was missed while no server ran.
    pub(crate) async fn ask_for_scheduled(&self, lead: &Mutex<Leadership>) -> Result<(), Problem> {
        for _ in 0..AT_ONCE {
            let mut tx = self.0.db.system("ask for scheduled reports").await?;
            let due = sql::due(&mut tx, self.0.clock.now()).await.map_err(problem)?;
            let Some(due) = due else { return tx.rollback().await.map_err(problem) };
            lead.lock().await.check(&mut tx).await?;
            let every = ReportEvery::named(&due.every).ok_or_else(unknown)?;
            let calendar = calendar(every, small(due.day), small(due.hour), &due.time_zone)?;
            // What was missed while the organisation was closed is made up for once, by the last of it.
            let at = due.reopened_at.map_or(due.next_at, |open| calendar.last(due.next_at, open));
            let (from, to) = calendar.ended(at);
            let ask: Ask = serde_json::from_value(due.ask.clone()).map_err(|_| unknown())?;
            let row = New {
                id: ReportId::generate(),
                kind: &due.kind,
                ask: due.ask.clone(),
                formats: due.formats.clone(),
                from,
                to,
                asked_by: due.made_by,
                schedule: Some(due.id),
                recipients: due.recipients.clone(),
            };
            insert(&mut tx, &Author::system(due.org), &row, &ask).await?;
            let next = calendar.next(at);
            sql::set_next(&mut tx, &due, next).await.map_err(problem)?;
            tx.commit().await.map_err(problem)?;
        }
        Ok(())
    }
}

/// A refusal of the database, in the caller's words.
struct Taken(Problem);

impl From<sqlx::Error> for Taken {
    fn from(error: sqlx::Error) -> Self {
        Self(problem(error))
    }
}

async fn one(conn: &mut PgConnection, org: OrgId, id: ReportScheduleId) -> Result<Stored, Problem> {
    let found = sql::list(conn, org, Some(id)).await.map_err(problem)?;
    found.into_iter().next().ok_or_else(|| Problem::not_found("schedule"))
}

fn small(number: i16) -> u8 {
    u8::try_from(number).unwrap_or(0)
}

fn recipients(list: &[Email]) -> Result<(), Problem> {
    if list.len() > MOST_RECIPIENTS {
        return Err(Problem::field("recipients", format!("are more than {MOST_RECIPIENTS}")));
    }
    Ok(())
}

fn calendar(every: ReportEvery, day: u8, hour: u8, zone: &str) -> Result<Calendar, Problem> {
    let last = match every {
        ReportEvery::Week => 7,
        ReportEvery::Month | ReportEvery::Quarter => 28,
    };
    if !(1..=last).contains(&day) {
        return Err(Problem::field("day", format!("must be between 1 and {last}")));
    }
    if hour > 23 {
        return Err(Problem::field("hour", "must be between 0 and 23"));
    }
    let zone: Tz = zone.parse().map_err(|_| {
        Problem::field("time_zone", "must be an IANA name such as \"Europe/Berlin\"")
    })?;
    Ok(Calendar { every, day, hour, zone })
}

impl Stored {
    fn shown(self) -> Result<ReportSchedule, Problem> {
        let kind = ReportKind::named(&self.kind).ok_or_else(unknown)?;
        let ask: Ask = serde_json::from_value(self.ask).map_err(|_| unknown())?;
        Ok(ReportSchedule {
            id: self.id,
            name: self.name.parse().map_err(|_| unknown())?,
            kind,
            title: kind.title().to_owned(),
            every: ReportEvery::named(&self.every).ok_or_else(unknown)?,
            day: small(self.day),
            hour: small(self.hour),
            time_zone: self.time_zone,
            filters: ask.filters,
            sample: ask.sample,
            formats: formats(&self.formats),
            recipients: self.recipients,
            enabled: self.enabled,
            made_by: self.maker,
            created_at: self.created_at,
            next_at: self.next_at,
        })
    }
}
