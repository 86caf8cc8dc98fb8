//! Rules as people set them: make, list, change, try, delete.

use std::time::Instant;

use ralex_access::Scope;
use ralex_api::alerts::{
    AlertKind, AlertRule, AlertRuleTested, ChannelKind, ChannelTested, NewAlertRule, Severity,
    UpdateAlertRule,
};
use ralex_audit::{AlertEvent, Event, record};
use ralex_kernel::{AlertChannelId, AlertRuleId, Code, Name, OrgId, Problem};
use ralex_sinks::webhook;
use ralex_store::{OnConstraint, Tenant, problem};
use sqlx::PgConnection;
use uuid::Uuid;

use super::quiet::Quiet;
use super::send::Channel;
use super::sql::rules::{NewChannel, Row, Stored};
use super::{Alerts, channel, message, sql};

/// An organisation has so many at most.
const MOST: i64 = 50;

/// A rule that was checked, to be written.
struct Wanted {
    id: AlertRuleId,
    name: Name,
    enabled: bool,
    kinds: Vec<AlertKind>,
    least_severity: Severity,
    place: Place,
    quiet: Option<Quiet>,
}

/// What a rule is narrowed down to.
#[derive(Clone, Copy, Debug, Default)]
struct Place {
    team: Option<Uuid>,
    project: Option<Uuid>,
    budget: Option<Uuid>,
}

impl Alerts {
    pub async fn list_rules(&self, org: OrgId) -> Result<Vec<AlertRule>, Problem> {
        let mut tx = self.0.db.tenant(org).await?;
        let stored = sql::rules::select(&mut tx, org, None).await.map_err(problem)?;
        let mut channels = sql::rules::channels(&mut tx, org, None).await.map_err(problem)?;
        let mut rules = Vec::with_capacity(stored.len());
        for rule in stored {
            let (own, others) = channels.into_iter().partition(|it| it.rule == rule.id);
            channels = others;
            rules.push(shown(rule, own)?);
        }
        Ok(rules)
    }

    pub async fn find_rule(&self, org: OrgId, id: AlertRuleId) -> Result<AlertRule, Problem> {
        let mut tx = self.0.db.tenant(org).await?;
        one(&mut tx, org, id).await
    }

    /// Makes one. The secrets of its webhooks are in the answer, and nowhere else ever again.
    pub async fn create_rule(
        &self,
        scope: &Scope,
        new: NewAlertRule,
    ) -> Result<AlertRule, Problem> {
        let org = scope.org();
        let channels = channel::checked(&new.channels, &self.0.parts.post)?;
        let mut tx = self.0.db.tenant(org).await?;
        if sql::rules::count(&mut tx, org).await.map_err(problem)? >= MOST {
            let detail = format!("An organisation has {MOST} alert rules at most.");
            return Err(Problem::new(Code::Conflict, detail));
        }
        let wanted = Wanted {
            id: AlertRuleId::generate(),
            name: new.name,
            enabled: new.enabled.unwrap_or(true),
            kinds: distinct(new.kinds),
            least_severity: new.least_severity.unwrap_or(Severity::Warning),
            place: place(&mut tx, new.scope.as_deref().unwrap_or("org")).await?,
            quiet: new.quiet.as_ref().map(Quiet::read).transpose()?,
        };
        put(&mut tx, &wanted).await?;
        let secrets = self.put_channels(&mut tx, wanted.id, &channels).await?;
        let mut made = one(&mut tx, org, wanted.id).await?;
        let event = Event::Alert(created(&made));
        record(&mut tx, scope.author(), event).await.map_err(problem)?;
        tx.commit().await.map_err(problem)?;
        reveal(&mut made, secrets);
        Ok(made)
    }

    pub async fn update_rule(
        &self,
        scope: &Scope,
        id: AlertRuleId,
        change: UpdateAlertRule,
    ) -> Result<AlertRule, Problem> {
        let org = scope.org();
        let channels = change.channels.as_deref();
        let channels =
            channels.map(|given| channel::checked(given, &self.0.parts.post)).transpose()?;
        let mut tx = self.0.db.tenant(org).await?;
        sql::rules::lock(&mut tx, org, id).await.map_err(problem)?;
        let stored = stored(&mut tx, org, id).await?;
        let quiet = match &change.quiet {
            None => stored.quiet,
            Some(quiet) => quiet.as_ref().map(Quiet::read).transpose()?,
        };
        let place = match &change.scope {
            None => Place { team: stored.team, project: stored.project, budget: stored.budget },
            Some(text) => place(&mut tx, text).await?,
        };
        let kinds = change.kinds.unwrap_or_else(|| known(&stored.kinds));
        let least = Severity::named(&stored.least_severity).unwrap_or(Severity::Info);
        let wanted = Wanted {
            id,
            name: change.name.unwrap_or(stored.name),
            enabled: change.enabled.unwrap_or(stored.enabled),
            kinds: distinct(kinds),
            least_severity: change.least_severity.unwrap_or(least),
            place,
            quiet,
        };
        put(&mut tx, &wanted).await?;
        let secrets = match &channels {
            Some(channels) => self.put_channels(&mut tx, id, channels).await?,
            None => Vec::new(),
        };
        self.reschedule(&mut tx, &wanted).await?;
        let mut changed = one(&mut tx, org, id).await?;
        let event = Event::Alert(updated(&changed));
        record(&mut tx, scope.author(), event).await.map_err(problem)?;
        tx.commit().await.map_err(problem)?;
        reveal(&mut changed, secrets);
        Ok(changed)
    }

    pub async fn delete_rule(&self, scope: &Scope, id: AlertRuleId) -> Result<(), Problem> {
        let org = scope.org();
        let mut tx = self.0.db.tenant(org).await?;
        sql::rules::lock(&mut tx, org, id).await.map_err(problem)?;
        let gone = one(&mut tx, org, id).await?;
        let channels: Vec<Uuid> = gone.channels.iter().map(|it| it.id.uuid()).collect();
        self.end_channels(&mut tx, &channels).await?;
        sql::rules::delete(&mut tx, org, id).await.map_err(problem)?;
        let event = Event::Alert(AlertEvent::RuleDeleted { rule: id, name: gone.name });
        record(&mut tx, scope.author(), event).await.map_err(problem)?;
        tx.commit().await.map_err(problem)
    }

    /// Sends a message to each channel that says it is only to try, and tells what came of each.
    pub async fn test_rule(
        &self,
        scope: &Scope,
        id: AlertRuleId,
    ) -> Result<AlertRuleTested, Problem> {
        let org = scope.org();
        let mut tx = self.0.db.tenant(org).await?;
        let rule = stored(&mut tx, org, id).await?;
        let channels = sql::rules::channels(&mut tx, org, Some(id)).await.map_err(problem)?;
        tx.rollback().await.map_err(problem)?;
        let message = message::of_test(rule.name.as_str(), &org.to_string());
        let mut tests = Vec::with_capacity(channels.len());
        for stored in channels {
            let began = Instant::now();
            let sealed = stored.sealed_secret.as_deref();
            let channel = Channel::of(self, org, stored.id, &stored.kind, &stored.target, sealed)?;
            let (delivered, detail) = self.send(&channel, Uuid::now_v7(), &message).await.told();
            let duration_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
            let kind = ChannelKind::named(&stored.kind).unwrap_or(ChannelKind::Webhook);
            let (channel, to) = (stored.id, stored.target);
            tests.push(ChannelTested { channel, kind, to, delivered, detail, duration_ms });
        }
        self.note_tests(scope, id, &tests).await?;
        Ok(AlertRuleTested { channels: tests })
    }

    async fn note_tests(
        &self,
        scope: &Scope,
        rule: AlertRuleId,
        tests: &[ChannelTested],
    ) -> Result<(), Problem> {
        let (org, now) = (scope.org(), self.0.parts.clock.now());
        let count = |delivered| {
            let counted = tests.iter().filter(|test| test.delivered == delivered).count();
            u32::try_from(counted).unwrap_or(u32::MAX)
        };
        let mut tx = self.0.db.tenant(org).await?;
        for test in tests {
            let failure = (!test.delivered).then_some(test.detail.as_str());
            sql::deliveries::note_test(&mut tx, org, test.channel, failure, now)
                .await
                .map_err(problem)?;
            if test.delivered {
                let subject = format!("alert_channel:{}", test.channel);
                let kinds = [AlertKind::AlertUndelivered];
                sql::alerts::end(&mut tx, org, &subject, &kinds, now).await.map_err(problem)?;
            }
        }
        let (delivered, failed) = (count(true), count(false));
        let event = Event::Alert(AlertEvent::RuleTested { rule, delivered, failed });
        record(&mut tx, scope.author(), event).await.map_err(problem)?;
        tx.commit().await.map_err(problem)
    }

    /// Makes a rule's channels these. Those that are there stay as they are; returns the secrets of
    /// webhooks that are new.
    async fn put_channels(
        &self,
        tx: &mut Tenant,
        rule: AlertRuleId,
        wanted: &[(ChannelKind, String)],
    ) -> Result<Vec<(AlertChannelId, String)>, Problem> {
        let org = tx.org();
        let there = sql::rules::channels(tx, org, Some(rule)).await.map_err(problem)?;
        let is = |channel: &sql::rules::Channel, wanted: &(ChannelKind, String)| {
            channel.kind == wanted.0.as_str() && channel.target == wanted.1
        };
        let gone: Vec<Uuid> = there
            .iter()
            .filter(|channel| !wanted.iter().any(|wanted| is(channel, wanted)))
            .map(|channel| channel.id.uuid())
            .collect();
        self.end_channels(tx, &gone).await?;
        for id in gone {
            sql::rules::delete_channel(tx, org, AlertChannelId::from_uuid(id))
                .await
                .map_err(problem)?;
        }
        let mut secrets = Vec::new();
        for new in wanted.iter().filter(|wanted| !there.iter().any(|it| is(it, wanted))) {
            let id = AlertChannelId::generate();
            let mut sealed = None;
            if new.0 == ChannelKind::Webhook {
                let secret = webhook::new_secret();
                sealed = Some(self.seal(org, id, secret.as_slice())?);
                secrets.push((id, webhook::shown(secret.as_slice())));
            }
            let row = NewChannel {
                id,
                kind: new.0.as_str(),
                target: &new.1,
                sealed_secret: sealed.as_deref(),
            };
            sql::rules::insert_channel(tx, org, rule, &row).await.map_err(problem)?;
        }
        Ok(secrets)
    }

    /// What is on its way to them is not sent any more, and what was told of them is over.
    async fn end_channels(&self, tx: &mut Tenant, channels: &[Uuid]) -> Result<(), Problem> {
        let (org, now) = (tx.org(), self.0.parts.clock.now());
        sql::deliveries::cancel(tx, org, channels, now).await.map_err(problem)?;
        for id in channels {
            let subject = format!("alert_channel:{id}");
            let kinds = [AlertKind::AlertUndelivered];
            sql::alerts::end(tx, org, &subject, &kinds, now).await.map_err(problem)?;
        }
        Ok(())
    }

    /// What is held back goes out when the quiet hours end that there are now; at once where there
    /// are none. A rule that is switched off sends nothing that waits.
    async fn reschedule(&self, tx: &mut Tenant, rule: &Wanted) -> Result<(), Problem> {
        let (org, now) = (tx.org(), self.0.parts.clock.now());
        let channels = sql::rules::channels(tx, org, Some(rule.id)).await.map_err(problem)?;
        let channels: Vec<Uuid> = channels.iter().map(|it| it.id.uuid()).collect();
        if !rule.enabled {
            return self.end_channels(tx, &channels).await;
        }
        let until = rule.quiet.as_ref().and_then(|quiet| quiet.end(now)).unwrap_or(now);
        sql::deliveries::hold_until(tx, org, &channels, until).await.map_err(problem)
    }
}

async fn put(tx: &mut Tenant, wanted: &Wanted) -> Result<(), Problem> {
    let org = tx.org();
    let kinds: Vec<String> = wanted.kinds.iter().map(ToString::to_string).collect();
    let row = Row {
        id: wanted.id,
        name: wanted.name.as_str(),
        enabled: wanted.enabled,
        kinds: &kinds,
        least_severity: wanted.least_severity.as_str(),
        team: wanted.place.team,
        project: wanted.place.project,
        budget: wanted.place.budget,
        quiet: wanted.quiet.as_ref(),
    };
    let taken = Problem::new(Code::AlreadyExists, "There is an alert rule of this name.");
    sql::rules::put(tx, org, &row).await.or_problem([("alert_rule_name", taken)])
}

/// Reads `org`, `team:<slug>`, `project:<slug>` or `budget:<id>`.
async fn place(tx: &mut Tenant, text: &str) -> Result<Place, Problem> {
    let org = tx.org();
    let unknown = |kind| Problem::field("scope", format!("names no {kind} of this organisation"));
    match text.split_once(':') {
        None if text == "org" => Ok(Place::default()),
        Some(("team", slug)) => {
            let team = sql::places::team(tx, org, slug).await.map_err(problem)?;
            Ok(Place { team: Some(team.ok_or_else(|| unknown("team"))?), ..Place::default() })
        }
        Some(("project", slug)) => {
            let found = sql::places::project(tx, org, slug).await.map_err(problem)?;
            let (team, project) = found.ok_or_else(|| unknown("project"))?;
            Ok(Place { team: Some(team), project: Some(project), budget: None })
        }
        Some(("budget", id)) => {
            let id: Uuid = id.parse().map_err(|_| unknown("budget"))?;
            if !sql::places::is_budget(tx, org, id).await.map_err(problem)? {
                return Err(unknown("budget"));
            }
            Ok(Place { budget: Some(id), ..Place::default() })
        }
        _ => {
            let rule = "must be org, team:<slug>, project:<slug> or budget:<id>";
            Err(Problem::field("scope", rule))
        }
    }
}

async fn stored(conn: &mut PgConnection, org: OrgId, id: AlertRuleId) -> Result<Stored, Problem> {
    let found = sql::rules::select(conn, org, Some(id)).await.map_err(problem)?;
    found.into_iter().next().ok_or_else(|| Problem::not_found("alert rule"))
}

async fn one(conn: &mut PgConnection, org: OrgId, id: AlertRuleId) -> Result<AlertRule, Problem> {
    let rule = stored(conn, org, id).await?;
    let channels = sql::rules::channels(conn, org, Some(id)).await.map_err(problem)?;
    shown(rule, channels)
}

fn shown(rule: Stored, channels: Vec<sql::rules::Channel>) -> Result<AlertRule, Problem> {
    let gone = |kind: &str, slug: Option<String>, id: Uuid| {
        format!("{kind}:{}", slug.unwrap_or_else(|| id.to_string()))
    };
    let scope = match (rule.budget, rule.project, rule.team) {
        (Some(id), _, _) => format!("budget:{id}"),
        (None, Some(id), _) => gone("project", rule.project_slug, id),
        (None, None, Some(id)) => gone("team", rule.team_slug, id),
        (None, None, None) => "org".to_owned(),
    };
    Ok(AlertRule {
        id: rule.id,
        name: rule.name,
        enabled: rule.enabled,
        kinds: known(&rule.kinds),
        least_severity: Severity::named(&rule.least_severity).unwrap_or(Severity::Info),
        scope,
        quiet: rule.quiet.as_ref().map(Quiet::shown),
        channels: channels.into_iter().map(channel::shown).collect::<Result<_, _>>()?,
        created_at: rule.created_at,
        updated_at: rule.updated_at,
    })
}

fn reveal(rule: &mut AlertRule, secrets: Vec<(AlertChannelId, String)>) {
    for (id, secret) in secrets {
        if let Some(channel) = rule.channels.iter_mut().find(|channel| channel.id == id) {
            channel.secret = Some(secret);
        }
    }
}

fn known(kinds: &[String]) -> Vec<AlertKind> {
    kinds.iter().filter_map(|kind| AlertKind::named(kind)).collect()
}

fn distinct(mut kinds: Vec<AlertKind>) -> Vec<AlertKind> {
    kinds.sort_unstable();
    kinds.dedup();
    kinds
}

fn written(rule: &AlertRule) -> (Vec<&'static str>, Vec<String>) {
    let channel = |channel: &ralex_api::alerts::AlertChannel| {
        format!("{} {}", channel.kind, sql::rules::shown(channel.kind, &channel.to))
    };
    let kinds = rule.kinds.iter().map(|kind| kind.as_str()).collect();
    (kinds, rule.channels.iter().map(channel).collect())
}

fn created(rule: &AlertRule) -> AlertEvent {
    let (kinds, channels) = written(rule);
    AlertEvent::RuleCreated {
        rule: rule.id,
        name: rule.name.clone(),
        scope: rule.scope.clone(),
        kinds,
        least_severity: rule.least_severity.as_str(),
        channels,
        quiet: rule.quiet.is_some(),
        enabled: rule.enabled,
    }
}

fn updated(rule: &AlertRule) -> AlertEvent {
    let (kinds, channels) = written(rule);
    AlertEvent::RuleUpdated {
        rule: rule.id,
        name: rule.name.clone(),
        scope: rule.scope.clone(),
        kinds,
        least_severity: rule.least_severity.as_str(),
        channels,
        quiet: rule.quiet.is_some(),
        enabled: rule.enabled,
    }
}
