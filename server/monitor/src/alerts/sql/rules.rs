//! Rules and their channels.

use chrono::{DateTime, Utc};
use ralex_api::alerts::{ChannelKind, Severity};
use ralex_kernel::{AlertChannelId, AlertRuleId, Name, OrgId};
use sqlx::PgConnection;
use url::Url;
use uuid::Uuid;

use super::Result;
use crate::alerts::quiet::Quiet;

/// A channel with what its rule says.
#[derive(Clone, Debug)]
pub(crate) struct Told {
    pub channel: Uuid,
    pub kind: ChannelKind,
    pub target: String,
    pub kinds: Vec<String>,
    pub least: Severity,
    pub team: Option<Uuid>,
    pub project: Option<Uuid>,
    pub budget: Option<Uuid>,
    pub quiet: Option<Quiet>,
}

impl Told {
    /// The target as everyone may see it who sees the alert.
    pub fn shown(&self) -> String {
        shown(self.kind, &self.target)
    }
}

/// Of a webhook's address only the host: the rest may be a secret.
pub(crate) fn shown(kind: ChannelKind, target: &str) -> String {
    match kind {
        ChannelKind::Email => target.to_owned(),
        ChannelKind::Webhook => {
            let url: Option<Url> = target.parse().ok();
            let host = url.and_then(|url| url.host_str().map(str::to_owned));
            host.unwrap_or_else(|| "webhook".to_owned())
        }
    }
}

/// All channels of rules that are switched on; none while the organisation is closed. What a newer server wrote in words that this one
/// does not know is left to it.
pub(crate) async fn told(conn: &mut PgConnection, org: OrgId) -> Result<Vec<Told>> {
    let rows = sqlx::query!(
        "select c.id, c.kind, c.target, r.kinds, r.least_severity, r.team_id, r.project_id,
                r.budget_id, r.quiet_zone, r.quiet_from, r.quiet_to, r.quiet_days
         from alert_rule r join alert_channel c on c.org_id = r.org_id and c.rule_id = r.id
         join org o on o.id = r.org_id and not o.is_closed
         where r.org_id = $1 and r.enabled
         order by c.id",
        org as _,
    )
    .fetch_all(conn)
    .await?;
    let told = rows.into_iter().filter_map(|row| {
        Some(Told {
            channel: row.id,
            kind: ChannelKind::named(&row.kind)?,
            target: row.target,
            kinds: row.kinds,
            least: Severity::named(&row.least_severity)?,
            team: row.team_id,
            project: row.project_id,
            budget: row.budget_id,
            quiet: quiet(row.quiet_zone, row.quiet_from, row.quiet_to, row.quiet_days),
        })
    });
    Ok(told.collect())
}

fn quiet(
    zone: Option<String>,
    from: Option<i16>,
    to: Option<i16>,
    days: Option<Vec<i16>>,
) -> Option<Quiet> {
    Quiet::of_columns(&zone?, from?, to?, days?)
}

/// A rule as it is stored.
pub(crate) struct Stored {
    pub id: AlertRuleId,
    pub name: Name,
    pub enabled: bool,
    pub kinds: Vec<String>,
    pub least_severity: String,
    pub team: Option<Uuid>,
    pub project: Option<Uuid>,
    pub budget: Option<Uuid>,
    pub team_slug: Option<String>,
    pub project_slug: Option<String>,
    pub quiet: Option<Quiet>,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

pub(crate) async fn select(
    conn: &mut PgConnection,
    org: OrgId,
    only: Option<AlertRuleId>,
) -> Result<Vec<Stored>> {
    let rows = sqlx::query!(
        r#"select r.id as "id: AlertRuleId", r.name as "name: Name", r.enabled, r.kinds,
                  r.least_severity, r.team_id, r.project_id, r.budget_id, r.quiet_zone,
                  r.quiet_from, r.quiet_to, r.quiet_days, r.created_at, r.updated_at,
                  t.slug as "team_slug?", p.slug as "project_slug?"
           from alert_rule r
           left join team t on t.org_id = r.org_id and t.id = r.team_id
           left join project p on p.org_id = r.org_id and p.id = r.project_id
           where r.org_id = $1 and ($2::uuid is null or r.id = $2)
           order by r.id"#,
        org as _,
        only as _,
    )
    .fetch_all(conn)
    .await?;
    let stored = rows.into_iter().map(|row| Stored {
        id: row.id,
        name: row.name,
        enabled: row.enabled,
        kinds: row.kinds,
        least_severity: row.least_severity,
        team: row.team_id,
        project: row.project_id,
        budget: row.budget_id,
        team_slug: row.team_slug,
        project_slug: row.project_slug,
        quiet: quiet(row.quiet_zone, row.quiet_from, row.quiet_to, row.quiet_days),
        created_at: row.created_at,
        updated_at: row.updated_at,
    });
    Ok(stored.collect())
}

/// Held until the transaction ends, so that two who change it do so one after the other.
pub(crate) async fn lock(conn: &mut PgConnection, org: OrgId, id: AlertRuleId) -> Result<()> {
    sqlx::query!(
        "select id from alert_rule where org_id = $1 and id = $2 for update",
        org as _,
        id as _
    )
    .fetch_optional(conn)
    .await?;
    Ok(())
}

pub(crate) async fn count(conn: &mut PgConnection, org: OrgId) -> Result<i64> {
    sqlx::query_scalar!(
        r#"select count(*) as "count!" from alert_rule where org_id = $1"#,
        org as _
    )
    .fetch_one(conn)
    .await
}

/// What a rule says.
pub(crate) struct Row<'a> {
    pub id: AlertRuleId,
    pub name: &'a str,
    pub enabled: bool,
    pub kinds: &'a [String],
    pub least_severity: &'a str,
    pub team: Option<Uuid>,
    pub project: Option<Uuid>,
    pub budget: Option<Uuid>,
    pub quiet: Option<&'a Quiet>,
}

pub(crate) async fn put(conn: &mut PgConnection, org: OrgId, row: &Row<'_>) -> Result<()> {
    let quiet = row.quiet.map(Quiet::columns);
    let (zone, from, to, days) = match quiet {
        Some((zone, from, to, days)) => (Some(zone), Some(from), Some(to), Some(days)),
        None => (None, None, None, None),
    };
    sqlx::query!(
        "insert into alert_rule (org_id, id, name, name_key, enabled, kinds, least_severity,
             team_id, project_id, budget_id, quiet_zone, quiet_from, quiet_to, quiet_days)
         values ($1, $2, $3, lower($3), $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
         on conflict (org_id, id) do update
            set name = $3, name_key = lower($3), enabled = $4, kinds = $5, least_severity = $6,
                team_id = $7, project_id = $8, budget_id = $9, quiet_zone = $10, quiet_from = $11,
                quiet_to = $12, quiet_days = $13, updated_at = now()",
        org as _,
        row.id as _,
        row.name,
        row.enabled,
        row.kinds,
        row.least_severity,
        row.team,
        row.project,
        row.budget,
        zone,
        from,
        to,
        days.as_deref(),
    )
    .execute(conn)
    .await?;
    Ok(())
}

pub(crate) async fn delete(conn: &mut PgConnection, org: OrgId, id: AlertRuleId) -> Result<()> {
    sqlx::query!("delete from alert_rule where org_id = $1 and id = $2", org as _, id as _)
        .execute(conn)
        .await?;
    Ok(())
}

/// A channel as it is stored.
pub(crate) struct Channel {
    pub id: AlertChannelId,
    pub rule: AlertRuleId,
    pub kind: String,
    pub target: String,
    pub sealed_secret: Option<Vec<u8>>,
    pub failures: i32,
    pub failure: Option<String>,
    pub failed_at: Option<DateTime<Utc>>,
    pub delivered_at: Option<DateTime<Utc>>,
}

pub(crate) async fn channels(
    conn: &mut PgConnection,
    org: OrgId,
    rule: Option<AlertRuleId>,
) -> Result<Vec<Channel>> {
    sqlx::query_as!(
        Channel,
        r#"select id as "id: AlertChannelId", rule_id as "rule: AlertRuleId", kind, target,
                  sealed_secret, failures, failure, failed_at, delivered_at
           from alert_channel
           where org_id = $1 and ($2::uuid is null or rule_id = $2)
           order by id"#,
        org as _,
        rule as _,
    )
    .fetch_all(conn)
    .await
}

/// A channel to be.
pub(crate) struct NewChannel<'a> {
    pub id: AlertChannelId,
    pub kind: &'a str,
    pub target: &'a str,
    pub sealed_secret: Option<&'a [u8]>,
}

pub(crate) async fn insert_channel(
    conn: &mut PgConnection,
    org: OrgId,
    rule: AlertRuleId,
    new: &NewChannel<'_>,
) -> Result<()> {
    sqlx::query!(
        "insert into alert_channel (org_id, id, rule_id, kind, target, sealed_secret)
         values ($1, $2, $3, $4, $5, $6)",
        org as _,
        new.id as _,
        rule as _,
        new.kind,
        new.target,
        new.sealed_secret,
    )
    .execute(conn)
    .await?;
    Ok(())
}

pub(crate) async fn delete_channel(
    conn: &mut PgConnection,
    org: OrgId,
    id: AlertChannelId,
) -> Result<()> {
    sqlx::query!("delete from alert_channel where org_id = $1 and id = $2", org as _, id as _)
        .execute(conn)
        .await?;
    Ok(())
}
