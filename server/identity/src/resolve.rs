//! Who a bearer token stands for, from memory where that is as good as asking.
//!
//! A team token is remembered with its organisation's policy version, so a revocation anywhere
//! ends it as soon as the version is seen. A personal token is remembered for less than a second.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use moka::sync::Cache;
use ralex_audit::{Author, Event, TokenEvent};
use ralex_kernel::{Caller, Code, Credential, OrgId, Permissions, Problem, SignOn, Subject};
use ralex_store::problem;

use crate::mint::TokenKind;
use crate::token::{is_within, place_of, stored_permissions};
use crate::{Arrival, Freshness, Identity, SignedIn, sql, stored};

const REMEMBERED: u64 = 100_000;
/// Team tokens are asked for again this often, which also notes that they are in use.
const TEAM_TOKEN_AGE: Duration = Duration::from_mins(1);
const PERSONAL_TOKEN_AGE: Duration = Duration::from_millis(800);

/// Tokens that were found lately, by their digests.
#[derive(Clone)]
pub(crate) struct Remembered(Cache<Vec<u8>, Arc<Entry>>);

struct Entry {
    subject: Subject,
    credential: Credential,
    sign_on: Option<SignOn>,
    by_device: bool,
    narrowed: Option<Permissions>,
    /// Networks that it works from; any where absent.
    addresses: Option<Vec<String>>,
    /// Whether the log was told that it was shown from elsewhere.
    misplaced: AtomicBool,
    models: Option<Arc<[String]>>,
    must_change_password: bool,
    second_factor: bool,
    expires_at: Option<DateTime<Utc>>,
    version: Option<(OrgId, i64)>,
    found: Instant,
}

impl Remembered {
    pub(crate) fn new() -> Self {
        Self(Cache::builder().max_capacity(REMEMBERED).time_to_live(TEAM_TOKEN_AGE).build())
    }

    pub(crate) fn forget(&self, digest: &[u8]) {
        self.0.invalidate(digest);
    }
}

impl Identity {
    /// Who a token stands for; nothing for one that is malformed, unknown, expired or revoked.
    ///
    /// # Errors
    /// `forbidden` from an address that the token does not work from.
    pub async fn resolve_token(
        &self,
        text: &str,
        arrival: &Arrival,
    ) -> Result<Option<SignedIn>, Problem> {
        let Some((kind, digest)) = self.mint.recognise(text) else {
            return Ok(None);
        };
        if let Some(entry) = self.remembered.0.get(&digest).filter(|entry| self.is_fresh(entry)) {
            return self.admit(&entry, arrival).await.map(Some);
        }
        let found = match kind {
            TokenKind::Team => self.find_team_token(&digest).await?,
            TokenKind::Personal => self.find_personal_token(&digest).await?,
            // What a directory shows opens nothing but its own endpoint.
            TokenKind::Provisioning
            | TokenKind::Session
            | TokenKind::Challenge
            | TokenKind::Ceremony
            | TokenKind::ProgramCode
            | TokenKind::DeviceCode
            | TokenKind::Link => None,
        };
        let Some(entry) = found.map(Arc::new) else {
            self.remembered.0.invalidate(&digest);
            return Ok(None);
        };
        self.remembered.0.insert(digest, Arc::clone(&entry));
        self.admit(&entry, arrival).await.map(Some)
    }

    /// Lets a live token in where it may be shown from there.
    async fn admit(&self, entry: &Entry, arrival: &Arrival) -> Result<SignedIn, Problem> {
        let signed_in = entry.signed_in(arrival);
        let Some(networks) = &entry.addresses else { return Ok(signed_in) };
        if is_within(networks, arrival.address) {
            return Ok(signed_in);
        }
        metrics::counter!("ralex_tokens_misplaced_total").increment(1);
        if !entry.misplaced.swap(true, Ordering::Relaxed) {
            self.record_misplaced(&signed_in.caller).await?;
        }
        let from = match arrival.address {
            Some(address) => format!("This request came from {}.", address.to_canonical()),
            None => "Where this request came from is not known.".to_owned(),
        };
        let detail = format!(
            "This token works from certain networks only. {from} Use it from one of them, or have a \
             token made that works from here."
        );
        Err(Problem::new(Code::Forbidden, detail))
    }

    /// Tells the log that a token was shown from elsewhere, once an hour.
    async fn record_misplaced(&self, caller: &Caller) -> Result<(), Problem> {
        let Some(token) = caller.credential.token() else { return Ok(()) };
        let (now, user) = (self.clock.now(), caller.subject.user());
        let mut tx = self.db.system("record a token that was shown from elsewhere").await?;
        let machine = caller.subject.machine().map(|(_, org, _)| org);
        let name = match machine {
            Some(org) => sql::rotation::misplaced(&mut tx, org, token, now).await,
            None => sql::rotation::misplaced_personal(&mut tx, token, now).await,
        };
        let Some(name) = name.map_err(problem)? else { return Ok(()) };
        let event = TokenEvent::AddressRefused { token, name: stored(&name)?, user };
        let event = Event::Token(event);
        match (machine, user) {
            (Some(org), _) => {
                let author = Author::of(caller, org);
                ralex_audit::record(&mut tx, &author, event).await.map_err(problem)?;
            }
            (None, Some(user)) => {
                self.record_everywhere(&mut tx, caller, user, &event).await?;
            }
            (None, None) => {}
        }
        tx.commit().await.map_err(problem)
    }

    fn is_fresh(&self, entry: &Entry) -> bool {
        let alive = entry.expires_at.is_none_or(|end| end > self.clock.now());
        let current = match entry.version {
            Some((org, version)) => self.access.version(org) == version,
            None => entry.found.elapsed() < PERSONAL_TOKEN_AGE,
        };
        alive && current
    }

    async fn find_team_token(&self, digest: &[u8]) -> Result<Option<Entry>, Problem> {
        let mut tx = self.db.system("resolve a team token").await?;
        let now = self.clock.now();
        let found = sql::token::find_team_token(&mut tx, digest, now).await.map_err(problem)?;
        let Some(token) = found else { return Ok(None) };
        tx.commit().await.map_err(problem)?;
        let scope = place_of(token.team, token.project);
        let org = token.org;
        let subject = match token.account {
            Some(account) => Subject::Service { account, org, scope },
            None => Subject::Token { token: token.id, org, scope },
        };
        Ok(Some(Entry {
            subject,
            credential: Credential::TeamToken(token.id),
            sign_on: None,
            by_device: false,
            narrowed: stored_permissions(token.permissions.as_deref()),
            addresses: token.addresses,
            misplaced: AtomicBool::new(false),
            models: token.models.map(Into::into),
            must_change_password: false,
            second_factor: false,
            expires_at: token.expires_at,
            version: Some((token.org, token.version)),
            found: Instant::now(),
        }))
    }

    async fn find_personal_token(&self, digest: &[u8]) -> Result<Option<Entry>, Problem> {
        let mut tx = self.db.system("resolve a personal token").await?;
        let now = self.clock.now();
        let found = sql::personal_token::find(&mut tx, digest, now).await.map_err(problem)?;
        let Some(token) = found else { return Ok(None) };
        tx.commit().await.map_err(problem)?;
        let sign_on = sql::session::sign_on(token.sso_org, token.sso_provider);
        Ok(Some(Entry {
            subject: Subject::User(token.user),
            credential: Credential::PersonalToken(token.id),
            sign_on,
            by_device: token.by_device,
            narrowed: stored_permissions(token.permissions.as_deref()),
            addresses: token.addresses,
            misplaced: AtomicBool::new(false),
            models: token.models.map(Into::into),
            must_change_password: token.one_time && sign_on.is_none(),
            second_factor: token.second_factor,
            expires_at: None,
            version: None,
            found: Instant::now(),
        }))
    }
}

impl Entry {
    fn signed_in(&self, arrival: &Arrival) -> SignedIn {
        SignedIn {
            caller: Caller {
                second_factor: self.second_factor,
                by_device: self.by_device,
                narrowed: self.narrowed,
                models: self.models.clone(),
                ..arrival.signed_on(self.subject, self.credential, self.sign_on)
            },
            must_change_password: self.must_change_password,
            proof: Freshness::Never,
        }
    }
}
