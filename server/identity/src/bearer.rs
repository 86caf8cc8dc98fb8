//! Bearers: who a binding is about, found by what it is called.

use ralex_access::Bearer;
use ralex_kernel::{OrgId, Problem, UserId};
use ralex_store::problem;

use crate::{Identity, sql};

impl Identity {
    /// Who `user:<id or e-mail>`, `group:<slug or id>` or `service_account:<slug or id>` is.
    pub async fn bearer(&self, org: OrgId, text: &str) -> Result<Bearer, Problem> {
        let unknown = |kind: &str, name: &str| {
            let rule = format!("names a {kind} that this organisation does not have: {name}");
            Problem::field("subject", rule)
        };
        match text.split_once(':') {
            Some(("user", name)) => {
                let mut tx = self.db.tenant(org).await?;
                let found = sql::user::find_member(&mut tx, org, name).await.map_err(problem)?;
                found.map(Bearer::User).ok_or_else(|| unknown("member", name))
            }
            Some(("service_account", name)) => {
                let found = self.account(org, name).await?;
                let found = found.map(|account| Bearer::Account(account.id));
                found.ok_or_else(|| unknown("service account", name))
            }
            Some(("group", name)) => {
                let found = self.access.group_of(org, name).await?;
                found.map(Bearer::Group).ok_or_else(|| unknown("group", name))
            }
            _ => {
                let forms = "is not `user:<id or e-mail>`, `group:<slug or id>` or \
                             `service_account:<slug or id>`";
                Err(Problem::field("subject", forms))
            }
        }
    }

    /// The members of a list, each by e-mail address or id, in the field of this name.
    pub async fn members_of(
        &self,
        org: OrgId,
        field: &str,
        texts: &[String],
    ) -> Result<Vec<UserId>, Problem> {
        let mut tx = self.db.tenant(org).await?;
        let mut found = Vec::new();
        for (place, text) in texts.iter().enumerate() {
            let name = text.trim().trim_start_matches("user:");
            let member = sql::user::find_member(&mut tx, org, name).await.map_err(problem)?;
            found.push(member.ok_or_else(|| {
                let rule = format!("names a member that this organisation does not have: {name}");
                Problem::field(format!("{field}[{place}]"), rule)
            })?);
        }
        Ok(found)
    }

    /// The same for a list of them, in the field of this name.
    pub async fn bearers(
        &self,
        org: OrgId,
        field: &str,
        texts: &[String],
    ) -> Result<Vec<Bearer>, Problem> {
        let mut found = Vec::new();
        for (place, text) in texts.iter().enumerate() {
            let bearer = self.bearer(org, text).await.map_err(|mut problem| {
                for error in &mut problem.errors {
                    error.path = format!("{field}[{place}]");
                }
                problem
            })?;
            found.push(bearer);
        }
        Ok(found)
    }
}
