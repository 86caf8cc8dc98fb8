//! Single sign-on: an organisation's own provider of OpenID Connect says who its people are.
//!
//! What always holds: a person is known by the issuer and its word for them, never by an e-mail
//! address, so that no second provider takes an account over; what a provider says is believed only
//! with a signature by a key of its own and for the one login that asked; a login that was begun is
//! ended once, by the browser that began it; and whoever comes in so is somebody in this organisation
//! only, since its administrators could have the provider say anything of anybody. Roles that follow
//! from groups are the provider's own rows, within what whoever wrote the mapping could give.
//!
//! Uses `identity`, `access`, `vault`, `audit` and `providers`' way out; used by the binary.

mod admit;
mod begin;
mod claims;
mod discovery;
mod doors;
mod enforce;
mod exchange;
mod finish;
mod keys;
mod link;
mod logout;
mod mapping;
mod provider;
mod sql;
#[cfg(test)]
mod tokens;
mod trial;
mod verify;
mod wish;

use std::fmt;
use std::sync::Arc;

use ralex_access::Access;
use ralex_identity::Identity;
use ralex_kernel::{Clock, OrgId, Problem, Secret, SsoProviderId};
use ralex_providers::Post;
use ralex_store::Db;
use ralex_vault::{Sealer, Vault};
use zeroize::Zeroizing;

pub use begin::{Begun, Errand, Visit};
pub use finish::{Back, Finished};
pub use link::Connecting;

/// How long somebody may take at their provider, in minutes.
pub const PATIENCE_MINUTES: i64 = 10;

/// Single sign-on of this process. Cheap to clone.
#[derive(Clone)]
pub struct Sso(Arc<Inner>);

struct Inner {
    db: Db,
    access: Arc<Access>,
    identity: Identity,
    post: Post,
    clock: Clock,
    sealer: Sealer,
    /// Keys the digests of what people carry while they are away.
    pepper: Zeroizing<[u8; 32]>,
    known: discovery::Known,
}

impl Sso {
    pub async fn open(
        db: Db,
        access: Arc<Access>,
        identity: Identity,
        vault: &Vault,
        post: Post,
        clock: Clock,
    ) -> Result<Self, Problem> {
        let sealer = vault.sealer("sso-providers").await?;
        let pepper = vault.internal_key("sso-flow").await?;
        let known = discovery::Known::default();
        Ok(Self(Arc::new(Inner { db, access, identity, post, clock, sealer, pepper, known })))
    }

    fn seal(&self, org: OrgId, id: SsoProviderId, secret: &Secret) -> Result<Vec<u8>, Problem> {
        let sealer = self.0.sealer.of(org)?;
        sealer.seal(&[b"sso-client", id.uuid().as_bytes()], secret.expose().as_bytes())
    }

    fn client_secret(
        &self,
        org: OrgId,
        id: SsoProviderId,
        sealed: &[u8],
    ) -> Result<Secret, Problem> {
        let opened = self.0.sealer.of(org)?.open(&[b"sso-client", id.uuid().as_bytes()], sealed)?;
        let text = String::from_utf8(opened).map_err(|_| {
            Problem::new(ralex_kernel::Code::Internal, "A stored secret is not a text.")
        })?;
        Ok(Secret::new(text))
    }
}

impl fmt::Debug for Sso {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sso")
    }
}
