//! What is asked for: from when to when, of what, and by what it is told apart.

use chrono::{DateTime, Utc};
use ralex_access::{Places, Sight};
use ralex_api::usage::{Bucket, GroupBy, UsageQuery};
use ralex_kernel::{OrgId, Problem};
use ralex_store::{Tenant, problem};
use uuid::Uuid;

use crate::range::{Range, begin, hour};
use crate::sql::names;

/// One question to the sums.
#[derive(Clone, Debug)]
pub(crate) struct Ask {
    pub org: OrgId,
    pub range: Range,
    pub by: GroupBy,
    pub only: Only,
    /// When the days that are told apart begin, and the parts of the series.
    pub days: Vec<DateTime<Utc>>,
    pub parts: Vec<DateTime<Utc>>,
    /// From when on all calls are there; from the first where nothing is said.
    pub calls_from: Option<DateTime<Utc>>,
}

/// What calls have to be of.
#[derive(Clone, Debug, Default)]
pub(crate) struct Only {
    /// The parts of the organisation that the asker may see.
    pub within: Places,
    pub team: Option<Uuid>,
    pub project: Option<Uuid>,
    pub user: Option<Uuid>,
    /// One token, or all of a service account.
    pub tokens: Option<Vec<Uuid>>,
    pub provider: Option<String>,
    pub model: Option<String>,
    pub task_type: Option<String>,
    pub tag: Option<String>,
}

impl Ask {
    /// The smallest slice that tells apart all that is asked for.
    pub fn slices(&self) -> (&'static str, &'static str) {
        match (self.tells_what(), self.tells_place(), self.tells_who()) {
            (true, true, _) | (true, _, true) => ("all_day", "all_hour"),
            (false, _, true) => ("who_day", "who_hour"),
            (false, true, false) => ("place_day", "place_hour"),
            (true, false, false) => ("what_day", "what_hour"),
            (false, false, false) => ("time_day", "time_hour"),
        }
    }

    pub fn new(org: OrgId, range: Range, by: GroupBy, only: Only) -> Self {
        Self { org, range, by, only, days: Vec::new(), parts: Vec::new(), calls_from: None }
    }

    /// Whole days, but where anything is told apart that does not begin with one of UTC.
    pub fn whole(&self) -> Range {
        let fits = self.begins().all(|at| begin(at, Bucket::Day) == at);
        if fits && self.by != GroupBy::Hour { self.range } else { self.range.by_the_hour() }
    }

    /// The hours in which a day begins, as in zones that are half an hour off: only their calls tell
    /// which day they are of. An hour of which calls were pruned is of the day that it begins in.
    pub fn split(&self) -> Vec<DateTime<Utc>> {
        let Range { first, last, .. } = self.whole();
        let within = self.begins().filter(|at| hour(*at) != *at).map(hour).filter(|hour| {
            *hour >= first && *hour < last && self.calls_from.is_none_or(|from| *hour >= from)
        });
        let mut hours: Vec<_> = within.collect();
        hours.sort_unstable();
        hours.dedup();
        hours
    }

    fn begins(&self) -> impl Iterator<Item = DateTime<Utc>> {
        self.days.iter().chain(&self.parts).copied()
    }

    const fn tells_what(&self) -> bool {
        let Only { provider, model, task_type, .. } = &self.only;
        matches!(self.by, GroupBy::Model | GroupBy::Provider | GroupBy::TaskType)
            || provider.is_some()
            || model.is_some()
            || task_type.is_some()
    }

    const fn tells_place(&self) -> bool {
        let Only { within, team, project, .. } = &self.only;
        matches!(self.by, GroupBy::Team | GroupBy::Project)
            || !within.everywhere()
            || team.is_some()
            || project.is_some()
    }

    const fn tells_who(&self) -> bool {
        let Only { user, tokens, .. } = &self.only;
        matches!(self.by, GroupBy::User | GroupBy::ServiceAccount | GroupBy::Token)
            || user.is_some()
            || tokens.is_some()
    }
}

impl Only {
    pub fn within(sight: &impl Sight) -> Self {
        Self { within: sight.places(), ..Self::default() }
    }

    /// What a question names, looked up where the asker may see. Something that was deleted is still
    /// found by its id.
    pub async fn of(
        tx: &mut Tenant,
        sight: &impl Sight,
        query: &UsageQuery,
    ) -> Result<Self, Problem> {
        let mut only = Self {
            provider: query.provider.clone(),
            model: query.model.clone(),
            task_type: query.task_type.clone(),
            tag: query.tag.clone(),
            ..Self::within(sight)
        };
        let org = sight.org();
        if let Some(name) = &query.team {
            let found = names::team(tx, org, name, &only.within).await.map_err(problem)?;
            only.team = Some(known("team", name, found)?);
        }
        if let Some(name) = &query.project {
            let found = names::project(tx, org, name, &only.within).await.map_err(problem)?;
            only.project = Some(known("project", name, found)?);
        }
        if let Some(name) = &query.user {
            let found = names::member(tx, org, name).await.map_err(problem)?;
            // Who is not there and who is elsewhere are the same to somebody who sees some places only.
            let nobody = (!only.within.org).then(Uuid::max);
            only.user = Some(known("user", name, found.or(nobody))?);
        }
        if let Some(id) = &query.token {
            only.tokens = Some(vec![known("token", id, None)?]);
        }
        if let Some(name) = &query.service_account {
            let field = "service_account";
            let found =
                names::service_account(tx, org, name, &only.within).await.map_err(problem)?;
            let none = || Problem::field(field, "names no service account of this organisation");
            let mut its =
                names::tokens_of(tx, org, found.ok_or_else(none)?).await.map_err(problem)?;
            if let Some(named) = &only.tokens {
                its.retain(|token| named.contains(token));
            }
            only.tokens = Some(its);
        }
        Ok(only)
    }
}

fn known(field: &'static str, name: &str, found: Option<Uuid>) -> Result<Uuid, Problem> {
    let id = found.or_else(|| name.parse().ok());
    id.ok_or_else(|| Problem::field(field, format!("names no {field} of this organisation")))
}
