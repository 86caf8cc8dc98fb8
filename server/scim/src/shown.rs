//! Who speaks: a token that is shown, and the organisation whose directory has it.

use std::time::Duration;

use ralex_audit::Author;
use ralex_identity::Arrival;
use ralex_identity::mint::TokenKind;
use ralex_kernel::{Credential, OrgId, Subject, TokenId};

use crate::sql::connection as sql;
use crate::{Refusal, Scim};

/// An organisation's directory, which proved that it is.
#[derive(Clone, Debug)]
pub struct Directory {
    pub(crate) org: OrgId,
    pub(crate) author: Author,
    token: TokenId,
}

impl Scim {
    /// The directory that shows this token to this organisation. That there is such an organisation, or
    /// such a token of another one, is not told.
    ///
    /// # Errors
    /// 401 for a token that is none of the organisation's, 403 where its provisioning is off, 429 where the
    /// token asks too much.
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
        let directory = Directory { org, author, token: shown.token };
        self.take_room(&directory, 1).await?;
        Ok(directory)
    }

    /// Counts requests, or operations of one, against what a token may ask in a minute, on all nodes together.
    ///
    /// # Errors
    /// 429 where there is no room for them now.
    pub(crate) async fn take_room(
        &self,
        directory: &Directory,
        requests: usize,
    ) -> Result<(), Refusal> {
        let most = self.0.requests_a_minute;
        if most == 0 || requests == 0 {
            return Ok(());
        }
        // More than there ever is room for waits for an empty minute, or it would wait for ever.
        let requests = u32::try_from(requests).unwrap_or(u32::MAX).min(most);
        let seconds = 60.0 * f64::from(requests) / f64::from(most);
        let mut tx = self.0.db.tenant(directory.org).await?;
        let wait = sql::take_room(&mut tx, directory.org, directory.token, seconds).await?;
        tx.commit().await?;
        let Some(wait) = wait else { return Ok(()) };
        let detail = format!(
            "This token may make {most} requests in a minute, and has made them. Send it again after what \
             `Retry-After` says."
        );
        // In the range of a minute, so nothing is cut off.
        let after = Duration::try_from_secs_f64(wait.ceil().max(1.0)).unwrap_or_default().as_secs();
        Err(Refusal { retry_after: Some(after.max(1)), ..Refusal::new(429, None, detail) })
    }
}
