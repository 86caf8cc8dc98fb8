//! Filters: which events a list or an export is about.

use chrono::{DateTime, TimeDelta, Utc};
use ralex_kernel::{Email, Problem};
use sqlx::PgConnection;
use uuid::Uuid;

/// How far apart the time in an event's id and the time it tells of may lie. An id is made when
/// the event is recorded, a moment after it happened.
const SLACK: TimeDelta = TimeDelta::days(1);

/// A filter as the queries take it: what is absent does not matter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Filter {
    pub actor_kind: Option<&'static str>,
    pub actor_id: Option<Uuid>,
    pub action: Option<String>,
    pub action_prefix: Option<String>,
    pub from: Option<DateTime<Utc>>,
    pub to: Option<DateTime<Utc>>,
}

impl Filter {
    /// Reads what a caller wrote; an e-mail address is looked up among the org's people.
    pub async fn read(
        conn: &mut PgConnection,
        actor: Option<&str>,
        action: Option<&str>,
        from: Option<DateTime<Utc>>,
        to: Option<DateTime<Utc>>,
    ) -> Result<Self, Problem> {
        let mut filter = Self { from, to, ..Self::default() };
        if let Some(actor) = actor.filter(|text| !text.is_empty()) {
            filter.read_actor(conn, actor).await?;
        }
        if let Some(action) = action.filter(|text| !text.is_empty()) {
            filter.read_action(action)?;
        }
        Ok(filter)
    }

    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The ids between which everything in the time span lies, so that the primary key finds it.
    pub fn ids(&self) -> (Option<Uuid>, Option<Uuid>) {
        let first = self.from.and_then(|from| from.checked_sub_signed(SLACK)).map(first_id_at);
        let last = self.to.and_then(|to| to.checked_add_signed(SLACK)).map(first_id_at);
        (first, last)
    }

    async fn read_actor(&mut self, conn: &mut PgConnection, actor: &str) -> Result<(), Problem> {
        let (kind, id) = match actor.split_once(':') {
            None if actor == "system" => ("system", None),
            Some(("user", id)) => ("user", Some(read_id(id)?)),
            Some(("token", id)) => ("token", Some(read_id(id)?)),
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
}

fn read_id(text: &str) -> Result<Uuid, Problem> {
    text.parse().map_err(|_| Problem::field("actor", "must have an id after the colon"))
}

/// The person's id, or one that nobody has: a stranger has done nothing here.
async fn find_person(conn: &mut PgConnection, text: &str) -> Result<Uuid, Problem> {
    let email: Email = text.parse().map_err(|_| {
        let rule = "must be \"user:<id>\", \"token:<id>\", \"system\" or an e-mail address";
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
