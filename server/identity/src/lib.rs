//! Identity: organisations, people, teams, projects, and how callers prove who they are.
//!
//! What always holds: passwords are kept as argon2id hashes and tokens as keyed digests, a secret
//! is shown once, in the answer that makes it, there is no session before every factor that is
//! registered was proven, and a person, session or token that was ended stops
//! working on every node within a second. Uses `access` and `audit`; used by `broker` and the
//! HTTP layer.

pub mod arrival;
pub mod bearer;
mod deactivate;
mod deletion;
pub mod device;
pub mod factor;
mod join;
mod joining;
pub mod link;
pub mod login;
mod managed;
pub mod member;
pub mod mint;
pub mod operator;
mod org;
pub mod password;
mod profile;
pub mod program;
mod provision;
pub mod recover;
pub mod resolve;
pub mod service;
pub mod session;
mod signed_on;
mod spray;
mod sql;
pub mod suspend;
pub mod team;
pub mod tenure;
mod throttle;
pub mod token;

use std::str::FromStr;
use std::sync::Arc;

use ralex_access::Access;
use ralex_kernel::{Caller, Clock, Code, Problem, Subject, UserId};
use ralex_mail::Mailer;
use ralex_store::Db;
use url::Url;
use zeroize::Zeroizing;

pub use arrival::Arrival;
pub use factor::{GlassAct, GlassProof};
use mint::Mint;
pub use org::FirstOwner;
use password::Passwords;

/// The service.
#[derive(Clone)]
pub struct Identity {
    db: Db,
    access: Arc<Access>,
    clock: Clock,
    passwords: Passwords,
    mint: Arc<Mint>,
    factor_keys: Arc<factor::Keys>,
    relying: Arc<factor::RelyingParty>,
    post: link::Post,
    remembered: resolve::Remembered,
    tenures: tenure::Tenures,
    /// Whether operators change something only with a second factor.
    operators_need_factor: bool,
}

/// Someone who proved who they are.
#[derive(Clone, Debug)]
pub struct SignedIn {
    pub caller: Caller,
    /// True while a one-time password waits to be replaced; nothing else may be done before.
    pub must_change_password: bool,
    pub proof: Freshness,
}

/// Whether the person behind a credential proved a short while ago who they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Freshness {
    Fresh,
    Old,
    /// A token tells that somebody has it, and not who.
    Never,
}

impl Identity {
    /// `pepper` keys the digests of tokens, and what second factors are sealed with is derived from
    /// it; another one would end them all. `public_url` is the address that people use, for whose
    /// domain passkeys are.
    pub fn new(
        db: Db,
        access: Arc<Access>,
        clock: Clock,
        pepper: Zeroizing<[u8; 32]>,
        public_url: Option<&Url>,
    ) -> Result<Self, Problem> {
        Ok(Self {
            db,
            access,
            clock,
            passwords: Passwords::new()?,
            factor_keys: Arc::new(factor::Keys::new(&pepper)?),
            relying: Arc::new(factor::RelyingParty::of(public_url)?),
            post: link::Post::none(public_url),
            mint: Arc::new(Mint::new(pepper)),
            remembered: resolve::Remembered::new(),
            tenures: tenure::Tenures::default(),
            operators_need_factor: false,
        })
    }
}

impl Identity {
    /// The same with somebody who brings links to people. Without, they are shown to who invites.
    #[must_use]
    pub fn with_mail(self, mailer: Mailer) -> Self {
        Self { post: self.post.by(mailer), ..self }
    }

    /// The same, where operators change something only with a second factor.
    #[must_use]
    pub fn asking_operators(self, operators_need_factor: bool) -> Self {
        Self { operators_need_factor, ..self }
    }

    /// A fresh token, for who keeps its digest.
    pub fn mint(&self, kind: mint::TokenKind) -> mint::Minted {
        self.mint.mint(kind)
    }

    /// The kind and the digest of a well-formed token; nothing for anything else.
    pub fn recognise(&self, text: &str) -> Option<(mint::TokenKind, Vec<u8>)> {
        self.mint.recognise(text)
    }
}

/// The person behind a caller, for what concerns their account; a team's token is none, and a token that
/// was narrowed opens nothing of the account.
pub fn person(caller: &Caller) -> Result<UserId, Problem> {
    if caller.is_narrowed() {
        let detail = "This token is narrowed to some permissions or models and opens nothing of your \
                      account. Use a session, or a token that is not narrowed.";
        return Err(Problem::new(Code::Forbidden, detail));
    }
    anybody(caller)
}

/// The same for what every token of a person may: to ask who they are, and to end itself.
pub(crate) fn anybody(caller: &Caller) -> Result<UserId, Problem> {
    match caller.subject {
        Subject::User(user) => Ok(user),
        Subject::Token { .. }
        | Subject::Service { .. }
        | Subject::Directory { .. }
        | Subject::System => {
            let detail =
                "This is for people, and a program is none. Use a session or a personal token.";
            Err(Problem::new(Code::Forbidden, detail))
        }
    }
}

/// The person behind a caller who speaks for the whole account. Who came in by the word of one
/// organisation's provider does not: that organisation could otherwise change what others go by.
pub(crate) fn holder(caller: &Caller) -> Result<UserId, Problem> {
    if caller.sign_on.is_some() {
        let detail = "This session is by the word of an organisation's provider and counts there \
                      only; your account is more than that. Log in with your password to change what \
                      it is protected by.";
        return Err(Problem::new(Code::Forbidden, detail));
    }
    person(caller)
}

/// A name as the database has it, which was checked when it was written.
fn stored<T: FromStr>(text: &str) -> Result<T, Problem> {
    text.parse().map_err(|_| Problem::new(Code::Internal, "A stored name is not valid."))
}

fn count(number: i64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
