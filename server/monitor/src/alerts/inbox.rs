//! The inbox: alerts as people read them, take them on and end them.

use std::collections::BTreeMap;

use ralex_access::{Access, Permission, Reach, Scope};
use ralex_api::Page;
use ralex_api::alerts::{
    Alert, AlertDelivery, AlertKind, AlertKinds, AlertState, AlertsQuery, AlertsUnread,
    ChannelKind, DeliveryState, ReadAlerts, Severity,
};
use ralex_api::page::PageQuery;
use ralex_audit::{AlertEvent, Event, record};
use ralex_kernel::{AlertId, AlertRuleId, Caller, Code, OrgId, Problem, ScopePath, UserId};
use ralex_store::{Tenant, problem};
use uuid::Uuid;

use super::sql::inbox::{Delivered, Filter, Stored};
use super::{Alerts, sql};

impl Alerts {
    /// Alerts where the caller may see them, the newest first.
    pub async fn list(
        &self,
        caller: &Caller,
        reach: &Reach,
        query: &AlertsQuery,
    ) -> Result<Page<Alert>, Problem> {
        let page = PageQuery { cursor: query.cursor.clone(), limit: query.limit };
        let filter = Filter {
            before: page.after()?,
            state: query.state,
            kind: query.kind,
            least: query.least_severity,
            subject: query.subject.as_deref(),
            unread: query.unread.unwrap_or(false),
            at_most: page.size() + 1,
            ..Filter::within(reach, caller.subject.user())
        };
        let mut tx = self.0.db.tenant(reach.org()).await?;
        let items = self.shown(&mut tx, &filter).await?;
        Ok(Page::of(items, page.size(), |alert: &Alert| alert.id.to_string()))
    }

    /// One, where the caller may see it.
    pub async fn find(
        &self,
        caller: &Caller,
        reach: &Reach,
        id: AlertId,
    ) -> Result<Alert, Problem> {
        let mut tx = self.0.db.tenant(reach.org()).await?;
        let filter = Filter { only: Some(id), ..Filter::within(reach, caller.subject.user()) };
        let found = self.shown(&mut tx, &filter).await?;
        found.into_iter().next().ok_or_else(|| Problem::not_found("alert"))
    }

    /// Where an alert belongs, so that the right to it can be asked for there. Who may not see it
    /// is told that there is none.
    pub async fn place(
        &self,
        caller: &Caller,
        access: &Access,
        org: OrgId,
        id: AlertId,
    ) -> Result<ScopePath, Problem> {
        let reach = access.reach(caller, org, Permission::AlertRead).await?;
        let mut tx = self.0.db.tenant(org).await?;
        let filter = Filter { only: Some(id), ..Filter::within(&reach, None) };
        let found = sql::inbox::select(&mut tx, org, &filter).await.map_err(problem)?;
        let stored = found.first().ok_or_else(|| Problem::not_found("alert"))?;
        Ok(stored.place())
    }

    /// What waits to be read, where the caller may see it.
    pub async fn unread(&self, caller: &Caller, reach: &Reach) -> Result<AlertsUnread, Problem> {
        let Some(person) = caller.subject.user() else {
            return Ok(AlertsUnread { unread: 0, critical: 0 });
        };
        let mut tx = self.0.db.tenant(reach.org()).await?;
        let filter = Filter::within(reach, Some(person));
        let (unread, critical) =
            sql::inbox::unread(&mut tx, reach.org(), &filter).await.map_err(problem)?;
        Ok(AlertsUnread { unread: unread.unsigned_abs(), critical: critical.unsigned_abs() })
    }

    /// Marks these as read, or all that there are now.
    pub async fn read(
        &self,
        caller: &Caller,
        reach: &Reach,
        read: &ReadAlerts,
    ) -> Result<AlertsUnread, Problem> {
        let Some(person) = caller.subject.user() else {
            let detail = "Only a person reads alerts, and no token of a team.";
            return Err(Problem::new(Code::Forbidden, detail));
        };
        let org = reach.org();
        let mut tx = self.0.db.tenant(org).await?;
        match &read.alerts {
            None => sql::inbox::read_all(&mut tx, org, person).await,
            Some(ids) => {
                let ids: Vec<Uuid> = ids.iter().map(|id| id.uuid()).collect();
                sql::inbox::read(&mut tx, org, person, &ids).await
            }
        }
        .map_err(problem)?;
        tx.commit().await.map_err(problem)?;
        self.unread(caller, reach).await
    }

    /// Takes it on. Whoever is first does; again by the same person changes nothing.
    pub async fn acknowledge(&self, scope: &Scope, id: AlertId) -> Result<Alert, Problem> {
        self.change(scope, id, AlertState::Acknowledged).await
    }

    /// Ends it.
    pub async fn resolve(&self, scope: &Scope, id: AlertId) -> Result<Alert, Problem> {
        self.change(scope, id, AlertState::Resolved).await
    }

    async fn change(
        &self,
        scope: &Scope,
        id: AlertId,
        state: AlertState,
    ) -> Result<Alert, Problem> {
        let (org, now) = (scope.org(), self.0.parts.clock.now());
        let person = scope.caller().subject.user();
        let mut tx = self.0.db.tenant(org).await?;
        let changed = match state {
            AlertState::Acknowledged => {
                sql::inbox::acknowledge(&mut tx, org, id, person, now).await
            }
            AlertState::Resolved | AlertState::Open => {
                sql::inbox::resolve(&mut tx, org, id, person, now).await
            }
        };
        let event = match (changed.map_err(problem)?, state) {
            (false, AlertState::Acknowledged) => {
                let detail = "It is taken on already, or over.";
                return Err(Problem::new(Code::Conflict, detail));
            }
            (false, AlertState::Resolved | AlertState::Open) => {
                return Err(Problem::new(Code::Conflict, "It is over already."));
            }
            (true, AlertState::Acknowledged) => AlertEvent::Acknowledged { alert: id },
            (true, AlertState::Resolved | AlertState::Open) => AlertEvent::Resolved { alert: id },
        };
        if let Some(person) = person {
            sql::inbox::read(&mut tx, org, person, &[id.uuid()]).await.map_err(problem)?;
        }
        record(&mut tx, scope.author(), Event::Alert(event)).await.map_err(problem)?;
        let filter = Filter { only: Some(id), everywhere: true, person, ..Filter::default() };
        let found = self.shown(&mut tx, &filter).await?;
        tx.commit().await.map_err(problem)?;
        found.into_iter().next().ok_or_else(|| Problem::not_found("alert"))
    }

    /// What a rule told, the newest first.
    pub async fn deliveries(
        &self,
        scope: &Scope,
        rule: AlertRuleId,
        page: &PageQuery,
    ) -> Result<Page<AlertDelivery>, Problem> {
        let org = scope.org();
        self.find_rule(org, rule).await?;
        let mut tx = self.0.db.tenant(org).await?;
        let (before, most) = (page.after()?, page.size() + 1);
        let found = sql::inbox::of_rule(&mut tx, org, rule, before, most).await.map_err(problem)?;
        let items = found.into_iter().map(delivery).collect();
        Ok(Page::of(items, page.size(), |it: &AlertDelivery| it.id.to_string()))
    }

    /// Every kind there is, in words.
    pub fn kinds(&self) -> AlertKinds {
        AlertKinds { items: self.0.book.kinds(), mail: self.0.parts.mailer.is_set_up() }
    }

    async fn shown(&self, tx: &mut Tenant, filter: &Filter<'_>) -> Result<Vec<Alert>, Problem> {
        let org = tx.org();
        let stored = sql::inbox::select(tx, org, filter).await.map_err(problem)?;
        let ids: Vec<Uuid> = stored.iter().map(|alert| alert.id.uuid()).collect();
        let mut told: BTreeMap<AlertId, Vec<AlertDelivery>> = BTreeMap::new();
        for it in sql::inbox::of_alerts(tx, org, &ids).await.map_err(problem)? {
            told.entry(it.alert).or_default().push(delivery(it));
        }
        // A kind that only a newer server knows is for that one to show.
        let known = stored.into_iter().filter_map(|alert| {
            let deliveries = told.remove(&alert.id).unwrap_or_default();
            alert_of(alert, deliveries)
        });
        Ok(known.collect())
    }
}

fn alert_of(stored: Stored, deliveries: Vec<AlertDelivery>) -> Option<Alert> {
    let scope = match (&stored.project_slug, &stored.team_slug) {
        (Some(slug), _) => format!("project:{slug}"),
        (None, Some(slug)) => format!("team:{slug}"),
        (None, None) => "org".to_owned(),
    };
    Some(Alert {
        id: stored.id,
        kind: AlertKind::named(&stored.kind)?,
        severity: Severity::named(&stored.severity)?,
        state: AlertState::named(&stored.state)?,
        title: stored.title,
        subject: stored.subject,
        subject_name: stored.subject_name,
        scope,
        detail: stored.detail,
        occurrences: stored.occurrences.unsigned_abs(),
        raised_at: stored.raised_at,
        last_at: stored.last_at,
        ends_at: stored.ends_at,
        event: stored.event,
        acknowledged_at: stored.acknowledged_at,
        acknowledged_by: stored.acknowledged_by,
        resolved_at: stored.resolved_at,
        resolved_by: stored.resolved_by,
        read: stored.read,
        deliveries,
    })
}

fn delivery(it: Delivered) -> AlertDelivery {
    let state = match it.state.as_str() {
        "sent" => DeliveryState::Sent,
        "gave_up" => DeliveryState::GaveUp,
        "canceled" => DeliveryState::Canceled,
        _ if it.failure.is_some() => DeliveryState::Retrying,
        _ if it.held => DeliveryState::Held,
        _ => DeliveryState::Pending,
    };
    let waits = matches!(state, DeliveryState::Retrying | DeliveryState::Held);
    AlertDelivery {
        id: it.id,
        alert: it.alert,
        alert_title: it.alert_title,
        rule: it.rule,
        channel: it.channel,
        kind: ChannelKind::named(&it.kind).unwrap_or(ChannelKind::Webhook),
        to: it.target,
        state,
        attempts: u32::try_from(it.attempts).unwrap_or(0),
        failure: it.failure,
        next_attempt_at: waits.then_some(it.due_at),
        created_at: it.created_at,
        ended_at: it.ended_at,
    }
}

impl<'a> Filter<'a> {
    fn within(reach: &'a Reach, person: Option<UserId>) -> Self {
        Self {
            everywhere: reach.everywhere(),
            teams: reach.teams(),
            projects: reach.projects(),
            person,
            at_most: 1,
            ..Self::default()
        }
    }
}
