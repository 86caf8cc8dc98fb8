//! What is wanted of roles before it is saved, and what each role then allows.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use ralex_api::access::Role;
use yew::prelude::*;

/// The permissions that a role is to name itself (true), or no more (false), by the role's name.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Drafts(BTreeMap<String, BTreeMap<String, bool>>);

pub enum Step {
    /// The other way round than it is in sight; `saved` is how the server has it.
    Toggle { role: String, permission: String, saved: bool },
    /// As it is saved.
    Discard(String),
    /// These are saved now: what they already are is wanted no more.
    Settle(Rc<Vec<Role>>),
}

impl Reducible for Drafts {
    type Action = Step;

    fn reduce(self: Rc<Self>, step: Step) -> Rc<Self> {
        let mut next = self.0.clone();
        match step {
            Step::Toggle { role, permission, saved } => {
                let wanted = next.entry(role).or_default();
                if wanted.remove(&permission) != Some(!saved) {
                    wanted.insert(permission, !saved);
                }
            }
            Step::Discard(role) => {
                next.remove(&role);
            }
            Step::Settle(saved) => {
                for role in saved.iter() {
                    let Some(wanted) = next.get_mut(role.name.as_str()) else { continue };
                    wanted.retain(|name, allowed| role.direct.contains(name) != *allowed);
                }
                next.retain(|_, wanted| !wanted.is_empty());
            }
        }
        Rc::new(Self(next))
    }
}

impl Drafts {
    /// The permissions that the role would name itself.
    pub fn direct(&self, role: &Role) -> Vec<String> {
        let wanted = self.0.get(role.name.as_str());
        let stays = |it: &&String| wanted.and_then(|all| all.get(*it)) != Some(&false);
        let mut direct: Vec<String> = role.direct.iter().filter(stays).cloned().collect();
        let more = wanted.into_iter().flatten().filter(|(_, wanted)| **wanted);
        let more = more.map(|(name, _)| name).filter(|name| !role.direct.contains(name));
        direct.extend(more.cloned().collect::<Vec<_>>());
        direct
    }
}

/// How a role comes to allow something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Held {
    /// It names the permission itself.
    Own,
    /// A role that it includes does; this is that one's title.
    Through(AttrValue),
    Not,
}

/// All roles as they would be.
pub struct Sheet<'a> {
    roles: &'a [Role],
    drafts: &'a Drafts,
    allows: BTreeMap<&'a str, BTreeSet<String>>,
}

/// What a draft makes of a role, in names of permissions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Change {
    pub gives: Vec<String>,
    pub takes: Vec<String>,
    /// Named no more, and allowed all the same through a role that it includes.
    pub stays: Vec<(String, AttrValue)>,
}

impl<'a> Sheet<'a> {
    pub fn new(roles: &'a [Role], drafts: &'a Drafts) -> Self {
        let mut sheet = Self { roles, drafts, allows: BTreeMap::new() };
        for role in roles {
            let allows = sheet.allowed(role);
            sheet.allows.insert(role.name.as_str(), allows);
        }
        sheet
    }

    fn find(&self, name: &str) -> Option<&'a Role> {
        self.roles.iter().find(|role| role.name.as_str() == name)
    }

    /// The server lets no role include itself, so this ends.
    fn allowed(&self, role: &Role) -> BTreeSet<String> {
        let mut all: BTreeSet<String> = self.drafts.direct(role).into_iter().collect();
        for part in role.includes.iter().filter_map(|part| self.find(part.as_str())) {
            all.extend(self.allowed(part));
        }
        all
    }

    fn allows(&self, role: &str, permission: &str) -> bool {
        self.allows.get(role).is_some_and(|all| all.contains(permission))
    }

    /// The title of the role by which this one allows it as well.
    fn through(&self, role: &Role, permission: &str) -> Option<AttrValue> {
        let mut parts = role.includes.iter();
        let part = parts.find(|part| self.allows(part.as_str(), permission))?;
        self.find(part.as_str()).map(|part| part.title.clone().into())
    }

    pub fn held(&self, role: &Role, permission: &str) -> Held {
        if self.drafts.direct(role).iter().any(|name| name == permission) {
            return Held::Own;
        }
        self.through(role, permission).map_or(Held::Not, Held::Through)
    }

    /// The roles that something is wanted of.
    pub fn drafted(&self) -> Vec<&'a Role> {
        self.roles.iter().filter(|role| self.change(role) != Change::default()).collect()
    }

    pub fn change(&self, role: &Role) -> Change {
        let wanted = self.drafts.direct(role);
        let new = |name: &&String| !role.direct.contains(name);
        let gives = wanted.iter().filter(new).cloned().collect();
        let (mut takes, mut stays) = (Vec::new(), Vec::new());
        for name in role.direct.iter().filter(|name| !wanted.contains(name)) {
            match self.through(role, name) {
                Some(part) => stays.push((name.clone(), part)),
                None => takes.push(name.clone()),
            }
        }
        Change { gives, takes, stays }
    }

    /// Titles of the roles that allow something else because this one is changed.
    pub fn followers(&self, role: &Role) -> Vec<&'a str> {
        let includes = |other: &&Role| self.includes(other, role);
        self.roles.iter().filter(includes).map(|other| other.title.as_str()).collect()
    }

    fn includes(&self, other: &Role, role: &Role) -> bool {
        other.includes.iter().any(|part| {
            *part == role.name
                || self.find(part.as_str()).is_some_and(|part| self.includes(part, role))
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn role(name: &str, direct: &[&str], includes: &[&str]) -> Role {
        serde_json::from_value(json!({
            "name": name, "title": name.to_uppercase(), "description": "", "permissions": direct,
            "built_in": false, "direct": direct, "includes": includes,
        }))
        .unwrap()
    }

    fn toggled(steps: &[(&str, &str, bool)]) -> Drafts {
        let drafts =
            steps.iter().fold(Rc::new(Drafts::default()), |drafts, (role, name, saved)| {
                let (role, permission) = ((*role).to_owned(), (*name).to_owned());
                drafts.reduce(Step::Toggle { role, permission, saved: *saved })
            });
        Rc::unwrap_or_clone(drafts)
    }

    #[test]
    fn what_an_included_role_loses_the_one_that_includes_it_loses_too() {
        let roles = [role("low", &["a", "b"], &[]), role("high", &["c"], &["low"])];
        let drafts = toggled(&[("low", "a", true)]);
        let sheet = Sheet::new(&roles, &drafts);
        assert_eq!(sheet.held(&roles[1], "a"), Held::Not);
        assert_eq!(sheet.held(&roles[1], "b"), Held::Through("LOW".into()));
        assert_eq!(sheet.held(&roles[1], "c"), Held::Own);
        assert_eq!(sheet.followers(&roles[0]), ["HIGH"]);
        assert_eq!(sheet.change(&roles[0]).takes, ["a"]);
        assert_eq!(sheet.drafted().len(), 1);
    }

    #[test]
    fn what_is_toggled_back_is_no_change() {
        let roles = [role("low", &["a"], &[])];
        let drafts = toggled(&[("low", "a", true), ("low", "a", true), ("low", "b", false)]);
        let sheet = Sheet::new(&roles, &drafts);
        assert_eq!(sheet.change(&roles[0]).gives, ["b"]);
        assert_eq!(drafts.direct(&roles[0]), ["a", "b"]);
        let none = toggled(&[("low", "b", false), ("low", "b", false)]);
        assert!(Sheet::new(&roles, &none).drafted().is_empty());
    }

    #[test]
    fn what_somebody_else_saved_meanwhile_is_no_change_any_more() {
        let drafts = toggled(&[("low", "b", false)]);
        let saved = [role("low", &["a", "b"], &[])];
        assert!(Sheet::new(&saved, &drafts).drafted().is_empty());
        let again = Rc::new(drafts).reduce(Step::Toggle {
            role: "low".into(),
            permission: "b".into(),
            saved: true,
        });
        assert_eq!(Sheet::new(&saved, &again).change(&saved[0]).takes, ["b"]);
    }

    #[test]
    fn what_a_part_allows_as_well_stays_when_it_is_named_no_more() {
        let roles = [role("low", &["a"], &[]), role("high", &["a"], &["low"])];
        let drafts = toggled(&[("high", "a", true)]);
        let change = Sheet::new(&roles, &drafts).change(&roles[1]);
        assert_eq!(change.stays, [("a".to_owned(), "LOW".into())]);
        assert!(change.takes.is_empty());
    }
}
