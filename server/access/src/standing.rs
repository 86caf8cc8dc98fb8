//! Standing: what somebody has to decide by about access that others ask for.
//!
//! Less than what they hold. What ends some day does not count, or one grant would bring forth the
//! next; and neither does what is new: a role given, a group joined or a role widened a moment ago,
//! which may have been done for just this decision. What is denied to them counts by whatever way it
//! came.

use chrono::{DateTime, Utc};
use ralex_kernel::{Code, Problem, ScopePath, Subject};

use crate::bind::holder;
use crate::change::GlassTerms;
use crate::denial::place;
use crate::glass::frozen;
use crate::policies::SERVICE;
use crate::roles::Roles;
use crate::rows::{Binding, Effect, Holder};
use crate::snapshot::Snapshot;
use crate::unsettled::Unsettled;
use crate::{Permission, Permissions};

/// What counts of somebody at one time.
pub(crate) struct Standing<'a> {
    current: &'a Snapshot,
    /// What roles give that counts.
    roles: &'a Roles,
    /// Where a program holds something by itself.
    home: Option<ScopePath>,
    counts: Vec<&'a Binding>,
    /// What they hold as well.
    passing: Vec<&'a Binding>,
    denied: Vec<&'a Binding>,
}

impl<'a> Standing<'a> {
    pub fn of(
        current: &'a Snapshot,
        subject: Subject,
        new: &'a Unsettled,
        now: DateTime<Utc>,
    ) -> Self {
        let mut standing = Self {
            current,
            roles: new.roles.as_ref().unwrap_or_else(|| current.roles()),
            home: subject.machine().map(|(_, _, home)| home),
            counts: Vec::new(),
            passing: Vec::new(),
            denied: Vec::new(),
        };
        let user = subject.user();
        if user.is_some_and(|user| !current.is_member(user)) {
            return standing;
        }
        let groups = user.map_or(&[][..], |user| current.groups_of(user));
        let live = current.rows().bindings.iter().filter(|binding| {
            binding.not_before.is_none_or(|start| start <= now)
                && binding.expires_at.is_none_or(|end| now < end)
        });
        for binding in live {
            let joined = match binding.holder {
                Holder::Group(group) if groups.contains(&group) => {
                    user.is_none_or(|user| !new.groups.contains(&(user, group)))
                }
                own if Some(own) == holder(subject) => true,
                Holder::User(_) | Holder::Group(_) | Holder::Machine(_) => continue,
            };
            let lasts = binding.request.is_none() && binding.expires_at.is_none();
            match binding.effect {
                Effect::Deny => standing.denied.push(binding),
                Effect::Allow if joined && lasts && !new.bindings.contains(&binding.id) => {
                    standing.counts.push(binding);
                }
                Effect::Allow => standing.passing.push(binding),
            }
        }
        standing
    }

    /// The same for what ends then: what was given to them by hand counts where it ends no sooner.
    /// What came of a request never does.
    pub fn until(mut self, end: Option<DateTime<Utc>>) -> Self {
        let Some(end) = end else { return self };
        let lasts = |own: &&Binding| {
            own.request.is_none() && own.expires_at.is_some_and(|until| end <= until)
        };
        let (longer, passing) = self.passing.into_iter().partition(lasts);
        self.passing = passing;
        self.counts.extend::<Vec<_>>(longer);
        self
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
        if self.passing.is_empty() {
            return Ok(());
        }
        self.could_give(role, at).map_err(|why| {
            let ends = |own: &&Binding| own.request.is_none() && own.expires_at.is_some();
            let hint = if self.passing.iter().any(ends) {
                " What you were given until some day you can give for no longer than that."
            } else {
                ""
            };
            Problem::new(why.code, format!("{}{hint}", why.detail))
        })
    }

    /// Refuses where they make a role allow this as well only by what they hold for a while.
    pub fn widens(&self, role: &str, more: Permissions) -> Result<(), Problem> {
        if self.passing.is_empty() {
            return Ok(());
        }
        let at = ScopePath::Org;
        self.needs(Permission::RoleDefine, at)?;
        let Some(permission) = more.without(self.permissions(at)).iter().next() else {
            return Ok(());
        };
        let detail = format!(
            "The role {role} would allow {permission} as well, to all who hold it, and what you hold \
             of that {} does not count.{}",
            place(at),
            self.hint()
        );
        Err(Problem::new(Code::GrantExceedsOwn, detail))
    }

    /// Refuses where what counts of them is less than this role.
    pub fn could_give(&self, role: &str, at: ScopePath) -> Result<(), Problem> {
        self.needs(Permission::RoleBind, at)?;
        let roles = self.current.roles();
        let missing = roles.permissions_of(role).without(self.permissions(at));
        let Some(permission) = missing.iter().next() else { return Ok(()) };
        if reaching(&self.counts, at).any(|own| roles.may_bind(&own.role, role)) {
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
        if reaching(&self.counts, at).any(|own| roles.may_bind(&own.role, &terms.role)) {
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

    /// Refuses where they do not hold this permission there, for good or for a while.
    pub fn holds(&self, permission: Permission, at: ScopePath) -> Result<(), Problem> {
        let all: Vec<_> = self.counts.iter().chain(&self.passing).copied().collect();
        if self.given(&all, at).contains(permission) {
            return Ok(());
        }
        let detail = format!("They need the permission {permission} {}.", place(at));
        Err(Problem::new(Code::Forbidden, detail))
    }

    fn permissions(&self, at: ScopePath) -> Permissions {
        self.given(&self.counts, at)
    }

    /// What these give at a place, with what a program holds there by itself.
    fn given(&self, bindings: &[&Binding], at: ScopePath) -> Permissions {
        let home = self.home.filter(|home| at.is_within(*home)).map(|_| SERVICE);
        let roles = home.into_iter().chain(reaching(bindings, at).map(|it| it.role.as_str()));
        let each = roles.map(|role| self.roles.permissions_of(role));
        let denied = reaching(&self.denied, at);
        // What is denied counts as it is now.
        let denied = denied.map(|it| self.current.roles().permissions_of(&it.role));
        let all = each.fold(Permissions::NONE, Permissions::union);
        all.without(denied.fold(Permissions::NONE, Permissions::union))
    }

    fn hint(&self) -> &'static str {
        let ends = |own: &&Binding| own.request.is_some() || own.expires_at.is_some();
        if !std::ptr::eq(self.roles, self.current.roles()) || !self.passing.iter().all(ends) {
            " What you hold for a while does not count here, nor do a role that you were given, a \
              group that you joined and what a role was widened by in the last 24 hours. Leave it to \
              somebody else."
        } else if self.passing.is_empty() {
            ""
        } else {
            " What you hold for a while does not count here. Leave it to somebody else."
        }
    }
}

/// Those that hold at a place.
fn reaching<'a>(bindings: &[&'a Binding], at: ScopePath) -> impl Iterator<Item = &'a Binding> {
    let here = move |it: &&Binding| it.scope().is_some_and(|scope| at.is_within(scope));
    bindings.iter().copied().filter(here)
}
