//! A code becomes what the provider says of somebody: the token endpoint, the ID token, and a second
//! question where the first answer lacks something.

use chrono::{DateTime, Utc};
use ralex_api::sso::SsoRefusal;
use ralex_kernel::OrgId;
use ralex_providers::Ask;
use ralex_store::problem;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::Sso;
use crate::begin::Carried;
use crate::claims::{self, Person};
use crate::discovery::{self, Document, Says};
use crate::finish::Stop;
use crate::provider::claims_of;
use crate::sql::link;
use crate::sql::provider::Stored;
use crate::verify::{Expected, Wrong, id_token, proven_at};

#[derive(Deserialize)]
struct Answer {
    id_token: Option<String>,
    access_token: Option<String>,
}

impl Sso {
    /// Who it is, by the provider's word that is verified.
    pub(crate) async fn exchange(
        &self,
        (org, stored): (OrgId, &Stored),
        callback: &str,
        code: &str,
        (carried, proof_since): (&Carried, Option<DateTime<Utc>>),
        needs_groups: bool,
    ) -> Result<Person, Stop> {
        let says = self.0.known.ask(&self.0.post, &stored.issuer).await;
        let says = says.map_err(|why| failed(stored, "discovery", &why))?;
        let answer = self.redeem((org, stored), &says.document, callback, (code, carried)).await?;
        let token = answer.id_token.ok_or(Stop::refused(SsoRefusal::Token, "no_id_token"))?;
        let access_token = answer.access_token.as_deref();
        let expected = Expected { proof_since, ..self.expected(stored) };
        let with = (carried.nonce.as_str(), access_token);
        let said = self.verified((stored, expected), says.clone(), &token, with).await?;
        let proven_at = proven_at(&said);
        let names = claims_of(stored);
        let subject = said.get("sub").and_then(Value::as_str).unwrap_or_default();
        let mut tx = self.0.db.tenant(org).await?;
        let known = link::is_known(&mut tx, org, stored.id, subject).await.map_err(problem)?;
        drop(tx);
        let said = match (&says.document.userinfo_endpoint, access_token) {
            (Some(url), Some(token)) if claims::is_short(&said, &names, needs_groups, !known) => {
                let more: Map<String, Value> =
                    discovery::json(&self.0.post, url, Ask::As { token })
                        .await
                        .map_err(|why| failed(stored, "userinfo", &why))?;
                // An answer about somebody else is none about them (OpenID Connect Core, 5.3.4).
                if more.get("sub").and_then(Value::as_str) != Some(subject) {
                    return Err(Stop::refused(SsoRefusal::Userinfo, "userinfo_subject"));
                }
                claims::joined(said, more, &names)
            }
            _ => said,
        };
        let person = claims::person(&said, &names);
        let person = person.ok_or(Stop::refused(SsoRefusal::Token, "subject"))?;
        Ok(Person { proven_at, ..person })
    }

    async fn redeem(
        &self,
        (org, stored): (OrgId, &Stored),
        document: &Document,
        callback: &str,
        (code, carried): (&str, &Carried),
    ) -> Result<Answer, Stop> {
        let secret = self.client_secret(org, stored.id, &stored.sealed_secret)?;
        let mut fields = vec![
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", callback),
            ("code_verifier", carried.verifier.as_str()),
        ];
        // By header, unless the provider takes it in the form only.
        let methods = &document.token_endpoint_auth_methods_supported;
        let named = |name: &str| methods.iter().any(|it| it == name);
        let in_form = named("client_secret_post") && !named("client_secret_basic");
        let basic = (stored.client_id.as_str(), secret.expose());
        if in_form {
            fields.extend([("client_id", basic.0), ("client_secret", basic.1)]);
        }
        let ask = Ask::Form { fields: &fields, basic: (!in_form).then_some(basic) };
        let answer = self.0.post.fetch(&document.token_endpoint, ask, discovery::PATIENCE).await;
        let answer = answer.map_err(|why| failed(stored, "token_endpoint", &why))?;
        if answer.status != 200 {
            let why = format!("its token endpoint answered with status {}", answer.status);
            tracing::warn!(sso.issuer = %stored.issuer, "a login failed: {why}");
            return Err(Stop::refused(SsoRefusal::Code, "code_not_taken"));
        }
        serde_json::from_slice(&answer.body)
            .map_err(|_| Stop::refused(SsoRefusal::Provider, "token_endpoint"))
    }

    /// The claims of an ID token. A key that is not known may be new: it is looked for once.
    async fn verified(
        &self,
        (stored, expected): (&Stored, Expected<'_>),
        says: Says,
        token: &str,
        (nonce, access_token): (&str, Option<&str>),
    ) -> Result<Map<String, Value>, Stop> {
        let read = match id_token(token, &says.keys, expected, nonce, access_token) {
            Err(Wrong::UnknownKey) => {
                let says = self.0.known.ask_again(&self.0.post, &stored.issuer).await;
                let says = says.map_err(|why| failed(stored, "keys", &why))?;
                id_token(token, &says.keys, expected, nonce, access_token)
            }
            read => read,
        };
        read.map_err(|wrong| {
            let reason = if wrong == Wrong::Proof && expected.proof_since.is_some() {
                SsoRefusal::NotProven
            } else {
                SsoRefusal::Token
            };
            Stop::refused(reason, wrong.as_str())
        })
    }

    pub(crate) fn expected<'a>(&self, stored: &'a Stored) -> Expected<'a> {
        let (issuer, client_id) = (&stored.issuer, &stored.client_id);
        Expected { issuer, client_id, now: self.0.clock.now(), proof_since: None }
    }
}

/// The provider is at fault, which an operator has to know of.
fn failed(stored: &Stored, detail: &'static str, why: &str) -> Stop {
    tracing::warn!(sso.issuer = %stored.issuer, "a login failed: {why}");
    Stop::refused(SsoRefusal::Provider, detail)
}
