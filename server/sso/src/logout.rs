//! Logging out behind people's backs: a provider says that somebody, or one session, is out
//! (OpenID Connect Back-Channel Logout 1.0).

use ralex_audit::{Author, Event, SsoEvent, record};
use ralex_kernel::{Code, OrgId, Problem, SignOn};
use ralex_store::problem;

use crate::Sso;
use crate::begin::Visit;
use crate::finish::Stop;
use crate::sql::link;
use crate::sql::provider::Stored;
use crate::verify::{Ended, Wrong, logout_token};

impl Sso {
    /// Ends what the provider's token says. Sessions are looked up at each request, so they are over
    /// on every node at once.
    pub async fn log_out(&self, visit: Visit<'_>, token: &str) -> Result<(), Problem> {
        let (org, stored) = self.enabled(visit).await.map_err(|stop| match stop {
            Stop::Failed(problem) => problem,
            Stop::Refused { .. } => crate::provider::unknown(),
        })?;
        let ended = self.said(&stored, token).await?;
        let mut tx = self.0.db.system("end sessions that a provider says are over").await?;
        let user = match &ended.subject {
            Some(subject) => {
                let word = (stored.issuer.as_str(), subject.as_str());
                let found = link::lock(&mut tx, org, stored.id, word).await.map_err(problem)?;
                // Who is nobody here has no session here.
                let Some(found) = found else { return Ok(()) };
                Some(found.user)
            }
            None => None,
        };
        let by = SignOn { org, provider: stored.id };
        let sid = ended.sid.as_deref();
        let sessions_ended = self.0.identity.end_signed_on(&mut tx, by, user, sid).await?;
        metrics::counter!("ralex_sso_logouts_total").increment(u64::from(sessions_ended));
        if sessions_ended > 0 {
            let author = author(org, visit);
            let event = SsoEvent::LoggedOut { provider: stored.id, sessions_ended };
            record(&mut tx, &author, Event::Sso(event)).await.map_err(problem)?;
        }
        tx.commit().await.map_err(problem)
    }

    async fn said(&self, stored: &Stored, token: &str) -> Result<Ended, Problem> {
        let unreachable = |why: String| {
            tracing::warn!(sso.issuer = %stored.issuer, "a logout cannot be verified: {why}");
            let detail = "The provider's keys cannot be read now.";
            Problem::new(Code::Unavailable, detail).with_retry_after(10)
        };
        let issuer = &stored.issuer;
        let says = self.0.known.ask(&self.0.post, issuer).await.map_err(unreachable)?;
        let expected = self.expected(stored);
        let read = match logout_token(token, &says.keys, expected) {
            Err(Wrong::UnknownKey) => {
                let says =
                    self.0.known.ask_again(&self.0.post, issuer).await.map_err(unreachable)?;
                logout_token(token, &says.keys, expected)
            }
            read => read,
        };
        read.map_err(|wrong| {
            metrics::counter!("ralex_sso_logouts_refused_total").increment(1);
            let detail = format!("The logout token is not good: {}.", wrong.as_str());
            Problem::field("logout_token", detail)
        })
    }
}

fn author(org: OrgId, visit: Visit<'_>) -> Author {
    let mut author = Author::system(org);
    author.address = visit.arrival.address;
    author.request = Some(visit.arrival.request);
    author
}
