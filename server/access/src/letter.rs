//! Letters: who is told by mail of reviews of access, and of requests for access.
//!
//! That somebody is to be told is written down with what they are told of, once for each occasion. At
//! least once it is sent: who dies after a letter was taken sends it again, under the same id.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use ralex_kernel::{Code, Problem, ScopePath, UserId};
use ralex_mail::{Mail, Mailer};
use ralex_store::{Sweeper, problem};
use tracing::warn;
use url::Url;

use crate::Permission;
use crate::access::Access;
use crate::rows::{Effect, Holder};
use crate::snapshot::Snapshot;
use crate::sql::letter::{self as sql, Letter};

const SENDER: Sweeper = Sweeper {
    name: "access_letters",
    why: "send letters about access",
    pace: Duration::from_secs(5),
    // Letters that one server has in hand at a time.
    at_once: 20,
};
/// So often a mail server is asked.
const MOST_TRIES: i32 = 8;

/// What somebody is told of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Occasion {
    Opened,
    Soon,
    Closed,
    Asked,
    Decided,
}

impl Occasion {
    const ALL: [Self; 5] = [Self::Opened, Self::Soon, Self::Closed, Self::Asked, Self::Decided];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Opened => "opened",
            Self::Soon => "soon",
            Self::Closed => "closed",
            Self::Asked => "asked",
            Self::Decided => "decided",
        }
    }

    pub const fn about(self) -> &'static str {
        match self {
            Self::Opened | Self::Soon | Self::Closed => "review",
            Self::Asked | Self::Decided => "request",
        }
    }
}

/// What a letter says.
pub(crate) struct Written {
    pub subject: String,
    pub text: String,
    /// Where in the console it is, as the view and what follows it, and in words.
    pub place: (String, String),
}

impl Access {
    /// Sends letters about access, at once and then steadily, until `shutdown`; links in them begin with
    /// `public_url`.
    pub async fn run_letters(
        &self,
        mailer: &Mailer,
        public_url: Option<&Url>,
        shutdown: impl Future<Output = ()>,
    ) {
        SENDER.run(shutdown, || self.send_letters(mailer, public_url)).await;
    }

    /// Sends what is to be sent, and says how much that was.
    async fn send_letters(&self, mailer: &Mailer, url: Option<&Url>) -> Result<u64, Problem> {
        let mut all = 0;
        loop {
            let now = self.clock().now();
            let mut tx = self.db().system(SENDER.why).await?;
            let until = (now, now + TimeDelta::minutes(5));
            let letters = sql::take(&mut tx, until, SENDER.at_once).await.map_err(problem)?;
            tx.commit().await.map_err(problem)?;
            if letters.is_empty() {
                return Ok(all);
            }
            all += letters.len() as u64;
            for letter in &letters {
                self.send_one(letter, mailer, url).await?;
            }
        }
    }

    async fn send_one(
        &self,
        letter: &Letter,
        mailer: &Mailer,
        url: Option<&Url>,
    ) -> Result<(), Problem> {
        let occasion = Occasion::ALL.into_iter().find(|it| it.as_str() == letter.occasion);
        let about = occasion.map_or("unknown", Occasion::about);
        let written = match occasion {
            Some(it @ (Occasion::Opened | Occasion::Soon | Occasion::Closed)) => {
                self.about_review(letter, it).await?
            }
            Some(Occasion::Asked) => self.about_asked(letter).await?,
            Some(Occasion::Decided) => self.about_decided(letter).await?,
            // A newer version wrote it, and knows what it says.
            None => None,
        };
        let state = match written {
            Some(written) => {
                let mail = mail(letter, about, &written, url);
                self.became(letter, about, mailer, &mail).await
            }
            None => ("failed", self.clock().now()),
        };
        metrics::counter!("ralex_access_letters_total", "about" => about, "state" => state.0)
            .increment(1);
        let mut tx = self.db().tenant(letter.org).await?;
        sql::done(&mut tx, letter, state).await.map_err(problem)?;
        tx.commit().await.map_err(problem)
    }

    /// Asks the mail server to take it, and says what becomes of it and when it is looked at again.
    async fn became(
        &self,
        letter: &Letter,
        about: &str,
        mailer: &Mailer,
        mail: &Mail,
    ) -> (&'static str, DateTime<Utc>) {
        let sent = mailer.send(mail).await;
        let now = self.clock().now();
        let Err(failure) = sent else { return ("sent", now) };
        if mailer.is_set_up() {
            let id = letter.id;
            warn!("a letter about the {about} {id} was not sent: {}", failure.why);
        }
        let over = failure.for_good || !mailer.is_set_up() || letter.tries >= MOST_TRIES;
        let wait = TimeDelta::minutes(1 << letter.tries.clamp(0, 10));
        if over { ("failed", now) } else { ("waiting", now + wait) }
    }
}

fn mail(letter: &Letter, about: &str, written: &Written, url: Option<&Url>) -> Mail {
    let Letter { id, occasion, user, org_slug, .. } = letter;
    let place = match url {
        Some(url) => {
            let base = url.as_str().trim_end_matches('/');
            format!("{base}/o/{org_slug}/people?view={}", written.place.0)
        }
        None => format!("It is in Ralex under {}, as {id}.", written.place.1),
    };
    Mail {
        to: vec![letter.to.clone()],
        subject: written.subject.clone(),
        text: format!("{}\n\n{place}\n", written.text),
        id: Some(format!("access-{about}-{id}-{occasion}-{user}")),
        ..Mail::default()
    }
}

/// A moment, as letters say it.
pub(crate) fn time(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%d %H:%M UTC").to_string()
}

/// What is there, where something can be gone.
pub(crate) fn there<T>(found: Result<T, Problem>) -> Result<Option<T>, Problem> {
    match found {
        Ok(found) => Ok(Some(found)),
        Err(gone) if gone.code == Code::NotFound => Ok(None),
        Err(why) => Err(why),
    }
}

/// Who holds a role by which roles are given and taken, and where, so that not everybody has to be asked
/// about every place.
pub(crate) fn givers(current: &Snapshot) -> impl Iterator<Item = (ScopePath, UserId)> {
    let giving = current.rows().bindings.iter().filter(|binding| {
        let rights = current.roles().permissions_of(&binding.role);
        binding.effect == Effect::Allow && rights.contains(Permission::RoleBind)
    });
    giving.flat_map(|binding| {
        let people = match &binding.holder {
            Holder::User(user) => std::slice::from_ref(user),
            Holder::Group(group) => current.people_of(*group),
            Holder::Machine(_) => &[],
        };
        binding.scope().into_iter().flat_map(|at| people.iter().map(move |user| (at, *user)))
    })
}
