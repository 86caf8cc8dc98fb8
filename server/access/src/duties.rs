//! Separation of duty: who checks does not also do. Some roles exclude others, wherever they are held
//! in the organisation, and whether by name or by a group.

use std::collections::{BTreeSet, HashMap, HashSet};

use chrono::{DateTime, Utc};
use ralex_kernel::{Code, Problem};

use crate::rows::{Effect, Holder};
use crate::snapshot::Snapshot;

/// Names of roles that are given and have not ended, by their holders.
struct Given<'a> {
    current: &'a Snapshot,
    by_holder: HashMap<Holder, BTreeSet<&'a str>>,
}

impl<'a> Given<'a> {
    fn of(current: &'a Snapshot, now: DateTime<Utc>) -> Self {
        let mut by_holder: HashMap<Holder, BTreeSet<&str>> = HashMap::new();
        for binding in &current.rows().bindings {
            if binding.effect == Effect::Allow && binding.expires_at.is_none_or(|end| now < end) {
                by_holder.entry(binding.holder).or_default().insert(&binding.role);
            }
        }
        Self { current, by_holder }
    }

    /// What a holder has, by groups too.
    fn to(&self, holder: Holder) -> impl Iterator<Item = &'a str> {
        let groups = match holder {
            Holder::User(user) => self.current.groups_of(user),
            Holder::Machine(_) | Holder::Group(_) => &[],
        };
        let all = groups.iter().copied().map(Holder::Group).chain([holder]);
        all.filter_map(|holder| self.by_holder.get(&holder)).flatten().copied()
    }

    fn check(&self, holder: Holder, role: &str) -> Result<(), Problem> {
        let roles = self.current.roles();
        let other = self.to(holder).find(|held| roles.are_apart(held, role));
        other.map_or(Ok(()), |held| Err(apart(held, role)))
    }
}

/// Refuses a role for a person, a program, or a group, where somebody would then hold two that
/// exclude each other.
pub(crate) fn keep_apart(
    current: &Snapshot,
    holder: Holder,
    role: &str,
    now: DateTime<Utc>,
) -> Result<(), Problem> {
    let given = Given::of(current, now);
    let people = match holder {
        Holder::Group(group) => current.people_of(group),
        Holder::User(_) | Holder::Machine(_) => &[],
    };
    let people = people.iter().copied().map(Holder::User);
    people.chain([holder]).try_for_each(|holder| given.check(holder, role))
}

/// Refuses a definition of `role` by which somebody would hold two roles that exclude each other.
pub(crate) fn keep_defined_apart(
    after: &Snapshot,
    role: &str,
    now: DateTime<Utc>,
) -> Result<(), Problem> {
    let given = Given::of(after, now);
    let people = after.rows().members.iter().copied().map(Holder::User);
    let holders: HashSet<_> = given.by_holder.keys().copied().chain(people).collect();
    for holder in holders {
        let mut touched = given.to(holder).filter(|held| after.roles().is_made_of(held, role));
        touched.try_for_each(|held| given.check(holder, held))?;
    }
    Ok(())
}

fn apart(held: &str, role: &str) -> Problem {
    let detail = format!(
        "The roles {held} and {role} exclude each other: who checks does not also do. Take the role \
         {held} away first."
    );
    Problem::new(Code::Conflict, detail)
}
