//! Owners: an organisation always keeps one who can log in and to whom nothing is denied.

use std::collections::HashSet;

use ralex_kernel::{Code, Problem, ScopePath, UserId};

use crate::policies::OWNER;
use crate::rows::{Binding, Effect, Holder};
use crate::snapshot::Snapshot;

/// Refuses to take these bindings where no owner would be left, or not the one who may come in if
/// single sign-on fails.
pub(crate) fn keep_one(current: &Snapshot, taken: &[&Binding]) -> Result<(), Problem> {
    let taken: HashSet<_> = taken.iter().map(|binding| binding.id).collect();
    let mut named = lasting(current).filter(|(_, owner)| Some(*owner) == break_glass(current));
    if named.clone().any(|(own, _)| taken.contains(&own.id))
        && named.all(|(own, _)| taken.contains(&own.id))
    {
        return Err(named_owner());
    }
    let mut owners = lasting(current);
    if !owners.clone().any(|(owner, _)| taken.contains(&owner.id))
        || owners.any(|(owner, _)| !taken.contains(&owner.id))
    {
        return Ok(());
    }
    Err(last_owner())
}

/// Refuses to deny anything at `at` to these people where no owner would be left to whom nothing is
/// denied, or to the one who may come in if single sign-on fails.
pub(crate) fn keep_one_undenied(
    current: &Snapshot,
    at: ScopePath,
    denied: impl Fn(UserId) -> bool,
) -> Result<(), Problem> {
    if at == ScopePath::Org && break_glass(current).is_some_and(&denied) {
        return Err(named_owner());
    }
    let mut owners = lasting(current).map(|(_, owner)| owner);
    let hit = owners.clone().any(&denied);
    if at != ScopePath::Org || !hit || owners.any(|owner| !denied(owner)) {
        return Ok(());
    }
    Err(last_owner())
}

/// Refuses to do without somebody where no owner would be left, or not the one who may come in if single
/// sign-on fails.
pub(crate) fn keep_one_without(current: &Snapshot, user: UserId) -> Result<(), Problem> {
    if break_glass(current) == Some(user) {
        return Err(named_owner());
    }
    let mut owners = lasting(current).map(|(_, owner)| owner);
    let hit = owners.clone().any(|owner| owner == user);
    if !hit || owners.any(|owner| owner != user) {
        return Ok(());
    }
    Err(last_owner())
}

/// Whether somebody is an owner who counts.
pub(crate) fn is_lasting(current: &Snapshot, user: UserId) -> bool {
    lasting(current).any(|(_, owner)| owner == user)
}

/// The one owner who may still come in where an organisation insists on single sign-on.
fn break_glass(current: &Snapshot) -> Option<UserId> {
    current.rows().sign_on.map(|rule| rule.break_glass)
}

/// Owners who count: an owner whose role ends some day, or has not begun, does not, nor does one to
/// whom anything is denied in the whole organisation, by name or by a group.
fn lasting(current: &Snapshot) -> impl Iterator<Item = (&Binding, UserId)> + Clone {
    let bindings = &current.rows().bindings;
    let denied = move |user: UserId| {
        let groups = current.groups_of(user);
        bindings.iter().any(|b| {
            let reaches = match b.holder {
                Holder::User(other) => other == user,
                Holder::Group(group) => groups.contains(&group),
                Holder::Machine(_) => false,
            };
            reaches && b.effect == Effect::Deny && b.scope() == Some(ScopePath::Org)
        })
    };
    bindings.iter().filter_map(move |binding| {
        let Holder::User(user) = binding.holder else { return None };
        let lasts = binding.role == OWNER
            && binding.effect == Effect::Allow
            && binding.scope() == Some(ScopePath::Org)
            && binding.not_before.is_none()
            && binding.expires_at.is_none();
        (lasts && current.is_member(user) && !denied(user)).then_some((binding, user))
    })
}

fn named_owner() -> Problem {
    let detail = "This owner is the one who may still come in if single sign-on fails. Name another \
                  one first, or stop insisting on single sign-on.";
    Problem::new(Code::Conflict, detail)
}

fn last_owner() -> Problem {
    let detail = "This is the organisation's last owner. Make someone else an owner first.";
    Problem::new(Code::LastOwner, detail)
}
