//! Naming: what the keys of an answer are called.

use std::collections::HashMap;

use ralex_api::usage::GroupBy;
use ralex_kernel::{OrgId, Problem};
use ralex_store::{Tenant, problem};
use uuid::Uuid;

use crate::Usage;
use crate::sql::names::{self, Named};

/// The names of the keys of one answer.
pub(crate) struct Names {
    by: GroupBy,
    known: HashMap<Uuid, Named>,
}

impl Usage {
    /// Looks up what the ids among `keys` are called.
    pub(crate) async fn names(
        &self,
        mut tx: Tenant,
        org: OrgId,
        by: GroupBy,
        keys: impl Iterator<Item = &str>,
    ) -> Result<Names, Problem> {
        let ids: Vec<Uuid> = keys.filter_map(|key| key.parse().ok()).collect();
        let found = match by {
            GroupBy::Team => names::teams(&mut tx, org, &ids).await,
            GroupBy::Project => names::projects(&mut tx, org, &ids).await,
            GroupBy::User => names::people(&mut tx, org, &ids).await,
            GroupBy::ServiceAccount => names::service_accounts(&mut tx, org, &ids).await,
            GroupBy::Token => names::tokens(&mut tx, org, &ids).await,
            GroupBy::Model
            | GroupBy::Provider
            | GroupBy::TaskType
            | GroupBy::Tag
            | GroupBy::Day
            | GroupBy::Hour => Ok(HashMap::new()),
        };
        let mut known = found.map_err(problem)?;
        drop(tx);
        if by == GroupBy::Token && known.len() < ids.len() {
            let mut tx = self.db.system("name the personal tokens that made calls").await?;
            known.extend(names::personal_tokens(&mut tx, org, &ids).await.map_err(problem)?);
        }
        Ok(Names { by, known })
    }
}

impl Names {
    /// What is shown for a key, and its name.
    pub fn of(&self, key: String) -> (String, String) {
        if let Some(named) = key.parse().ok().and_then(|id: Uuid| self.known.get(&id)) {
            return (named.slug.clone().unwrap_or(key), named.name.clone());
        }
        let name = match (self.by, key.is_empty()) {
            (GroupBy::Team, true) => "No team",
            (GroupBy::Team, false) => "A deleted team",
            (GroupBy::Project, true) => "No project",
            (GroupBy::Project, false) => "A deleted project",
            (GroupBy::User, true) => "Nobody: a program",
            (GroupBy::User, false) => "Somebody who left",
            (GroupBy::ServiceAccount, true) => "No service account",
            (GroupBy::ServiceAccount, false) => "A deleted service account",
            (GroupBy::Token, true) => "Console",
            (GroupBy::Token, false) => "A deleted token",
            (GroupBy::TaskType, true) => "Not told apart",
            (
                GroupBy::Model
                | GroupBy::Provider
                | GroupBy::TaskType
                | GroupBy::Tag
                | GroupBy::Day
                | GroupBy::Hour,
                _,
            ) => &key,
        };
        let name = name.to_owned();
        (if key.is_empty() { "-".to_owned() } else { key }, name)
    }
}
