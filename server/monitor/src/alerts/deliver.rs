//! Delivering: what is due is taken by one server, tried, and noted.
//!
//! Taking is a transaction that holds the channel: it says which deliveries go together, under
//! which id, and until when they count as lost should this server die. A later server then takes
//! the same ones under the same id, so that a receiver can tell that they come again.

use std::pin::pin;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use ralex_api::alerts::{AlertKind, ChannelKind};
use ralex_kernel::Problem;
use ralex_store::{Error, problem};
use serde_json::{Map, json};
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, timeout};
use tracing::warn;
use uuid::Uuid;

use super::raise::{Raise, raise};
use super::send::{Channel, Outcome};
use super::sql::deliveries::{DueChannel, Noted, Telling};
use super::sql::{self, rules};
use super::{Alerts, gauge, message};

const PACE: Duration = Duration::from_secs(1);
/// Tries under way at once on this server.
const AT_A_TIME: usize = 16;
/// After so long a try counts as lost; longer than any takes.
const LOST_AFTER: TimeDelta = TimeDelta::seconds(90);
/// How long those under way may take when the server ends.
const LAST_TRIES: Duration = Duration::from_secs(10);

/// Deliveries that go out in one message.
pub(crate) struct Batch {
    channel: DueChannel,
    id: Uuid,
    attempts: i32,
    give_up_at: DateTime<Utc>,
    alerts: Vec<Telling>,
}

impl Alerts {
    /// Delivers what is due, until `shutdown`.
    pub async fn deliver(&self, shutdown: impl Future<Output = ()>) {
        let mut shutdown = pin!(shutdown);
        let mut ticks = interval(PACE);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut trying = JoinSet::new();
        loop {
            tokio::select! {
                () = &mut shutdown => break,
                Some(_) = trying.join_next(), if !trying.is_empty() => {}
                _ = ticks.tick() => {
                    if let Err(error) = self.measure().await {
                        warn!(%error, "the queue of alerts cannot be measured: {error}");
                    }
                }
            }
            while trying.len() < AT_A_TIME {
                match self.take_batch().await {
                    Ok(Some(batch)) => {
                        let alerts = self.clone();
                        trying.spawn(async move { alerts.try_out(batch).await });
                    }
                    Ok(None) => break,
                    Err(error) => {
                        warn!(%error, "alerts cannot be delivered, the next try is soon: {error}");
                        break;
                    }
                }
            }
        }
        timeout(LAST_TRIES, async { while trying.join_next().await.is_some() {} }).await.ok();
    }

    /// Tries all that is due now, one after the other. For tests.
    #[cfg(test)]
    pub(crate) async fn deliver_now(&self) -> u32 {
        let mut tried = 0;
        while let Some(batch) = self.take_batch().await.unwrap() {
            self.try_out(batch).await;
            tried += 1;
        }
        tried
    }

    pub(crate) async fn take_batch(&self) -> Result<Option<Batch>, Error> {
        let now = self.0.parts.clock.now();
        let mut tx = self.0.db.system("take alerts that are to be delivered").await?;
        let Some(channel) = sql::deliveries::due_channel(&mut tx, now).await? else {
            return Ok(None);
        };
        let Some(first) = sql::deliveries::first(&mut tx, &channel, now).await? else {
            return Ok(None);
        };
        let together = first.held || first.beside >= self.0.book.delivery.together_from;
        let times = (now, now + LOST_AFTER);
        let taken = sql::deliveries::take(&mut tx, &channel, &first, together, times).await?;
        let alerts: Vec<Uuid> = taken.iter().map(|it| it.alert.uuid()).collect();
        let alerts = sql::deliveries::telling(&mut tx, channel.org, &alerts).await?;
        tx.commit().await?;
        Ok(Some(Batch {
            id: first.batch.unwrap_or(first.id),
            attempts: taken.iter().map(|it| it.attempts).max().unwrap_or(1),
            give_up_at: taken.iter().map(|it| it.give_up_at).max().unwrap_or(now),
            channel,
            alerts,
        }))
    }

    pub(crate) async fn try_out(&self, batch: Batch) {
        let outcome = match self.send_batch(&batch).await {
            Ok(outcome) => outcome,
            // Ours to mend, so it is tried again.
            Err(problem) => Outcome::Failed { why: problem.detail, retry_after: None },
        };
        let kind = batch.channel.kind.clone();
        metrics::counter!("ralex_alert_deliveries_total", "channel" => kind, "outcome" => outcome.name())
            .increment(1);
        if let Err(problem) = self.note(&batch, outcome).await {
            let why = &problem.detail;
            warn!(channel.id = %batch.channel.id, "what became of an alert cannot be noted: {why}");
        }
    }

    async fn send_batch(&self, batch: &Batch) -> Result<Outcome, Problem> {
        let channel = self.channel(&batch.channel)?;
        let links = self.0.parts.public_url.as_ref();
        let message = message::of_alerts(&self.0.book, &batch.channel, &batch.alerts, links);
        Ok(self.send(&channel, batch.id, &message).await)
    }

    fn channel(&self, due: &DueChannel) -> Result<Channel, Problem> {
        Channel::of(self, due.org, due.id, &due.kind, &due.target, due.sealed_secret.as_deref())
    }

    async fn note(&self, batch: &Batch, outcome: Outcome) -> Result<(), Problem> {
        let now = self.0.parts.clock.now();
        let channel = &batch.channel;
        let mut tx = self.0.db.system("note what became of alerts").await?;
        let noted = match &outcome {
            Outcome::Sent { .. } => Noted::Sent,
            Outcome::Refused { why } => Noted::GaveUp { why },
            Outcome::Failed { why, retry_after } => {
                let at = now + self.pause(batch.attempts, *retry_after);
                if at > batch.give_up_at { Noted::GaveUp { why } } else { Noted::Again { why, at } }
            }
        };
        let which = (batch.id, batch.attempts);
        if !sql::deliveries::note(&mut tx, channel, which, &noted, now).await.map_err(problem)? {
            return Ok(());
        }
        let subject = format!("alert_channel:{}", channel.id);
        match noted {
            Noted::Sent => {
                let kinds = [AlertKind::AlertUndelivered];
                sql::alerts::end(&mut tx, channel.org, &subject, &kinds, now)
                    .await
                    .map_err(problem)?;
            }
            Noted::Again { .. } => {}
            Noted::GaveUp { why } => {
                let raises = vec![undelivered(channel, subject, why, now)];
                raise(&mut tx, &self.0.book, now, raises).await.map_err(problem)?;
                warn!(channel.id = %channel.id, "alerts are given up that a channel does not take: {why}");
            }
        }
        tx.commit().await.map_err(problem)
    }

    /// Doubles with every try, and is never the same for two, so that receivers that were away are
    /// not asked by all at once.
    fn pause(&self, attempts: i32, retry_after: Option<u64>) -> TimeDelta {
        let delivery = &self.0.book.delivery;
        let doublings = u32::try_from(attempts - 1).unwrap_or(0).min(20);
        let pause = delivery.first_pause_seconds.saturating_mul(1 << doublings);
        let pause = pause.min(delivery.longest_pause_seconds).max(retry_after.unwrap_or(0));
        let millis = pause.min(24 * 3_600) * 1_000;
        let jitter = rand::random_range(0..=millis / 4);
        TimeDelta::milliseconds(i64::try_from(millis + jitter).unwrap_or(1_000))
    }

    async fn measure(&self) -> Result<(), Error> {
        let now = self.0.parts.clock.now();
        let mut tx = self.0.db.system("measure the queue of alerts").await?;
        let (count, oldest) = sql::deliveries::queue(&mut tx, now).await?;
        tx.rollback().await?;
        let age = oldest.map_or(0, |oldest| (now - oldest).num_seconds().max(0));
        metrics::gauge!("ralex_alert_deliveries_waiting").set(gauge(count));
        metrics::gauge!("ralex_alert_delivery_oldest_seconds").set(gauge(age));
        Ok(())
    }
}

fn undelivered(channel: &DueChannel, subject: String, why: &str, now: DateTime<Utc>) -> Raise {
    let kind = ChannelKind::named(&channel.kind).unwrap_or(ChannelKind::Webhook);
    let to = rules::shown(kind, &channel.target);
    let mut detail = Map::new();
    detail.insert("to".to_owned(), json!(to));
    detail.insert("failure".to_owned(), json!(why));
    detail.insert("rule".to_owned(), json!(channel.rule));
    Raise {
        org: channel.org,
        kind: AlertKind::AlertUndelivered,
        severity: None,
        dedup: format!("alert.undelivered:{subject}"),
        subject,
        subject_name: channel.rule_name.clone(),
        team: None,
        project: None,
        standing: true,
        detail,
        at: now,
        ends_at: None,
        event: None,
        count: 1,
    }
}
