//! What a token that is narrowed can do of what its holder may: no more, also not by way of another token.

use ralex_kernel::{Caller, Code, Permission, Permissions, Problem};

use crate::access::Access;
use crate::policies::SERVICE;
use crate::scope::Scope;

impl Access {
    /// Refuses a token that brings more than the narrowed one by which somebody asks for it.
    pub async fn may_hand_on(
        &self,
        scope: &Scope,
        brings: Option<Permissions>,
    ) -> Result<(), Problem> {
        let Some(own) = scope.caller().narrowed else { return Ok(()) };
        let snapshot = self.snapshot(scope.org()).await?;
        let brings = brings.unwrap_or_else(|| snapshot.roles().permissions_of(SERVICE));
        hands_on(own, brings)
    }
}

/// Refuses what would bring more than this.
pub(crate) fn hands_on(own: Permissions, brings: Permissions) -> Result<(), Problem> {
    match brings.without(own).iter().next() {
        Some(permission) => {
            let detail = format!(
                "The token would bring {permission}, which the one that you show is narrowed not to \
                 have. Narrow the new one as well, by `permissions`."
            );
            Err(Problem::new(Code::GrantExceedsOwn, detail))
        }
        None => Ok(()),
    }
}

/// Whether the caller's credential leaves this out, whatever its holder may.
pub(crate) fn leaves_out(caller: &Caller, permission: Permission) -> bool {
    caller.narrowed.is_some_and(|only| !only.contains(permission))
}

/// What of all this the caller's credential brings with it.
pub(crate) const fn within(caller: &Caller, own: Permissions) -> Permissions {
    match caller.narrowed {
        Some(only) => own.intersection(only),
        None => own,
    }
}
