//! Who can: those that hold a right at a place, or anywhere within one.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use ralex_api::access::{Able, RoleName};
use ralex_api::page::{Page, PageQuery};
use ralex_kernel::{Problem, ScopePath, ServiceAccountId, Subject, TokenId, UserId};

use crate::Permission;
use crate::access::Access;
use crate::explain::{Somebody, allows};
use crate::rows::{Effect, Holder};
use crate::scope::Scope;
use crate::snapshot::Snapshot;

/// Where a right is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Where {
    /// There, and not further down.
    At(ScopePath),
    /// There, or anywhere below.
    Within(ScopePath),
}

/// Who is asked about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    All,
    User(UserId),
    Account(ServiceAccountId),
    /// A team's own.
    Token(TokenId),
    Nobody,
}

impl Who {
    fn is(self, subject: Subject) -> bool {
        match self {
            Self::All => true,
            Self::User(user) => subject.user() == Some(user),
            Self::Account(own) => {
                matches!(subject, Subject::Service { account, .. } if account == own)
            }
            Self::Token(own) => matches!(subject, Subject::Token { token, .. } if token == own),
            Self::Nobody => false,
        }
    }
}

/// Where anything is given to whom. A right that is given at one place reaches down from there until it is
/// denied, and a denial reaches down as well: so who holds it anywhere holds it at one of these.
type Given = HashMap<Holder, Vec<ScopePath>>;

impl Access {
    /// All who may do any of this now, or could at a moment, in the order of how they are written. `scope` is the
    /// proof that the asker may see the roles there.
    pub async fn able(
        &self,
        scope: &Scope,
        (who, rights): (Who, &[(Permission, Where)]),
        at: Option<DateTime<Utc>>,
        page: &PageQuery,
    ) -> Result<Page<Able>, Problem> {
        let org = scope.org();
        let mut tx = self.db().tenant(org).await?;
        let seen = self.seen(&mut tx, org, at).await?;
        let all = seen.somebodies(&mut tx, org, None).await?;
        drop(tx);
        let given = given(&seen.snapshot);
        let after = page.cursor.as_deref().unwrap_or_default();
        let size = page.size();
        let asked = all
            .into_iter()
            .filter(|it| it.written.as_str() > after && who.is(it.subject))
            .filter_map(|it| able(it, (&seen.snapshot, &given), rights, seen.now));
        let most = usize::try_from(size).unwrap_or(usize::MAX).saturating_add(1);
        Ok(Page::of(asked.take(most).collect(), size, |able: &Able| able.subject.clone()))
    }
}

fn able(
    it: Somebody,
    (snapshot, given): (&Snapshot, &Given),
    rights: &[(Permission, Where)],
    now: DateTime<Utc>,
) -> Option<Able> {
    let held = rights.iter().filter_map(|(permission, place)| {
        let judged = places(it.subject, (snapshot, given), *place)
            .into_iter()
            .map(|at| it.judge(snapshot, (*permission, at), now))
            .find(|(reason, _)| allows(*reason))?;
        Some((*permission, judged))
    });
    let held: Vec<_> = held.collect();
    let (reason, binding) = held.first()?.1;
    let role = binding.and_then(|id| snapshot.rows().bindings.iter().find(|it| it.id == id));
    Some(Able {
        subject: it.written,
        subject_name: it.name,
        permissions: held.iter().map(|(permission, _)| permission.to_string()).collect(),
        reason,
        role: role.map(|binding| RoleName(binding.role.clone())),
        binding,
    })
}

fn given(snapshot: &Snapshot) -> Given {
    let mut given = Given::new();
    for binding in snapshot.rows().bindings.iter().filter(|it| it.effect == Effect::Allow) {
        if let Some(at) = binding.scope() {
            given.entry(binding.holder).or_default().push(at);
        }
    }
    given
}

/// Where somebody has to be asked about.
fn places(
    subject: Subject,
    (snapshot, given): (&Snapshot, &Given),
    place: Where,
) -> Vec<ScopePath> {
    let within = match place {
        Where::At(at) => return vec![at],
        Where::Within(within) => within,
    };
    let mut holders = Vec::new();
    let mut places = vec![within];
    if let Some((id, _, home)) = subject.machine() {
        holders.push(Holder::Machine(id));
        places.push(home);
    } else if let Some(user) = subject.user() {
        holders.push(Holder::User(user));
        holders.extend(snapshot.groups_of(user).iter().copied().map(Holder::Group));
    }
    places.extend(holders.iter().filter_map(|holder| given.get(holder)).flatten().copied());
    places.retain(|at| at.is_within(within));
    places
}
