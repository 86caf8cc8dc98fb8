//! Trying a provider out: what it says of itself, and whether that is enough.

use ralex_access::Scope;
use ralex_api::sso::{SsoKey, SsoTested};
use ralex_audit::{Event, SsoEvent, record};
use ralex_kernel::Problem;
use ralex_store::problem;

use crate::discovery::Says;
use crate::sql::provider::{self as sql, Stored};
use crate::{Sso, provider};

impl Sso {
    /// Reads the provider's documents anew and tells what they say. Nobody's login is tried: only the
    /// provider can do that.
    pub async fn test_provider(
        &self,
        scope: &Scope,
        reference: &str,
    ) -> Result<SsoTested, Problem> {
        let org = scope.org();
        let mut tx = self.0.db.tenant(org).await?;
        let stored = provider::one(&mut tx, org, reference).await?;
        drop(tx);
        let asked = self.0.known.ask_anew(&self.0.post, &stored.issuer).await;
        let tested = match asked {
            Ok(says) => told(&stored, &says),
            Err(why) => SsoTested {
                passed: false,
                detail: why,
                authorization_endpoint: None,
                token_endpoint: None,
                keys: Vec::new(),
                warnings: Vec::new(),
            },
        };
        let mut tx = self.0.db.tenant(org).await?;
        let at = tested.passed.then(|| self.0.clock.now());
        sql::tested(&mut tx, org, (stored.id, stored.version), at).await.map_err(problem)?;
        let event = SsoEvent::ProviderTested { provider: stored.id, passed: tested.passed };
        record(&mut tx, scope.author(), Event::Sso(event)).await.map_err(problem)?;
        tx.commit().await.map_err(problem)?;
        Ok(tested)
    }
}

fn told(stored: &Stored, says: &Says) -> SsoTested {
    let document = &says.document;
    let keys = says
        .keys
        .iter()
        .map(|key| SsoKey { kid: key.kid.clone(), algorithm: format!("{:?}", key.algorithm) });
    let mut warnings = Vec::new();
    let methods = &document.code_challenge_methods_supported;
    if !methods.iter().any(|it| it == "S256") {
        warnings.push(
            "It does not say that it checks PKCE (S256). Ralex uses it all the same.".to_owned(),
        );
    }
    if !document.authorization_response_iss_parameter_supported {
        warnings.push(
            "It does not name itself in its answers (RFC 9207). The address that it answers to is \
             its own, which helps as much."
                .to_owned(),
        );
    }
    let offered = &document.scopes_supported;
    let missing = stored.scopes.iter().filter(|it| !offered.is_empty() && !offered.contains(it));
    for scope in missing {
        warnings.push(format!("It does not offer the scope `{scope}`."));
    }
    if !document.backchannel_logout_supported {
        warnings.push(
            "It does not say that it tells when somebody logs out there; sessions then last as long \
             as they are set to."
                .to_owned(),
        );
    }
    SsoTested {
        passed: true,
        detail: "It answers as it should. Only a login shows that it knows this client.".to_owned(),
        authorization_endpoint: Some(document.authorization_endpoint.to_string()),
        token_endpoint: Some(document.token_endpoint.to_string()),
        keys: keys.collect(),
        warnings,
    }
}
