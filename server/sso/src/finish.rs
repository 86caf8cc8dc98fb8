//! The way back: what the browser brings is checked, taken once, and becomes a session or a link.

use ralex_api::sso::SsoRefusal;
use ralex_audit::{Author, Event, SsoEvent, record};
use ralex_kernel::{OrgId, Problem, Secret, SsoProviderId, UserId};
use ralex_store::problem;

use crate::Sso;
use crate::begin::{Visit, carried};
use crate::sql::flow::{self, Taken};
use crate::sql::mapping;
use crate::sql::provider::Stored;

/// No code and no state is longer.
const LONGEST: usize = 8 * 1024;

/// What a browser brings back.
pub struct Back<'a> {
    pub state: Option<&'a str>,
    pub code: Option<&'a str>,
    /// Who says that they answer (RFC 9207).
    pub issuer: Option<&'a str>,
    /// That the provider said no.
    pub error: Option<&'a str>,
    /// What it kept meanwhile.
    pub cookie: Option<&'a str>,
}

/// Where it goes on, and the session that it has from now on.
pub struct Finished {
    pub to: String,
    pub session: Option<Session>,
}

/// A session as a browser keeps it.
pub struct Session {
    pub cookie: Secret,
    pub seconds: i64,
}

/// Why something goes no further.
pub(crate) enum Stop {
    /// `detail` says more to whoever reads the log.
    Refused {
        reason: SsoRefusal,
        detail: &'static str,
        user: Option<UserId>,
    },
    Failed(Problem),
}

impl Stop {
    pub const fn refused(reason: SsoRefusal, detail: &'static str) -> Self {
        Self::Refused { reason, detail, user: None }
    }
}

impl From<Problem> for Stop {
    fn from(problem: Problem) -> Self {
        Self::Failed(problem)
    }
}

impl From<ralex_store::Error> for Stop {
    fn from(error: ralex_store::Error) -> Self {
        Self::Failed(error.into())
    }
}

impl Sso {
    /// Ends what [`Sso::begin`] began. Whoever is not let in goes back to the console with the reason.
    pub async fn finish(&self, visit: Visit<'_>, back: &Back<'_>) -> Result<Finished, Problem> {
        // Where it was begun is known only once the state is.
        let mut page = "/";
        let done = self.returned(visit, back, &mut page).await;
        match done {
            Ok(finished) => {
                metrics::counter!("ralex_sso_logins_total", "outcome" => "success").increment(1);
                Ok(finished)
            }
            Err(Stop::Failed(problem)) => {
                metrics::counter!("ralex_sso_logins_total", "outcome" => "failed").increment(1);
                Err(problem)
            }
            Err(Stop::Refused { reason, .. }) => {
                let outcome = reason.as_str();
                metrics::counter!("ralex_sso_logins_total", "outcome" => outcome).increment(1);
                Ok(Finished { to: format!("{page}?sso={reason}"), session: None })
            }
        }
    }

    async fn returned(
        &self,
        visit: Visit<'_>,
        back: &Back<'_>,
        page: &mut &'static str,
    ) -> Result<Finished, Stop> {
        let (org, stored) = self.enabled(visit).await?;
        self.must_be_open(org).await?;
        let (taken, cookie) = self.take((org, &stored), back).await?;
        // Whoever has a session is told there.
        if taken.user.is_some() || taken.proof_since.is_some() {
            *page = "/profile";
        }
        // From here on somebody was really sent there, so what becomes of it stands in the log: nobody
        // can fill it with answers to questions that were never asked.
        let done = self.proven((org, &stored), visit, back, (&taken, cookie)).await;
        if let Err(Stop::Refused { detail, user, .. }) = &done {
            self.record_refusal((org, stored.id), visit, detail, user.or(taken.user)).await?;
        }
        done
    }

    /// Takes what was kept of the way out. It is gone from then on, whatever comes of it.
    async fn take<'a>(
        &self,
        (org, stored): (OrgId, &Stored),
        back: &Back<'a>,
    ) -> Result<(Taken, &'a str), Stop> {
        let state = back.state.filter(|it| it.len() <= LONGEST);
        let state = state.ok_or(Stop::refused(SsoRefusal::State, "no_state"))?;
        let mut tx = self.0.db.system("take somebody back from their provider").await?;
        let digest = self.digest("state", state);
        let taken = flow::take(&mut tx, org, stored.id, &digest).await.map_err(problem)?;
        tx.commit().await.map_err(problem)?;
        let taken = taken.filter(|it| it.expires_at > self.0.clock.now());
        let taken = taken.ok_or(Stop::refused(SsoRefusal::State, "unknown_state"))?;
        let cookie = back.cookie.ok_or(Stop::refused(SsoRefusal::Browser, "no_cookie"))?;
        // Both are keyed digests, so that the time it takes tells nothing of either.
        if self.digest("browser", cookie) != taken.browser {
            return Err(Stop::refused(SsoRefusal::Browser, "another_cookie"));
        }
        Ok((taken, cookie))
    }

    async fn proven(
        &self,
        (org, stored): (OrgId, &Stored),
        visit: Visit<'_>,
        back: &Back<'_>,
        (taken, cookie): (&Taken, &str),
    ) -> Result<Finished, Stop> {
        self.is_from(stored, back).await?;
        if back.error.is_some() {
            return Err(Stop::refused(SsoRefusal::Refused, "provider_said_no"));
        }
        let code = back.code.filter(|it| !it.is_empty() && it.len() <= LONGEST);
        let code = code.ok_or(Stop::refused(SsoRefusal::Code, "no_code"))?;
        let callback = self.callback(org, stored, visit.base).await?;
        let mut tx = self.0.db.tenant(org).await?;
        let rows = mapping::list(&mut tx, org, stored.id).await.map_err(problem)?;
        drop(tx);
        let needs_groups = rows.iter().any(|row| row.claim_value.is_some());
        let carried = carried(cookie);
        let with = (&carried, taken.proof_since);
        let person = self.exchange((org, stored), &callback, code, with, needs_groups).await?;
        if let (Some(user), Some(session)) = (taken.user, taken.session) {
            self.connect((org, stored), &person, (user, session), visit.arrival).await?;
            return Ok(Finished { to: "/profile?sso=linked".to_owned(), session: None });
        }
        let session = self.admit((org, stored), &person, visit.arrival).await?;
        Ok(Finished { to: "/".to_owned(), session: Some(session) })
    }

    /// Refuses an answer of another provider than the one that was asked, as far as it says whose it
    /// is; one that promised to say so has to.
    async fn is_from(&self, stored: &Stored, back: &Back<'_>) -> Result<(), Stop> {
        let says = self.0.known.ask(&self.0.post, &stored.issuer).await;
        let must = says.is_ok_and(|it| it.document.authorization_response_iss_parameter_supported);
        match back.issuer {
            Some(issuer) if issuer == stored.issuer => Ok(()),
            None if !must => Ok(()),
            Some(_) | None => Err(Stop::refused(SsoRefusal::MixUp, "issuer_parameter")),
        }
    }

    async fn record_refusal(
        &self,
        (org, provider): (OrgId, SsoProviderId),
        visit: Visit<'_>,
        reason: &'static str,
        user: Option<UserId>,
    ) -> Result<(), Problem> {
        let mut author = Author::system(org);
        author.address = visit.arrival.address;
        author.request = Some(visit.arrival.request);
        let event = Event::Sso(SsoEvent::LoginRefused { provider, reason, user });
        let mut tx = self.0.db.tenant(org).await?;
        record(&mut tx, &author, event).await.map_err(problem)?;
        tx.commit().await.map_err(problem)
    }
}
