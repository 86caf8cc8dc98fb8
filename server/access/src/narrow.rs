//! What a token that is narrowed can do of what its holder may: no more, also not by way of another token.

use ralex_kernel::{Caller, Code, Permission, Permissions, Problem};

use crate::access::Access;
use crate::policies::SERVICE;
use crate::scope::Scope;

impl Access {
    /// Refuses a token that brings more, or opens other models, than the narrowed one by which somebody asks
    /// for it.
    pub async fn may_hand_on(
        &self,
        scope: &Scope,
        brings: Option<Permissions>,
        models: Option<&[String]>,
    ) -> Result<(), Problem> {
        hands_on_models(scope.caller().models.as_deref(), models)?;
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

/// Refuses what would open other models than these. Names are compared as they are when a call is made: one
/// that leads to another is not the other.
pub(crate) fn hands_on_models(
    own: Option<&[String]>,
    opens: Option<&[String]>,
) -> Result<(), Problem> {
    let Some(own) = own else { return Ok(()) };
    let more = match opens {
        None => "every model".to_owned(),
        Some(opens) => match opens.iter().find(|name| !own.contains(name)) {
            Some(name) => format!("the model {name}"),
            None => return Ok(()),
        },
    };
    let detail = format!(
        "The token would open {more}, and the one that you show is narrowed to {}. Narrow the new one as \
         well, by `models`.",
        own.join(", ")
    );
    Err(Problem::new(Code::GrantExceedsOwn, detail))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_opens_no_model_that_the_one_before_does_not() {
        let names = |names: &[&str]| names.iter().map(|it| (*it).to_owned()).collect::<Vec<_>>();
        let (one, both, other) = (names(&["a"]), names(&["a", "b"]), names(&["A"]));
        for opens in [None, Some(&one[..]), Some(&both[..])] {
            assert!(hands_on_models(None, opens).is_ok());
        }
        assert!(hands_on_models(Some(&both), Some(&both)).is_ok());
        assert!(hands_on_models(Some(&both), Some(&one)).is_ok());
        for opens in [None, Some(&both[..]), Some(&other[..])] {
            let refused = hands_on_models(Some(&one), opens).unwrap_err();
            assert_eq!(refused.code, Code::GrantExceedsOwn, "{opens:?}");
        }
    }
}
