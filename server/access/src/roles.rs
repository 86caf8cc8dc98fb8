//! The roles of one organisation: those of the policies, and its own.
//!
//! An own role is compiled by the same rules as the lines of `roles.csv`. Where both have one of a
//! name, the own one counts for bindings and for own roles that include it, which were made with it
//! in mind: a new version of the program must not change what they give. Built-in roles never mean an
//! own one, so none can come to hold itself by a name.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use ralex_api::access::{Role, RoleName};
use serde::Deserialize;

use crate::Permissions;
use crate::policies::{Compiled, Holding, Line, OWNER, Policies, Refusal, compile_roles};

/// What stands before the name of an own role, where both kinds stand together.
pub(crate) const OWN: &str = "own:";

/// A role that the organisation defined, as its row has it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(crate) struct OwnRole {
    pub name: String,
    pub title: String,
    pub description: String,
    /// Names of permissions.
    pub permissions: Vec<String>,
    /// Names of roles, all of which it allows as well.
    pub includes: Vec<String>,
    /// Which state of it this is. What history keeps has none.
    #[serde(default)]
    pub version: u64,
}

/// Every role of one organisation, compiled.
#[derive(Debug)]
pub(crate) struct Roles {
    built_in: Arc<Policies>,
    own: Option<Own>,
}

/// What there is where the organisation has roles of its own.
#[derive(Debug)]
struct Own {
    rows: BTreeMap<String, OwnRole>,
    lines: Vec<Line>,
    compiled: HashMap<String, Compiled>,
    /// Roles that include one that there is not any more.
    partial: BTreeSet<String>,
}

impl Roles {
    /// # Errors
    /// Where own roles hold each other in a circle or too deep, which no write lets happen.
    pub fn compile(own: &[OwnRole], built_in: &Arc<Policies>) -> Result<Self, Refusal> {
        let built_in = Arc::clone(built_in);
        if own.is_empty() {
            return Ok(Self { built_in, own: None });
        }
        let rows: BTreeMap<_, _> =
            own.iter().map(|role| (role.name.clone(), role.clone())).collect();
        let exists = |name: &str| rows.contains_key(name) || built_in.has_role(name);
        let key = |name: &str| key(rows.contains_key(name), name);
        let mut lines: Vec<_> = built_in.lines().to_vec();
        let mut partial = BTreeSet::new();
        for role in rows.values() {
            let line = |holds| Line { role: key(&role.name), holds };
            // A permission that the program knows no more gives nothing, and denies nothing.
            let known = role.permissions.iter().filter_map(|name| name.parse().ok());
            lines.extend(known.map(|permission| line(Holding::Permission(permission))));
            let (there, gone): (Vec<_>, Vec<_>) =
                role.includes.iter().cloned().partition(|name| exists(name));
            lines.extend(there.iter().map(|name| line(Holding::Role(key(name)))));
            if !gone.is_empty() {
                partial.insert(role.name.clone());
            }
        }
        // One that holds nothing which the program knows is a role all the same, and may be part of others.
        let known: Vec<_> = rows.keys().map(|name| key(name)).collect();
        let mut all = compile_roles(&lines, &known)?;
        let own = rows.keys().filter_map(|name| Some((name.clone(), all.remove(&key(name))?)));
        let compiled = own.collect();
        Ok(Self { built_in, own: Some(Own { rows, lines, compiled, partial }) })
    }

    /// The same with other roles of the organisation's own.
    pub fn with_own(&self, own: &[OwnRole]) -> Result<Self, Refusal> {
        Self::compile(own, &self.built_in)
    }

    pub fn has(&self, role: &str) -> bool {
        self.row(role).is_some() || self.built_in.has_role(role)
    }

    /// Whether the organisation defined it.
    pub fn row(&self, role: &str) -> Option<&OwnRole> {
        self.own.as_ref()?.rows.get(role)
    }

    /// Whether the deployment has one of that name, whatever the organisation has.
    pub fn is_built_in(&self, role: &str) -> bool {
        self.built_in.has_role(role)
    }

    pub fn own(&self) -> impl Iterator<Item = &OwnRole> {
        self.own.iter().flat_map(|own| own.rows.values())
    }

    /// Whether all that the role is made of is there. A denial by one that is not would open in
    /// silence.
    pub fn is_whole(&self, role: &str) -> bool {
        self.has(role)
            && !self.own.as_ref().is_some_and(|own| {
                own.partial.iter().any(|partial| self.names(role).contains(partial.as_str()))
            })
    }

    /// All that a role allows; nothing where it does not exist.
    pub fn permissions_of(&self, role: &str) -> Permissions {
        match self.own.as_ref().filter(|own| own.rows.contains_key(role)) {
            None => self.built_in.permissions_of(role),
            Some(own) => own.compiled.get(role).map_or(Permissions::NONE, |it| it.permissions),
        }
    }

    /// Whether it allows all that owners may, whatever it is called.
    pub fn is_owner(&self, role: &str) -> bool {
        self.permissions_of(OWNER).without(self.permissions_of(role)).is_empty()
    }

    /// Whether `role` may give and take `other` by name, which only built-in roles say and only of
    /// built-in ones.
    pub fn may_bind(&self, role: &str, other: &str) -> bool {
        let built_in = self.row(role).is_none() && self.row(other).is_none();
        built_in && self.built_in.may_bind(role, other)
    }

    /// Whether nobody may hold both of these roles: the policies say so of the two, or one is made
    /// of a role that excludes others and the other one allows more than that role does.
    pub fn are_apart(&self, one: &str, other: &str) -> bool {
        if self.row(one).is_none() && self.row(other).is_none() {
            return self.built_in.are_apart(one, other);
        }
        let excludes = |one: &str, other: &str| {
            let beyond = |duty: &&str| {
                !self.permissions_of(other).without(self.permissions_of(duty)).is_empty()
            };
            self.duties(one).any(|duty| beyond(&duty))
        };
        excludes(one, other) || excludes(other, one)
    }

    /// The role that an own one includes although it allows more than who holds that one may.
    pub fn contradicts<'a>(&'a self, role: &'a str) -> Option<&'a str> {
        let all = self.permissions_of(role);
        let mut duties = self.duties(role);
        duties.find(|duty| !all.without(self.permissions_of(duty)).is_empty())
    }

    /// Every role with all that it allows: the built-in ones in the order in which they are shown,
    /// then the organisation's own by name.
    pub fn shown(&self) -> Vec<Role> {
        let built_in = self.built_in.roles().iter();
        let built_in = built_in.filter(|role| self.row(role.name.as_str()).is_none()).cloned();
        built_in.chain(self.own().map(|role| self.show(role))).collect()
    }

    /// One role with all that it allows.
    pub fn find(&self, name: &str) -> Option<Role> {
        match self.row(name) {
            Some(own) => Some(self.show(own)),
            None => self.built_in.roles().iter().find(|it| it.name.as_str() == name).cloned(),
        }
    }

    fn show(&self, role: &OwnRole) -> Role {
        Role {
            name: RoleName(role.name.clone()),
            title: role.title.clone(),
            description: role.description.clone(),
            permissions: self.permissions_of(&role.name).names(),
            built_in: false,
            direct: role.permissions.clone(),
            includes: role.includes.iter().cloned().map(RoleName).collect(),
            version: role.version,
        }
    }

    /// casbin's lines.
    pub fn lines(&self) -> &[Line] {
        self.own.as_ref().map_or_else(|| self.built_in.lines(), |own| &own.lines)
    }

    /// What casbin calls a role.
    pub fn key(&self, role: &str) -> String {
        key(self.row(role).is_some(), role)
    }

    pub fn model(&self) -> &str {
        self.built_in.model()
    }

    /// Whether `role` is `other`, or includes it.
    pub fn is_made_of(&self, role: &str, other: &str) -> bool {
        self.names(role).contains(other)
    }

    /// The roles that exclude others among those that this one is made of.
    fn duties<'a>(&'a self, role: &'a str) -> impl Iterator<Item = &'a str> {
        let names = self.names(role).into_iter();
        names.filter(|name| self.row(name).is_none() && self.built_in.excludes_others(name))
    }

    /// A role and all that it is made of.
    fn names<'a>(&'a self, role: &'a str) -> BTreeSet<&'a str> {
        let (mut found, mut next) = (BTreeSet::new(), vec![role]);
        while let Some(name) = next.pop() {
            if found.insert(name) {
                let row = self.row(name).into_iter();
                next.extend(row.flat_map(|row| &row.includes).map(String::as_str));
            }
        }
        found
    }
}

/// No built-in role has a colon in its name.
fn key(is_own: bool, name: &str) -> String {
    if is_own { format!("{OWN}{name}") } else { name.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Permission;

    fn role(name: &str, permissions: &[&str], includes: &[&str]) -> OwnRole {
        let owned = |names: &[&str]| names.iter().map(|it| (*it).to_owned()).collect();
        OwnRole {
            name: name.to_owned(),
            title: name.to_owned(),
            description: String::new(),
            permissions: owned(permissions),
            includes: owned(includes),
            version: 1,
        }
    }

    fn compiled(own: &[OwnRole]) -> Result<Roles, Refusal> {
        Roles::compile(own, &Arc::new(Policies::load(None).unwrap()))
    }

    #[test]
    fn a_role_allows_what_it_names_and_all_that_it_includes() {
        let own = [role("keeper", &["secret.read"], &["viewer"]), role("more", &[], &["keeper"])];
        let roles = compiled(&own).unwrap();
        let viewer = roles.permissions_of("viewer");
        assert_eq!(roles.permissions_of("keeper"), viewer.with(Permission::SecretRead));
        assert_eq!(roles.permissions_of("more"), roles.permissions_of("keeper"));
        assert!(roles.has("more") && roles.has("owner") && !roles.has("none"));
        assert_eq!(roles.shown().len(), compiled(&[]).unwrap().shown().len() + 2);
    }

    #[test]
    fn what_holds_nothing_that_the_program_knows_is_a_role_all_the_same() {
        let own = [role("empty", &["moon.read"], &[]), role("more", &["org.read"], &["empty"])];
        let roles = compiled(&own).unwrap();
        assert_eq!(roles.permissions_of("empty"), Permissions::NONE);
        assert_eq!(roles.permissions_of("more"), Permissions::NONE.with(Permission::OrgRead));
        assert!(roles.has("empty") && roles.is_whole("more"));
    }

    #[test]
    fn circles_and_towers_are_refused() {
        let circle = [role("a", &[], &["b"]), role("b", &[], &["a"])];
        assert!(matches!(compiled(&circle), Err(Refusal::Cycle(..))));
        let tower = |deep: usize| {
            let link = |i: usize| role(&format!("r{i}"), &[], &[&format!("r{}", i + 1)]);
            let mut own: Vec<_> = (1..deep).map(link).collect();
            own.push(role(&format!("r{deep}"), &["org.read"], &[]));
            compiled(&own)
        };
        assert!(matches!(tower(7), Err(Refusal::TooDeep(_))));
        assert!(tower(6).is_ok());
    }

    #[test]
    fn what_is_gone_gives_nothing_and_is_told() {
        let own = [role("a", &["org.read", "moon.read"], &["gone"]), role("b", &[], &["a"])];
        let roles = compiled(&own).unwrap();
        assert_eq!(roles.permissions_of("b"), Permissions::NONE.with(Permission::OrgRead));
        assert!(!roles.is_whole("a") && !roles.is_whole("b") && roles.is_whole("viewer"));
    }

    #[test]
    fn who_checks_does_not_also_do_under_another_name() {
        let own = [
            role("checker", &[], &["auditor"]),
            role("doer", &["budget.set"], &[]),
            role("reader", &["call.read"], &[]),
            role("both", &["budget.set"], &["auditor"]),
        ];
        let roles = compiled(&own).unwrap();
        assert!(roles.are_apart("auditor", "doer") && roles.are_apart("doer", "checker"));
        assert!(roles.are_apart("checker", "developer") && roles.are_apart("auditor", "admin"));
        assert!(!roles.are_apart("checker", "reader") && !roles.are_apart("checker", "viewer"));
        assert!(!roles.are_apart("doer", "developer"));
        assert_eq!(roles.contradicts("both"), Some("auditor"));
        assert_eq!((roles.contradicts("checker"), roles.contradicts("doer")), (None, None));
    }

    #[test]
    fn an_own_role_of_a_built_in_name_counts() {
        let roles = compiled(&[role("viewer", &["org.read"], &[])]).unwrap();
        let only = Permissions::NONE.with(Permission::OrgRead);
        assert_eq!(roles.permissions_of("viewer"), only);
        assert!(!roles.may_bind("admin", "viewer") && roles.may_bind("admin", "developer"));
        assert_eq!(roles.shown().iter().filter(|it| it.name.as_str() == "viewer").count(), 1);
        assert!(roles.permissions_of("developer").contains(Permission::TeamRead));
        let around = compiled(&[role("viewer", &[], &["developer"])]).unwrap();
        assert_eq!(around.permissions_of("viewer"), roles.permissions_of("developer"));
    }
}
