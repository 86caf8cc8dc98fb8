//! Letters to those who decide: when a review opens, three days before its end, and at its end.
//!
//! That somebody is to be told is written down with what they are told of, once for each occasion. At
//! least once it is sent: who dies after a letter was taken sends it again, under the same id.

use std::collections::HashSet;

use chrono::TimeDelta;
use ralex_kernel::{AccessReviewId, GroupId, OrgId, ScopePath, UserId};
use ralex_mail::{Mail, Mailer};
use ralex_store::Error;
use sqlx::PgConnection;
use tracing::warn;
use url::Url;
use uuid::Uuid;

use super::on_behalf;
use crate::Permission;
use crate::access::Access;
use crate::rows::{Effect, Holder};
use crate::snapshot::Snapshot;
use crate::sql::review::{self as all, Stored};
use crate::sql::review_letter::{self as sql, Letter};

/// So often a mail server is asked.
const MOST_TRIES: i32 = 8;
/// Letters that one server has in hand at a time.
const AT_ONCE: i64 = 20;

/// What somebody is told of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Occasion {
    Opened,
    Soon,
    Closed,
}

impl Occasion {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Opened => "opened",
            Self::Soon => "soon",
            Self::Closed => "closed",
        }
    }
}

impl Access {
    /// Has those who decide be told.
    pub(super) async fn write_to(
        &self,
        conn: &mut PgConnection,
        current: &Snapshot,
        review: &Stored,
        occasion: Occasion,
    ) -> Result<(), sqlx::Error> {
        let (org, now) = (current.org(), self.clock().now());
        let places = sql::places(conn, org, review.id).await?;
        let people = self.reviewers(current, review, &places);
        sql::insert(conn, org, (review.id, occasion.as_str()), &people, now).await
    }

    /// Has those who decide be told that little time is left, once.
    pub(super) async fn remind(&self, org: OrgId, id: AccessReviewId) -> Result<(), Error> {
        let mut tx = self.db().tenant(org).await?;
        let Some(review) = all::hold(&mut tx, org, id).await? else { return Ok(()) };
        let Ok(current) = self.read(&mut tx, org).await else { return Ok(()) };
        all::reminded(&mut tx, org, id, self.clock().now()).await?;
        if crate::sql::review_item::undecided(&mut tx, org, id).await? > 0 {
            self.write_to(&mut tx, &current, &review, Occasion::Soon).await?;
        }
        tx.commit().await?;
        Ok(())
    }

    /// Those whom a review names, or else whoever may take roles away where something is reviewed.
    fn reviewers(&self, current: &Snapshot, review: &Stored, places: &[ScopePath]) -> Vec<Uuid> {
        let named = review.people.iter().copied().map(UserId::from);
        let groups = review.groups.iter().map(|group| GroupId::from(*group));
        let grouped = groups.flat_map(|group| current.people_of(group).to_vec());
        let candidates: HashSet<UserId> = if review.names_reviewers() {
            named.chain(grouped).collect()
        } else {
            binders(current)
        };
        let may = |user: &UserId| {
            let caller = on_behalf(*user);
            let now = self.clock().now();
            let rights = |at: &ScopePath| current.permissions(caller.subject, *at, now);
            places.iter().any(|at| rights(at).contains(Permission::RoleBind))
        };
        candidates.into_iter().filter(may).map(UserId::uuid).collect()
    }

    /// Sends what is to be sent, and says how much that was.
    pub(super) async fn send_letters(
        &self,
        mailer: &Mailer,
        public_url: Option<&Url>,
    ) -> Result<usize, Error> {
        let now = self.clock().now();
        let mut tx = self.db().system("take letters about reviews of access").await?;
        let letters = sql::take(&mut tx, (now, now + TimeDelta::minutes(5)), AT_ONCE).await?;
        tx.commit().await?;
        for letter in &letters {
            let sent = mailer.send(&written(letter, public_url)).await;
            let now = self.clock().now();
            let state = match sent {
                Ok(()) => ("sent", now),
                Err(failure) => {
                    let id = letter.review;
                    if mailer.is_set_up() {
                        warn!(access_review.id = %id, "a letter about the review {id} was not sent: {}", failure.why);
                    }
                    let over =
                        failure.for_good || !mailer.is_set_up() || letter.tries >= MOST_TRIES;
                    let wait = TimeDelta::minutes(1 << letter.tries.clamp(0, 10));
                    if over { ("failed", now) } else { ("waiting", now + wait) }
                }
            };
            metrics::counter!("ralex_access_review_letters_total", "state" => state.0).increment(1);
            let mut tx = self.db().tenant(letter.org).await?;
            sql::done(&mut tx, letter, state).await?;
            tx.commit().await?;
        }
        Ok(letters.len())
    }
}

/// Members who hold a role by which roles are given and taken somewhere, so that not everybody has to be
/// asked about every place.
fn binders(current: &Snapshot) -> HashSet<UserId> {
    let bindings = current.rows().bindings.iter();
    let giving = bindings.filter(|binding| {
        let rights = current.roles().permissions_of(&binding.role);
        binding.effect == Effect::Allow && rights.contains(Permission::RoleBind)
    });
    giving
        .flat_map(|binding| match binding.holder {
            Holder::User(user) => vec![user],
            Holder::Group(group) => current.people_of(group).to_vec(),
            Holder::Machine(_) => Vec::new(),
        })
        .collect()
}

fn written(letter: &Letter, public_url: Option<&Url>) -> Mail {
    let Letter { org_name, name, review, .. } = letter;
    let until = letter.due_at.map(|due| due.format("%Y-%m-%d %H:%M UTC").to_string());
    let until = until.unwrap_or_default();
    let (subject, text) = match letter.occasion.as_str() {
        "opened" => (
            format!("Access review \"{name}\" of {org_name} is open until {until}"),
            "You are among those who decide who keeps which role.",
        ),
        "soon" => (
            format!("Access review \"{name}\" of {org_name} ends on {until}"),
            "Some roles are not decided about yet.",
        ),
        _ => (
            format!("Access review \"{name}\" of {org_name} is closed"),
            "What was decided is done. Its evidence can be signed and downloaded.",
        ),
    };
    let place = match public_url {
        Some(url) => {
            let base = url.as_str().trim_end_matches('/');
            format!("{base}/o/{}/people?view=reviews&review={review}", letter.org_slug)
        }
        None => format!("It is in Ralex under People, Access reviews, as {review}."),
    };
    Mail {
        to: vec![letter.to.clone()],
        subject,
        text: format!("{text}\n\n{place}\n"),
        html: None,
        attachments: Vec::new(),
        id: Some(format!("access-review-{review}-{}-{}", letter.occasion, letter.user)),
    }
}
