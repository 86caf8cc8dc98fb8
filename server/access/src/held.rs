//! What somebody holds, and the roles that there are.

use ralex_api::access::{Role, RoleName};
use ralex_kernel::{Caller, OrgId, Problem, ScopePath, UserId};

use crate::Permissions;
use crate::access::Access;
use crate::narrow::within;
use crate::scope::Scope;

impl Access {
    /// What the caller holds: names of permissions in the whole organisation, and for each team
    /// or project those that come on top there.
    pub async fn permissions(
        &self,
        caller: &Caller,
        org: OrgId,
    ) -> Result<(Vec<String>, Vec<(ScopePath, Vec<String>)>), Problem> {
        let snapshot = match self.node.snapshot(org).await {
            Ok(snapshot) => snapshot,
            Err(why) => {
                let glass = self.blind_glass(caller, org, why).await?;
                return Ok((glass.rights.names(), Vec::new()));
            }
        };
        let glass = self.glass_of(&snapshot, caller).await;
        let by_glass = glass.map_or(Permissions::NONE, |glass| glass.rights);
        if snapshot.unwelcome(caller).is_some() {
            return Ok((by_glass.names(), Vec::new()));
        }
        let now = self.clock().now();
        let at = |place| within(caller, snapshot.permissions(caller.subject, place, now));
        let everywhere: Permissions = at(ScopePath::Org).union(by_glass);
        let extras = snapshot
            .places(caller.subject)
            .into_iter()
            .map(|place| (place, at(place).without(everywhere)))
            .filter(|(_, extra)| !extra.is_empty())
            .map(|(place, extra)| (place, extra.names()))
            .collect();
        Ok((everywhere.names(), extras))
    }

    /// Every role of the organisation with all that it allows.
    pub async fn roles(&self, org: OrgId) -> Result<Vec<Role>, Problem> {
        Ok(self.node.snapshot(org).await?.roles().shown())
    }

    /// The roles that a person holds in the organisation of `scope`, those that are not alive now
    /// left out.
    pub async fn roles_of(
        &self,
        scope: &Scope,
        user: UserId,
    ) -> Result<Vec<(RoleName, ScopePath)>, Problem> {
        let bound = self.bindings_of(scope, &[user]).await?;
        Ok(bound.into_iter().map(|held| (held.role, held.at)).collect())
    }
}
