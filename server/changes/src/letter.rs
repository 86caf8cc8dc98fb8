//! Letters: who may confirm a change is told that one waits, and where to look.
//!
//! A letter says nothing of the change itself, since whoever reads somebody's mail may not know of it.
//! At least once: one that was taken just before this process died goes out again, under the same id.

use std::time::Duration;

use chrono::TimeDelta;
use ralex_kernel::{Code, Problem};
use ralex_mail::Mail;
use ralex_store::problem;
use tokio::time::MissedTickBehavior;
use tracing::warn;

use crate::Changes;
use crate::sql::{self, Due};

const PACE: Duration = Duration::from_secs(5);
/// So many changes are told of at once.
const AT_ONCE: i64 = 20;
/// So often a mail server is asked for one change.
const MOST_TRIES: i16 = 6;

impl Changes {
    /// Sends letters for as long as it is polled; none where no mail server is set up.
    pub(crate) async fn run_letters(&self) {
        let mut ticks = tokio::time::interval(PACE);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while self.0.mailer.is_set_up() {
            ticks.tick().await;
            if let Err(why) = self.send_letters().await {
                let why = why.detail;
                warn!("who may confirm changes could not be told, the next try is soon: {why}");
            }
        }
    }

    /// Tells of each change that begins to wait, and of those whose letters were not taken.
    pub async fn send_letters(&self) -> Result<(), Problem> {
        let now = self.0.clock.now();
        let mut tx = self.0.db.system("tell of changes that wait for a second person").await?;
        // Claimed before it is sent: who dies in between leaves it to the next try.
        let due = sql::claim(&mut tx, AT_ONCE, now).await.map_err(problem)?;
        tx.commit().await.map_err(problem)?;
        for due in due {
            let taken = self.tell(&due).await?;
            if taken || due.tries >= MOST_TRIES {
                let mut tx = self.0.db.tenant(due.org).await?;
                sql::told(&mut tx, due.org, due.id).await.map_err(problem)?;
                tx.commit().await.map_err(problem)?;
            }
        }
        Ok(())
    }

    /// Whether all letters were taken.
    async fn tell(&self, due: &Due) -> Result<bool, Problem> {
        let people = match self.0.access.seconds(due.org, due.id).await {
            Ok(people) => people,
            // The organisation is closed or gone, and nobody there can confirm anything.
            Err(gone) if gone.code == Code::NotFound => return Ok(true),
            Err(why) => return Err(why),
        };
        let mut tx = self.0.db.system("read the addresses of who may confirm a change").await?;
        let addresses = sql::addresses(&mut tx, &people).await.map_err(problem)?;
        tx.rollback().await.map_err(problem)?;
        let mut all = true;
        for (user, address) in addresses {
            let Ok(to) = address.parse() else { continue };
            let mail = Mail {
                to: vec![to],
                subject: format!("A change in {} waits for a second person", due.org_name),
                text: self.text(due),
                id: Some(format!("change-{}-{user}", due.id)),
                ..Mail::default()
            };
            if let Err(failure) = self.0.mailer.send(&mail).await {
                let (id, why) = (due.id, &failure.why);
                warn!(change_request = %id, "a letter about the change {id} was not taken: {why}");
                all &= failure.for_good;
            }
        }
        Ok(all)
    }

    fn text(&self, due: &Due) -> String {
        let until = due.until.format("%Y-%m-%d %H:%M UTC");
        let place = match &self.0.public_url {
            Some(url) => {
                let base = url.as_str().trim_end_matches('/');
                format!("{base}/o/{}/approvals?view=changes", due.org_slug)
            }
            None => "the console, under Approvals, Changes".to_owned(),
        };
        format!(
            "Somebody in {} has asked for a change that takes two people. You may confirm or refuse it \
             until {until}; nothing is done before that.\n\nLook at it here: {place}\n\nThis letter \
             says nothing of the change itself. It is known as {}.\n",
            due.org_name, due.id,
        )
    }
}

/// How long the next try waits, after so many.
pub(crate) fn pause(tries: i16) -> TimeDelta {
    TimeDelta::minutes(2_i64.saturating_mul(1 << tries.clamp(0, 6)))
}
