//! Who speaks: a token that is shown, and the organisation whose directory has it.

use ralex_audit::Author;
use ralex_identity::Arrival;
use ralex_identity::mint::TokenKind;
use ralex_kernel::{Credential, OrgId, Subject};

use crate::sql::connection as sql;
use crate::{Refusal, Scim};

/// An organisation's directory, which proved that it is.
#[derive(Clone, Debug)]
pub struct Directory {
    pub(crate) org: OrgId,
    pub(crate) author: Author,
}

impl Scim {
    /// The directory that shows this token to this organisation. That there is such an organisation, or
    /// such a token of another one, is not told.
    ///
    /// # Errors
    /// 401 for a token that is none of the organisation's, 403 where its provisioning is off.
    pub async fn directory(
        &self,
        org: &str,
        token: Option<&str>,
        arrival: &Arrival,
    ) -> Result<Directory, Refusal> {
        let refused = || {
            let detail = "Send `Authorization: Bearer rlx_scim_…` with a token of this organisation's \
                          provisioning that is neither expired nor revoked.";
            Refusal::new(401, None, detail)
        };
        let known = token.and_then(|text| self.0.identity.recognise(text));
        let digest =
            known.and_then(|(kind, digest)| (kind == TokenKind::Provisioning).then_some(digest));
        let org = self.0.access.org(org).ok_or_else(refused)?;
        let digest = digest.ok_or_else(refused)?;
        let mut tx = self.0.db.tenant(org).await?;
        let shown = sql::show(&mut tx, org, &digest, self.0.clock.now()).await?;
        let shown = shown.ok_or_else(refused)?;
        tx.commit().await?;
        if !shown.enabled {
            let detail = "Provisioning is switched off in this organisation. An administrator \
                          switches it on: PUT /api/v1/orgs/{org}/scim.";
            return Err(Refusal::new(403, None, detail));
        }
        // No permission is asked of a directory, so this is.
        if let Some(closed) = self.0.access.snapshot(org).await?.closed() {
            return Err(Refusal::new(403, None, closed.to_string()));
        }
        let author = Author {
            org,
            subject: Subject::Directory { connection: shown.connection, org },
            credential: Credential::ScimToken(shown.token),
            request: Some(arrival.request),
            address: arrival.address,
        };
        Ok(Directory { org, author })
    }
}
