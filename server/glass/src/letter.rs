//! Letters: the owners, who looks after security and everybody who is named are told of each step at once,
//! and once a day of each use that waits for its review.
//!
//! A letter that is to be sent is a row of the transaction that takes the step. At least once: one that was
//! taken just before this process died goes out again, under the same id.

use std::time::Duration;

use chrono::TimeDelta;
use ralex_kernel::Problem;
use ralex_mail::Mail;
use ralex_store::problem;
use tokio::time::MissedTickBehavior;
use tracing::warn;

use crate::BreakGlass;
use crate::sql::letter::{self as sql, Due, Step};

/// With the time that a mail server takes, a letter is on its way well within ten seconds.
const PACE: Duration = Duration::from_secs(2);
const AT_ONCE: i64 = 20;
/// So often a mail server is asked to take one letter.
const MOST_TRIES: i16 = 10;

impl BreakGlass {
    /// Sends letters for as long as it is polled; none where no mail server is set up.
    pub(crate) async fn run_letters(&self) {
        let mut ticks = tokio::time::interval(PACE);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while self.0.mailer.is_set_up() {
            ticks.tick().await;
            if let Err(why) = self.send_letters().await {
                let why = why.detail;
                warn!(
                    "letters about break-glass access could not be sent, the next try is soon: {why}"
                );
            }
        }
    }

    /// Sends what is due.
    pub async fn send_letters(&self) -> Result<(), Problem> {
        let now = self.0.clock.now();
        let mut tx = self.0.db.system("send letters about break-glass access").await?;
        // Claimed before it is sent: who dies in between leaves it to the next try.
        let due = sql::claim(&mut tx, AT_ONCE, now).await.map_err(problem)?;
        tx.commit().await.map_err(problem)?;
        for due in due {
            let taken = self.tell(&due).await?;
            if taken || due.tries >= MOST_TRIES {
                let mut tx = self.0.db.tenant(due.org).await?;
                sql::told(&mut tx, &due, self.0.clock.now()).await.map_err(problem)?;
                tx.commit().await.map_err(problem)?;
            }
        }
        Ok(())
    }

    /// Whether all letters were taken, or never will be.
    async fn tell(&self, due: &Due) -> Result<bool, Problem> {
        let mut tx = self.0.db.system("read whom to tell of break-glass access").await?;
        let people = sql::told_people(&mut tx, due.org, self.0.clock.now()).await;
        let people = people.map_err(problem)?;
        tx.rollback().await.map_err(problem)?;
        let mut all = true;
        for (user, address) in people {
            let Ok(to) = address.parse() else { continue };
            let mail = Mail {
                to: vec![to],
                subject: subject(due),
                text: self.text(due),
                id: Some(format!("break-glass-{}-{}-{}-{user}", due.id, due.step, due.tells)),
                ..Mail::default()
            };
            if let Err(failure) = self.0.mailer.send(&mail).await {
                let (id, why) = (due.id, &failure.why);
                warn!(break_glass.id = %id, "a letter about break-glass access was not taken: {why}");
                all &= failure.for_good;
            }
        }
        Ok(all)
    }

    fn text(&self, due: &Due) -> String {
        let place = match &self.0.public_url {
            Some(url) => {
                let base = url.as_str().trim_end_matches('/');
                format!("{base}/o/{}/break-glass", due.org_slug)
            }
            None => "the console, under Break-glass".to_owned(),
        };
        let time = |at: chrono::DateTime<chrono::Utc>| at.format("%Y-%m-%d %H:%M:%S UTC");
        let (asker, org) = (&due.asked_by, &due.org_name);
        let second = due.confirmed_by.as_deref().unwrap_or("nobody");
        let kind =
            if due.drill { "a drill of the break-glass access" } else { "the break-glass access" };
        let said = match due.step() {
            Some(Step::Asked) => format!(
                "{asker} asks for {kind} of {org}. Another named person can confirm it until {}; \
                 nothing is given before that. If you do not know why, withdraw it and ask them.",
                time(due.confirm_until)
            ),
            Some(Step::Opened) => format!(
                "{asker} and {second} have opened {kind} of {org}, until {}. Whatever they do is in \
                 the audit log under their names. An owner can end it at once.",
                due.until.map_or_else(String::new, |at| time(at).to_string())
            ),
            Some(Step::Ended) if due.confirmed_by.is_none() => {
                format!("{asker} had asked for {kind} of {org}. It came to nothing, and is over.")
            }
            Some(Step::Ended) if due.drill => {
                format!("{asker} and {second} have drilled {kind} of {org}. It gave nothing.")
            }
            Some(Step::Ended) => format!(
                "What {asker} and {second} had opened, {kind} of {org}, is over. Its review waits for \
                 somebody who was not in it."
            ),
            Some(Step::Review) | None => format!(
                "A use of {kind} of {org}, by {asker} and {second}, waits for its review. Somebody who \
                 was not in it has to look at what was done, and close it with a note."
            ),
        };
        format!(
            "{said}\n\nLook at it here: {place}\n\nThe reason stands there. It is known as {}.\n",
            due.id
        )
    }
}

fn subject(due: &Due) -> String {
    let org = &due.org_name;
    let what = if due.drill { "Break-glass drill" } else { "Break-glass access" };
    match due.step() {
        Some(Step::Asked) => format!("{what} asked for in {org}"),
        Some(Step::Opened) => format!("{what} is open in {org}"),
        Some(Step::Ended) => format!("{what} is over in {org}"),
        Some(Step::Review) | None => format!("{what} waits for its review in {org}"),
    }
}

/// How long the next try waits, after so many.
pub(crate) fn pause(tries: i16) -> TimeDelta {
    TimeDelta::seconds(15_i64.saturating_mul(1 << tries.clamp(0, 8)))
}
