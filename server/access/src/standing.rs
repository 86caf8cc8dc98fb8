//! Standing: what somebody has to decide by about access that others ask for.
//!
//! Less than what they hold. What was given to them for a while does not count, or one grant would
//! bring forth the next, and neither does a group that they joined a moment ago, which somebody may
//! have put them into for just this decision. What is denied to them counts by whatever way it came.

use chrono::{DateTime, TimeDelta, Utc};
use ralex_kernel::{Code, GroupId, Problem, ScopePath, UserId};

use crate::change::GlassTerms;
use crate::denial::place;
use crate::glass::frozen;
use crate::rows::{Binding, Effect, Holder};
use crate::snapshot::Snapshot;
use crate::{Permission, Permissions};

/// For how long a group that somebody joined does not count.
pub(crate) const SETTLED_AFTER: TimeDelta = TimeDelta::hours(24);

/// What counts of one person at one time.
pub(crate) struct Standing<'a> {
    current: &'a Snapshot,
    lasting: Vec<&'a Binding>,
    denied: Vec<&'a Binding>,
    /// Whether something that they hold was left out.
    is_less: bool,
}

impl<'a> Standing<'a> {
    /// `lately` are the groups that the person joined a moment ago.
    pub fn of(current: &'a Snapshot, user: UserId, lately: &[GroupId], now: DateTime<Utc>) -> Self {
        let mut standing =
            Self { current, lasting: Vec::new(), denied: Vec::new(), is_less: false };
        if !current.is_member(user) {
            return standing;
        }
        let groups = current.groups_of(user);
        let live = current.rows().bindings.iter().filter(|binding| {
            binding.not_before.is_none_or(|start| start <= now)
                && binding.expires_at.is_none_or(|end| now < end)
        });
        for binding in live {
            let lasts = match binding.holder {
                Holder::User(holder) if holder == user => binding.request.is_none(),
                Holder::Group(group) if groups.contains(&group) => !lately.contains(&group),
                Holder::User(_) | Holder::Group(_) | Holder::Machine(_) => continue,
            };
            match binding.effect {
                Effect::Deny => standing.denied.push(binding),
                Effect::Allow if lasts => standing.lasting.push(binding),
                Effect::Allow => standing.is_less = true,
            }
        }
        standing
    }

    /// Refuses where they may not decide there at all.
    pub fn may_decide(&self, at: ScopePath) -> Result<(), Problem> {
        self.needs(Permission::AccessDecide, at)
    }

    /// Refuses where they could not give this role there themselves.
    pub fn may_give(&self, role: &str, at: ScopePath) -> Result<(), Problem> {
        self.may_decide(at)?;
        self.could_give(role, at)
    }

    /// Refuses where they give a role only by what they hold for a while.
    pub fn gives_on(&self, role: &str, at: ScopePath) -> Result<(), Problem> {
        if self.is_less { self.could_give(role, at) } else { Ok(()) }
    }

    /// Refuses where what counts of them is less than this role.
    pub fn could_give(&self, role: &str, at: ScopePath) -> Result<(), Problem> {
        self.needs(Permission::RoleBind, at)?;
        let roles = self.current.roles();
        let missing = roles.permissions_of(role).without(self.permissions(at));
        let Some(permission) = missing.iter().next() else { return Ok(()) };
        if reaching(&self.lasting, at).any(|own| roles.may_bind(&own.role, role)) {
            return Ok(());
        }
        let detail = format!(
            "The role {role} allows {permission}, which you do not hold {}; nobody can give what \
             they do not hold.{}",
            place(at),
            self.hint()
        );
        Err(Problem::new(Code::GrantExceedsOwn, detail))
    }

    /// Refuses where they could not give all that a break-glass access would: nobody arms it with more than
    /// they have.
    pub fn could_arm(&self, terms: &GlassTerms) -> Result<(), Problem> {
        let at = ScopePath::Org;
        let missing = frozen(&terms.permissions).without(self.permissions(at));
        let Some(permission) = missing.iter().next() else { return Ok(()) };
        let roles = self.current.roles();
        if reaching(&self.lasting, at).any(|own| roles.may_bind(&own.role, &terms.role)) {
            return Ok(());
        }
        let detail = format!(
            "The break-glass access would give {permission}, which you do not hold {}; nobody can arm \
             it with what they could not give.{}",
            place(at),
            self.hint()
        );
        Err(Problem::new(Code::GrantExceedsOwn, detail))
    }

    /// Refuses where this permission does not count for them there.
    pub fn needs(&self, permission: Permission, at: ScopePath) -> Result<(), Problem> {
        if self.permissions(at).contains(permission) {
            return Ok(());
        }
        let detail = format!("You need the permission {permission} {}.{}", place(at), self.hint());
        Err(Problem::new(Code::Forbidden, detail))
    }

    /// Whether something that they hold was left out.
    pub const fn is_less(&self) -> bool {
        self.is_less
    }

    /// Whether all of these count for them there.
    pub fn holds_all(&self, permissions: Permissions, at: ScopePath) -> bool {
        permissions.without(self.permissions(at)).iter().next().is_none()
    }

    fn permissions(&self, at: ScopePath) -> Permissions {
        let all = |bindings: &[&Binding]| {
            let each =
                reaching(bindings, at).map(|it| self.current.roles().permissions_of(&it.role));
            each.fold(Permissions::NONE, Permissions::union)
        };
        all(&self.lasting).without(all(&self.denied))
    }

    const fn hint(&self) -> &'static str {
        if self.is_less {
            " What you hold for a while, or by a group that you joined in the last 24 hours, does \
             not count here. Leave it to somebody else."
        } else {
            ""
        }
    }
}

/// Those that hold at a place.
fn reaching<'a>(bindings: &[&'a Binding], at: ScopePath) -> impl Iterator<Item = &'a Binding> {
    let here = move |it: &&Binding| it.scope().is_some_and(|scope| at.is_within(scope));
    bindings.iter().copied().filter(here)
}
