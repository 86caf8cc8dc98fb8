//! Roles that an organisation defines for itself.
//!
//! Who defines a role decides what all of its holders may do, at any place. So it needs to hold, in
//! the whole organisation, all that the role allows and all that it allowed before; and where the
//! role is denied to someone, the right to deny.

use ralex_api::access::{NewRole, PermissionInfo, Role, UpdateRole};
use ralex_audit::Event;
use ralex_kernel::{Code, OrgId, Problem, ScopePath};
use ralex_store::{Tenant, problem};
use sqlx::PgConnection;

use crate::access::Access;
use crate::policies::{OWNER, Refusal, SERVICE, role_name};
use crate::roles::{OWN, OwnRole, Roles};
use crate::rows::{Binding, Effect};
use crate::scope::Scope;
use crate::snapshot::Snapshot;
use crate::sql::role as sql;
use crate::standing::Standing;
use crate::unsettled::Unsettled;
use crate::{Permission, Permissions, duties};

/// Roles that one organisation may have of its own.
const MOST: usize = 100;
/// The longest description, in characters.
const LONGEST: usize = 500;

impl Access {
    /// Every permission there is, and what it allows.
    pub fn permission_list(&self) -> Vec<PermissionInfo> {
        self.node.policies.permissions_told().to_vec()
    }

    /// One role of the organisation, built in or its own.
    pub async fn role(&self, org: OrgId, name: &str) -> Result<Role, Problem> {
        let snapshot = self.snapshot(org).await?;
        snapshot.roles().find(name).ok_or_else(|| Problem::not_found("role"))
    }

    /// Defines a role.
    pub async fn create_role(&self, scope: &Scope, new: NewRole) -> Result<Role, Problem> {
        let name = role_name(new.name.as_str()).map_err(|_| {
            let rule =
                "must be 1 to 63 lower-case letters, digits or \"_\", and start with a letter";
            Problem::field("name", rule)
        })?;
        let wanted = OwnRole {
            name,
            title: new.title.to_string(),
            description: new.description.unwrap_or_default(),
            permissions: new.permissions,
            includes: new.includes.into_iter().map(|role| role.0).collect(),
            version: 0,
        };
        let mut tx = self.db().tenant(scope.org()).await?;
        self.define(&mut tx, scope, &wanted).await?;
        self.defined(tx, scope, &wanted.name).await
    }

    /// Defines a role within a transaction.
    pub(crate) async fn define(
        &self,
        conn: &mut PgConnection,
        scope: &Scope,
        wanted: &OwnRole,
    ) -> Result<(), Problem> {
        let current = self.lock(&mut *conn, scope.org()).await?;
        if current.roles().has(&wanted.name) {
            let detail = format!("There is a role \"{}\" already.", wanted.name);
            return Err(Problem::new(Code::AlreadyExists, detail));
        }
        if current.rows().roles.len() >= MOST {
            let detail = format!("An organisation has at most {MOST} roles of its own.");
            return Err(Problem::new(Code::Conflict, detail));
        }
        let after = self.check_definition(&current, scope, wanted)?;
        self.no_owner_by_definition(&mut *conn, scope, (&current, &after)).await?;
        let by = scope.caller().subject.to_string();
        sql::insert(&mut *conn, scope.org(), wanted, &by).await.map_err(problem)?;
        let event = Event::RoleCreated {
            role: wanted.name.clone(),
            permissions: wanted.permissions.clone(),
            includes: wanted.includes.clone(),
        };
        ralex_audit::record(conn, scope.author(), event).await.map_err(problem)?;
        Ok(())
    }

    /// Changes a role of the organisation's own; what is absent stays as it is. Where `version` is given,
    /// only that version of it.
    pub async fn update_role(
        &self,
        scope: &Scope,
        name: &str,
        (change, version): (UpdateRole, Option<u64>),
    ) -> Result<Role, Problem> {
        let mut tx = self.db().tenant(scope.org()).await?;
        let current = self.lock(&mut tx, scope.org()).await?;
        let old = own_role(&current, name)?.clone();
        meant(&old, version)?;
        let includes = change.includes.map(|all| all.into_iter().map(|role| role.0).collect());
        let wanted = OwnRole {
            name: old.name.clone(),
            title: change.title.map_or_else(|| old.title.clone(), |title| title.to_string()),
            description: change.description.unwrap_or_else(|| old.description.clone()),
            permissions: change.permissions.unwrap_or_else(|| old.permissions.clone()),
            includes: includes.unwrap_or_else(|| old.includes.clone()),
            version: old.version,
        };
        if wanted == old {
            drop(tx);
            return self.role(scope.org(), name).await;
        }
        self.redefine(&mut tx, scope, &current, &wanted).await?;
        self.defined(tx, scope, &wanted.name).await
    }

    /// Changes a role to what is wanted, within a transaction that has locked the rights.
    pub(crate) async fn redefine(
        &self,
        conn: &mut PgConnection,
        scope: &Scope,
        current: &Snapshot,
        wanted: &OwnRole,
    ) -> Result<(), Problem> {
        let after = self.check_definition(current, scope, wanted)?;
        self.no_owner_by_definition(&mut *conn, scope, (current, &after)).await?;
        sql::update(&mut *conn, scope.org(), wanted).await.map_err(problem)?;
        let event = Event::RoleUpdated {
            role: wanted.name.clone(),
            permissions: wanted.permissions.clone(),
            includes: wanted.includes.clone(),
        };
        ralex_audit::record(conn, scope.author(), event).await.map_err(problem)?;
        Ok(())
    }

    /// Deletes a role that nobody holds, that is denied to nobody, and that no other role includes. Where
    /// `version` is given, only that version of it.
    pub async fn delete_role(
        &self,
        scope: &Scope,
        name: &str,
        version: Option<u64>,
    ) -> Result<(), Problem> {
        let org = scope.org();
        let mut tx = self.db().tenant(org).await?;
        self.undefine(&mut tx, scope, (name, version)).await?;
        self.commit(tx, org).await
    }

    /// Deletes such a role within a transaction.
    pub(crate) async fn undefine(
        &self,
        conn: &mut PgConnection,
        scope: &Scope,
        (name, version): (&str, Option<u64>),
    ) -> Result<(), Problem> {
        let org = scope.org();
        let current = self.lock(&mut *conn, org).await?;
        meant(own_role(&current, name)?, version)?;
        let bound = current.rows().bindings.iter().filter(|held| held.role == name).count();
        let includes = |role: &&OwnRole| role.includes.iter().any(|included| included == name);
        let parent = current.rows().roles.iter().find(includes);
        if bound > 0 {
            let times = if bound == 1 { "once".to_owned() } else { format!("{bound} times") };
            let detail = format!(
                "The role {name} is given or denied {times}; take it away first. `GET …/bindings` \
                 with `role={name}` lists where."
            );
            return Err(Problem::new(Code::Conflict, detail));
        }
        if let Some(parent) = parent {
            let detail = format!("The role {} includes it; change that one first.", parent.name);
            return Err(Problem::new(Code::Conflict, detail));
        }
        sql::delete(&mut *conn, org, name).await.map_err(problem)?;
        let event = Event::RoleDeleted { role: name.to_owned() };
        ralex_audit::record(conn, scope.author(), event).await.map_err(problem)?;
        Ok(())
    }

    async fn defined(&self, tx: Tenant, scope: &Scope, name: &str) -> Result<Role, Problem> {
        self.commit(tx, scope.org()).await?;
        self.role(scope.org(), name).await
    }

    /// Whether this caller may define the role so, with what that does to all who hold it.
    fn check_definition(
        &self,
        current: &Snapshot,
        scope: &Scope,
        wanted: &OwnRole,
    ) -> Result<Snapshot, Problem> {
        check_shape(current.roles(), wanted)?;
        let mut rows = current.rows().clone();
        rows.roles.retain(|role| role.name != wanted.name);
        rows.roles.push(wanted.clone());
        let roles = Roles::compile(&rows.roles, &self.node.policies).map_err(impossible)?;
        if let Some(duty) = roles.contradicts(&wanted.name) {
            let rule = format!("has {duty}, whose holder may hold nothing that it does not allow");
            return Err(Problem::field("includes", rule));
        }
        let before = current.roles().permissions_of(&wanted.name);
        let change = (before, roles.permissions_of(&wanted.name));
        self.may_define(current, scope, &wanted.name, change)?;
        let after = Snapshot::compile(scope.org(), rows, &self.node.policies).map_err(|why| {
            Problem::new(Code::Conflict, format!("The organisation's rights would not fit: {why}."))
        })?;
        duties::keep_defined_apart(&after, &wanted.name, self.clock().now())?;
        Ok(after)
    }

    fn may_define(
        &self,
        current: &Snapshot,
        scope: &Scope,
        role: &str,
        (before, after): (Permissions, Permissions),
    ) -> Result<(), Problem> {
        let at = ScopePath::Org;
        let Some(own) = self.may(current, scope, Permission::RoleDefine, at)? else {
            return Ok(());
        };
        if let Some(permission) = before.union(after).without(own).iter().next() {
            let detail = format!(
                "The role {role} allows {permission}, or did so before, which you do not hold in the \
                 whole organisation; nobody can decide about what they do not hold."
            );
            return Err(Problem::new(Code::GrantExceedsOwn, detail));
        }
        let made_of_it = |held: &&Binding| current.roles().is_made_of(&held.role, role);
        let all = || current.rows().bindings.iter().filter(made_of_it);
        for denial in all().filter(|held| held.effect == Effect::Deny) {
            let at = denial.scope().unwrap_or(ScopePath::Org);
            self.may(current, scope, Permission::RoleDeny, at)?;
        }
        let more = after.without(before);
        if more.is_empty() {
            return Ok(());
        }
        // Whoever holds the role has from now on what is added to it, as if they were given that.
        let given =
            |user| all().any(|held| held.effect == Effect::Allow && current.is_about(held, user));
        Self::may_by_glass(scope, role, given)?;
        let (by, now) = (scope.caller().subject, self.clock().now());
        Standing::of(current, by, &Unsettled::default(), now).widens(role, more)
    }
}

fn own_role<'a>(current: &'a Snapshot, name: &str) -> Result<&'a OwnRole, Problem> {
    if let Some(row) = current.roles().row(name) {
        return Ok(row);
    }
    if current.roles().has(name) {
        let detail = format!(
            "The role {name} comes with the deployment and is not the organisation's to change; \
             define one that includes it."
        );
        return Err(Problem::new(Code::Conflict, detail));
    }
    Err(Problem::not_found("role"))
}

/// Refuses where the role is not as it was read.
fn meant(role: &OwnRole, version: Option<u64>) -> Result<(), Problem> {
    if version.is_none_or(|version| version == role.version) {
        return Ok(());
    }
    let detail = format!("The role {} was changed since you read it. Read it again.", role.name);
    Err(Problem::new(Code::PreconditionFailed, detail))
}

pub(crate) fn check_shape(known: &Roles, wanted: &OwnRole) -> Result<(), Problem> {
    if wanted.description.chars().count() > LONGEST {
        let rule = format!("must have at most {LONGEST} characters");
        return Err(Problem::field("description", rule));
    }
    if wanted.permissions.is_empty() && wanted.includes.is_empty() {
        return Err(Problem::field("permissions", "must name one, or `includes` a role"));
    }
    for (at, name) in wanted.permissions.iter().enumerate() {
        let field = format!("permissions[{at}]");
        if name.parse::<Permission>().is_err() {
            return Err(Problem::field(field, format!("is not a permission: \"{name}\"")));
        }
        if wanted.permissions[..at].contains(name) {
            return Err(Problem::field(field, "stands there twice"));
        }
    }
    for (at, name) in wanted.includes.iter().enumerate() {
        let field = format!("includes[{at}]");
        if *name == wanted.name {
            return Err(Problem::field(field, "is the role itself"));
        }
        if !known.has(name) {
            return Err(Problem::field(field, format!("is not a role: \"{name}\"")));
        }
        if [OWNER, SERVICE].contains(&name.as_str()) {
            return Err(Problem::field(field, "cannot be part of another role"));
        }
        if wanted.includes[..at].contains(name) {
            return Err(Problem::field(field, "stands there twice"));
        }
    }
    Ok(())
}

pub(crate) fn impossible(why: Refusal) -> Problem {
    match why {
        Refusal::Cycle(name, path) => {
            let (name, path) = (name.replace(OWN, ""), path.replace(OWN, ""));
            let rule = format!("make {name} hold itself, through {}", path.replace(" > ", ", "));
            Problem::field("includes", rule)
        }
        Refusal::TooDeep(name) => Problem::field(
            "includes",
            format!("make {} more than six roles deep", name.replace(OWN, "")),
        ),
        why => Problem::new(Code::Internal, format!("The roles cannot be compiled: {why}")),
    }
}
