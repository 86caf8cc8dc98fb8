//! Filters: which events a list or an export is about.

use chrono::{DateTime, TimeDelta, Utc};
use ralex_kernel::{Email, Problem};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::Outcome;

/// How far apart the time in an event's id and the time it tells of may lie. Both are taken when
/// the event is made; they differ only while a clock was put back, since ids never go back.
const SLACK: TimeDelta = TimeDelta::hours(1);

/// What calls are as targets.
const CALL: &str = "call:";

const TARGET_MAX: usize = 200;

/// What a caller wrote.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Words<'a> {
    pub actor: Option<&'a str>,
    pub action: Option<&'a str>,
    pub target: Option<&'a str>,
    pub outcome: Option<&'a str>,
    pub from: Option<DateTime<Utc>>,
    pub to: Option<DateTime<Utc>>,
}

/// A filter as the queries take it: what is absent does not matter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Filter {
    pub actor_kind: Option<&'static str>,
    pub actor_id: Option<Uuid>,
    pub action: Option<String>,
    pub action_prefix: Option<String>,
    pub target: Option<String>,
    pub target_prefix: Option<String>,
    /// The call that the target is.
    pub call: Option<Uuid>,
    pub outcome: Option<&'static str>,
    pub from: Option<DateTime<Utc>>,
    pub to: Option<DateTime<Utc>>,
}

impl Filter {
    /// Reads what a caller wrote; an e-mail address is looked up among the org's people.
    pub async fn read(conn: &mut PgConnection, words: Words<'_>) -> Result<Self, Problem> {
        let mut filter = Self { from: words.from, to: words.to, ..Self::default() };
        let written = |word: Option<&'_ str>| word.map(str::to_owned).filter(|it| !it.is_empty());
        if let Some(actor) = written(words.actor) {
            filter.read_actor(conn, &actor).await?;
        }
        if let Some(action) = written(words.action) {
            filter.read_action(&action)?;
        }
        if let Some(target) = written(words.target) {
            filter.read_target(&target)?;
        }
        if let Some(outcome) = written(words.outcome) {
            filter.outcome = Some(read_outcome(&outcome)?);
        }
        Ok(filter)
    }

    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Whether it says nothing but when.
    pub fn is_of_time_only(&self) -> bool {
        *self == Self { from: self.from, to: self.to, ..Self::default() }
    }

    /// The ids between which everything in the time span lies, so that the primary key finds it.
    pub fn ids(&self) -> (Option<Uuid>, Option<Uuid>) {
        let first = self.from.and_then(|from| from.checked_sub_signed(SLACK)).map(first_id_at);
        let last = self.to.and_then(|to| to.checked_add_signed(SLACK)).map(first_id_at);
        (first, last)
    }

    /// Between which texts (the second is not one of them) the targets lie that begin as asked, by
    /// their bytes. The last byte of a prefix is never the highest. Absent where nearly all events
    /// of an action that has such targets are meant, which their ids find in order; teams and
    /// projects are among the scopes of actions that are mostly about others.
    pub fn targets(&self) -> Option<(String, String)> {
        let prefix = self.target_prefix.as_ref()?;
        if prefix.ends_with(':') && !matches!(prefix.as_str(), "team:" | "project:") {
            return None;
        }
        let mut end = prefix.clone();
        let last = end.pop()?;
        end.push(char::from_u32(u32::from(last) + 1)?);
        Some((prefix.clone(), end))
    }

    async fn read_actor(&mut self, conn: &mut PgConnection, actor: &str) -> Result<(), Problem> {
        let (kind, id) = match actor.split_once(':') {
            None if actor == "system" => ("system", None),
            Some(("user", id)) => ("user", Some(read_id(id)?)),
            Some(("token", id)) => ("token", Some(read_id(id)?)),
            Some(("service_account", id)) => ("service_account", Some(read_id(id)?)),
            Some(("directory", id)) => ("directory", Some(read_id(id)?)),
            None | Some(_) => ("user", Some(find_person(conn, actor).await?)),
        };
        (self.actor_kind, self.actor_id) = (Some(kind), id);
        Ok(())
    }

    fn read_action(&mut self, action: &str) -> Result<(), Problem> {
        let subject = action.strip_suffix('*');
        let plain = subject.unwrap_or(action);
        if !plain.chars().all(|c| c.is_ascii_lowercase() || c == '.' || c == '_') {
            let rule = "must be an action such as \"budget.created\", or \"budget.*\"";
            return Err(Problem::field("action", rule));
        }
        match subject {
            Some(prefix) => self.action_prefix = Some(prefix.to_owned()),
            None => self.action = Some(action.to_owned()),
        }
        Ok(())
    }

    fn read_target(&mut self, target: &str) -> Result<(), Problem> {
        let rule = "must be a target such as \"budget:<id>\", or \"budget:*\"";
        let wrong = || Problem::field("target", rule);
        let plain = target.strip_suffix('*').unwrap_or(target);
        if plain.len() > TARGET_MAX || !plain.chars().all(|c| c.is_ascii_graphic() && c != '*') {
            return Err(wrong());
        }
        if plain.len() < target.len() {
            // All calls are found by their actions; a part of a call's id is nowhere in order.
            if !plain.contains(':') || plain.starts_with(CALL) && plain != CALL {
                return Err(wrong());
            }
            self.target_prefix = Some(plain.to_owned());
        } else {
            let call = plain.strip_prefix(CALL).map(|id| id.parse().map_err(|_| wrong()));
            self.call = call.transpose()?;
            self.target = Some(plain.to_owned());
        }
        Ok(())
    }
}

fn read_outcome(text: &str) -> Result<&'static str, Problem> {
    let known = Outcome::ALL.into_iter().map(Outcome::as_str).find(|known| *known == text);
    known.ok_or_else(|| {
        Problem::field("outcome", "must be \"success\", \"intent\", \"denied\" or \"error\"")
    })
}

fn read_id(text: &str) -> Result<Uuid, Problem> {
    text.parse().map_err(|_| Problem::field("actor", "must have an id after the colon"))
}

/// The person's id, or one that nobody has: a stranger has done nothing here.
async fn find_person(conn: &mut PgConnection, text: &str) -> Result<Uuid, Problem> {
    let email: Email = text.parse().map_err(|_| {
        let rule = "must be \"user:<id>\", \"token:<id>\", \"service_account:<id>\", \"system\" or \
                    an e-mail address";
        Problem::field("actor", rule)
    })?;
    let id = sqlx::query_scalar!("select id from app_user where email_key = $1", email.key())
        .fetch_optional(conn)
        .await
        .map_err(ralex_store::problem)?;
    Ok(id.unwrap_or(Uuid::nil()))
}

/// The smallest id (UUID version 7) of that millisecond.
fn first_id_at(instant: DateTime<Utc>) -> Uuid {
    let millis = u64::try_from(instant.timestamp_millis()).unwrap_or(0);
    uuid::Builder::from_unix_timestamp_millis(millis, &[0; 10]).into_uuid()
}
