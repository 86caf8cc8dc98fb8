//! Alerts as people read them.

use chrono::{DateTime, Utc};
use ralex_api::alerts::{AlertKind, AlertState, Severity};
use ralex_kernel::{
    AlertChannelId, AlertDeliveryId, AlertId, AlertRuleId, EventId, OrgId, ProjectId, ScopePath,
    TeamId, UserId,
};
use serde_json::Value;
use sqlx::PgConnection;
use uuid::Uuid;

use super::Result;

/// Which alerts, and for whom.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Filter<'a> {
    pub everywhere: bool,
    pub teams: &'a [TeamId],
    pub projects: &'a [ProjectId],
    pub person: Option<UserId>,
    pub only: Option<AlertId>,
    pub before: Option<AlertId>,
    pub state: Option<AlertState>,
    pub kind: Option<AlertKind>,
    pub least: Option<Severity>,
    pub subject: Option<&'a str>,
    pub unread: bool,
    pub at_most: i64,
}

impl Filter<'_> {
    fn teams(&self) -> Vec<Uuid> {
        self.teams.iter().map(|team| team.uuid()).collect()
    }

    fn projects(&self) -> Vec<Uuid> {
        self.projects.iter().map(|project| project.uuid()).collect()
    }

    fn severities(&self) -> Option<Vec<String>> {
        let least = self.least?;
        let enough = Severity::ALL.iter().filter(|severity| **severity >= least);
        Some(enough.map(ToString::to_string).collect())
    }
}

/// An alert as it is stored.
pub(crate) struct Stored {
    pub id: AlertId,
    pub kind: String,
    pub severity: String,
    pub state: String,
    pub title: String,
    pub subject: String,
    pub subject_name: String,
    pub team: Option<Uuid>,
    pub project: Option<Uuid>,
    pub team_slug: Option<String>,
    pub project_slug: Option<String>,
    pub detail: Value,
    pub occurrences: i64,
    pub raised_at: DateTime<Utc>,
    pub last_at: DateTime<Utc>,
    pub ends_at: Option<DateTime<Utc>>,
    pub event: Option<EventId>,
    pub acknowledged_at: Option<DateTime<Utc>>,
    pub acknowledged_by: Option<String>,
    pub resolved_at: Option<DateTime<Utc>>,
    pub resolved_by: Option<String>,
    pub read: bool,
}

impl Stored {
    pub fn place(&self) -> ScopePath {
        match (self.team, self.project) {
            (Some(team), Some(project)) => {
                ScopePath::Project { team: team.into(), project: project.into() }
            }
            (Some(team), None) => ScopePath::Team { team: team.into() },
            (None, _) => ScopePath::Org,
        }
    }
}

pub(crate) async fn select(
    conn: &mut PgConnection,
    org: OrgId,
    filter: &Filter<'_>,
) -> Result<Vec<Stored>> {
    let severities = filter.severities();
    sqlx::query_as!(
        Stored,
        r#"select a.id as "id: AlertId", a.kind, a.severity, a.state, a.title, a.subject,
                  a.subject_name, a.team_id as team, a.project_id as project,
                  t.slug as "team_slug?", p.slug as "project_slug?", a.detail, a.occurrences,
                  a.raised_at, a.last_at, a.ends_at, a.event_id as "event: EventId",
                  a.acknowledged_at, k.email as "acknowledged_by?", a.resolved_at,
                  s.email as "resolved_by?",
                  coalesce(a.id <= r.read_to, false) or o.alert_id is not null as "read!"
           from alert a
           left join team t on t.org_id = a.org_id and t.id = a.team_id
           left join project p on p.org_id = a.org_id and p.id = a.project_id
           left join app_user k on k.id = a.acknowledged_by
           left join app_user s on s.id = a.resolved_by
           left join alert_reader r on r.org_id = a.org_id and r.user_id = $5
           left join alert_read o
               on o.org_id = a.org_id and o.user_id = $5 and o.alert_id = a.id
           where a.org_id = $1
             and ($2 or a.team_id = any($3) and a.project_id is null or a.project_id = any($4))
             and ($6::uuid is null or a.id = $6)
             and ($7::uuid is null or a.id < $7)
             and ($8::text is null or a.state = $8)
             and ($9::text is null or a.kind = $9)
             and ($10::text[] is null or a.severity = any($10))
             and ($11::text is null or a.subject = $11)
             and (not $12 or not (coalesce(a.id <= r.read_to, false) or o.alert_id is not null))
           order by a.id desc limit $13"#,
        org as _,
        filter.everywhere,
        &filter.teams(),
        &filter.projects(),
        filter.person as _,
        filter.only as _,
        filter.before as _,
        filter.state.map(AlertState::as_str),
        filter.kind.map(AlertKind::as_str),
        severities.as_deref(),
        filter.subject,
        filter.unread,
        filter.at_most.max(1),
    )
    .fetch_all(conn)
    .await
}

/// Open alerts that the person has not read, and how many of them are critical. Beyond ten thousand
/// they are many.
pub(crate) async fn unread(
    conn: &mut PgConnection,
    org: OrgId,
    filter: &Filter<'_>,
) -> Result<(i64, i64)> {
    let row = sqlx::query!(
        r#"select count(*) as "unread!",
                  count(*) filter (where severity = 'critical') as "critical!"
           from (select a.severity from alert a
                 left join alert_reader r on r.org_id = a.org_id and r.user_id = $5
                 where a.org_id = $1 and a.state = 'open'
                   and ($2 or a.team_id = any($3) and a.project_id is null or a.project_id = any($4))
                   and (r.read_to is null or a.id > r.read_to)
                   and not exists (select from alert_read o where o.org_id = a.org_id
                                   and o.user_id = $5 and o.alert_id = a.id)
                 limit 10000) as open"#,
        org as _,
        filter.everywhere,
        &filter.teams(),
        &filter.projects(),
        filter.person as _,
    )
    .fetch_one(conn)
    .await?;
    Ok((row.unread, row.critical))
}

/// Everything up to the newest alert. What is read one by one below it needs no rows any more.
pub(crate) async fn read_all(conn: &mut PgConnection, org: OrgId, person: UserId) -> Result<()> {
    sqlx::query!(
        "insert into alert_reader (org_id, user_id, read_to)
         select $1, $2, id from alert where org_id = $1 order by id desc limit 1
         on conflict (org_id, user_id) do update
            set read_to = greatest(alert_reader.read_to, excluded.read_to)",
        org as _,
        person as _,
    )
    .execute(&mut *conn)
    .await?;
    sqlx::query!(
        "delete from alert_read o using alert_reader r
         where o.org_id = $1 and o.user_id = $2 and r.org_id = $1 and r.user_id = $2
           and o.alert_id <= r.read_to",
        org as _,
        person as _,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Those of them that there are.
pub(crate) async fn read(
    conn: &mut PgConnection,
    org: OrgId,
    person: UserId,
    alerts: &[Uuid],
) -> Result<()> {
    sqlx::query!(
        "insert into alert_read (org_id, user_id, alert_id)
         select org_id, $2, id from alert where org_id = $1 and id = any($3)
         on conflict do nothing",
        org as _,
        person as _,
        alerts,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// False where it is taken on already, or over.
pub(crate) async fn acknowledge(
    conn: &mut PgConnection,
    org: OrgId,
    id: AlertId,
    person: Option<UserId>,
    now: DateTime<Utc>,
) -> Result<bool> {
    let done = sqlx::query!(
        "update alert set state = 'acknowledged', acknowledged_by = $3, acknowledged_at = $4
         where org_id = $1 and id = $2 and state = 'open'",
        org as _,
        id as _,
        person as _,
        now,
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// False where it is over already. Its key stays taken while its cause stands, so that the same is
/// not raised again at once.
pub(crate) async fn resolve(
    conn: &mut PgConnection,
    org: OrgId,
    id: AlertId,
    person: Option<UserId>,
    now: DateTime<Utc>,
) -> Result<bool> {
    let done = sqlx::query!(
        "update alert set state = 'resolved', resolved_by = $3, resolved_at = $4
         where org_id = $1 and id = $2 and state <> 'resolved'",
        org as _,
        id as _,
        person as _,
        now,
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// A delivery as it is stored.
pub(crate) struct Delivered {
    pub id: AlertDeliveryId,
    pub alert: AlertId,
    pub alert_title: String,
    pub rule: Option<AlertRuleId>,
    pub channel: Option<AlertChannelId>,
    pub kind: String,
    pub target: String,
    pub held: bool,
    pub state: String,
    pub attempts: i32,
    pub failure: Option<String>,
    pub due_at: DateTime<Utc>,
    pub created_at: DateTime<Utc>,
    pub ended_at: Option<DateTime<Utc>>,
}

pub(crate) async fn of_alerts(
    conn: &mut PgConnection,
    org: OrgId,
    alerts: &[Uuid],
) -> Result<Vec<Delivered>> {
    sqlx::query_as!(
        Delivered,
        r#"select d.id as "id: AlertDeliveryId", d.alert_id as "alert: AlertId",
                  a.title as alert_title, c.rule_id as "rule?: AlertRuleId",
                  d.channel_id as "channel: AlertChannelId", d.kind, d.target, d.held, d.state,
                  d.attempts, d.failure, d.due_at, d.created_at, d.ended_at
           from alert_delivery d
           join alert a on a.org_id = d.org_id and a.id = d.alert_id
           left join alert_channel c on c.org_id = d.org_id and c.id = d.channel_id
           where d.org_id = $1 and d.alert_id = any($2)
           order by d.id"#,
        org as _,
        alerts,
    )
    .fetch_all(conn)
    .await
}

pub(crate) async fn of_rule(
    conn: &mut PgConnection,
    org: OrgId,
    rule: AlertRuleId,
    before: Option<AlertDeliveryId>,
    at_most: i64,
) -> Result<Vec<Delivered>> {
    sqlx::query_as!(
        Delivered,
        r#"select d.id as "id: AlertDeliveryId", d.alert_id as "alert: AlertId",
                  a.title as alert_title, c.rule_id as "rule: AlertRuleId",
                  d.channel_id as "channel: AlertChannelId", d.kind, d.target, d.held, d.state,
                  d.attempts, d.failure, d.due_at, d.created_at, d.ended_at
           from alert_delivery d
           join alert a on a.org_id = d.org_id and a.id = d.alert_id
           join alert_channel c on c.org_id = d.org_id and c.id = d.channel_id
           where d.org_id = $1 and c.rule_id = $2 and ($3::uuid is null or d.id < $3)
           order by d.id desc limit $4"#,
        org as _,
        rule as _,
        before as _,
        at_most,
    )
    .fetch_all(conn)
    .await
}
