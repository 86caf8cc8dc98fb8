//! What identity promises of second factors and fresh proofs, on a real PostgreSQL.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use parking_lot::Mutex;
use ralex_access::{Access, Policies};
use ralex_api::factors::{ConfirmTotp, Method, SecondFactorLogin, StepUp};
use ralex_api::identity::{ChangePassword, Login};
use ralex_api::page::PageQuery;
use ralex_identity::{Arrival, Identity, SignedIn};
use ralex_kernel::{Clock, Code, RequestId, Secret};
use ralex_store::testing::Database;
use totp_rs::{Builder, Secret as Seed};
use zeroize::Zeroizing;

const EMAIL: &str = "ann@example.com";
const PASSWORD: &str = "correct horse battery";

struct World {
    // Dropped last, since the others hold connections to it.
    identity: Identity,
    now: Arc<Mutex<DateTime<Utc>>>,
    _database: Database,
}

/// Somebody with an app, and the session in which they added it.
struct Ann {
    cookie: Secret,
    seed: String,
    codes: Vec<String>,
}

impl World {
    async fn new() -> Self {
        ralex_audit::personal::testing::keep();
        let database = Database::fresh().await;
        let now = Arc::new(Mutex::new(Utc::now()));
        let clock = Clock::from_fn({
            let now = Arc::clone(&now);
            move || *now.lock()
        });
        let policies = Policies::load(None).unwrap();
        let access = Arc::new(Access::open(database.db(), policies, clock.clone()).await.unwrap());
        let identity =
            Identity::new(database.db(), access, clock, Zeroizing::new([7; 32]), None).unwrap();
        let (slug, email) = ("acme".parse().unwrap(), EMAIL.parse().unwrap());
        identity
            .create_first_org(&slug, &email, Some(&secret(PASSWORD)), async |_, _| Ok(()))
            .await
            .unwrap();
        Self { identity, now, _database: database }
    }

    /// The same with an app.
    async fn with_app() -> (Self, Ann) {
        let world = Self::new().await;
        let cookie = world.password().await.unwrap().0.unwrap();
        let ann = world.add_app(cookie).await;
        // The code that confirmed it is spent.
        world.pass(TimeDelta::seconds(60));
        (world, ann)
    }

    async fn add_app(&self, cookie: Secret) -> Ann {
        let caller = self.signed_in(&cookie).await.unwrap().caller;
        let begun = self.identity.begin_totp(&caller).await.unwrap();
        let confirm = ConfirmTotp { code: secret(&self.code(&begun.secret)) };
        let made = self.identity.confirm_totp(&caller, &confirm, &arrival()).await.unwrap();
        Ann { cookie, seed: begun.secret, codes: made.codes }
    }

    fn pass(&self, time: TimeDelta) {
        *self.now.lock() += time;
    }

    /// What an app shows now.
    fn code(&self, seed: &str) -> String {
        let seed = Seed::try_from_base32(seed).unwrap();
        let totp = Builder::new().with_secret(seed).with_account_name("x").build().unwrap();
        totp.generate(u64::try_from(self.now.lock().timestamp()).unwrap()).to_string()
    }

    /// The first half of a login: a cookie or a challenge.
    async fn password(&self) -> Result<(Option<Secret>, Option<String>), Code> {
        let login = Login { email: EMAIL.parse().unwrap(), password: secret(PASSWORD) };
        let done = self.identity.login(&login, &arrival()).await.map_err(|why| why.code)?;
        let challenge = done.answer.second_factor.map(|second| second.challenge);
        assert_eq!(done.answer.user.is_some(), done.cookie.is_some());
        Ok((done.cookie, challenge))
    }

    async fn challenge(&self) -> String {
        self.password().await.unwrap().1.unwrap()
    }

    async fn complete(&self, challenge: &str, code: &str, from: &Arrival) -> Result<Secret, Code> {
        let second = SecondFactorLogin {
            challenge: secret(challenge),
            code: Some(secret(code)),
            passkey: None,
        };
        let done = self.identity.complete_login(&second, from).await;
        done.map(|done| done.cookie.unwrap()).map_err(|why| why.code)
    }

    async fn signed_in(&self, cookie: &Secret) -> Option<SignedIn> {
        self.identity.resolve_session(cookie.expose(), &arrival()).await.unwrap()
    }

    async fn step_up(&self, cookie: &Secret, code: Option<&str>) -> Result<Secret, Code> {
        let caller = self.signed_in(cookie).await.unwrap().caller;
        let step_up =
            StepUp { password: Some(secret(PASSWORD)), code: code.map(secret), passkey: None };
        let proven = self.identity.step_up(&caller, &step_up, &arrival()).await;
        proven.map(|proven| proven.cookie).map_err(|why| why.code)
    }

    async fn is_fresh(&self, cookie: &Secret) -> bool {
        let signed_in = self.signed_in(cookie).await.unwrap();
        self.identity.require_fresh(&signed_in).is_ok()
    }
}

fn secret(text: &str) -> Secret {
    Secret::new(text.to_owned())
}

fn arrival() -> Arrival {
    from("203.0.113.7")
}

fn from(address: &str) -> Arrival {
    Arrival {
        request: RequestId::generate(),
        address: address.parse().ok(),
        user_agent: Some("test".to_owned()),
        device: None,
    }
}

#[tokio::test]
async fn with_an_app_a_right_password_opens_nothing() {
    let (world, ann) = World::with_app().await;
    let (cookie, challenge) = world.password().await.unwrap();
    assert!(cookie.is_none());
    let challenge = challenge.unwrap();
    assert!(challenge.starts_with("rlx_2fa_"), "{challenge}");
    // It is no session and no token, and neither of these is one.
    assert!(world.signed_in(&secret(&challenge)).await.is_none());
    assert!(world.identity.resolve_token(&challenge, &arrival()).await.unwrap().is_none());
    let code = world.code(&ann.seed);
    let other = world.complete(ann.cookie.expose(), &code, &arrival()).await;
    assert_eq!(other.unwrap_err(), Code::InvalidLogin);
    let cookie = world.complete(&challenge, &code, &arrival()).await.unwrap();
    assert!(world.is_fresh(&cookie).await);
    let caller = world.signed_in(&cookie).await.unwrap().caller;
    let sessions = world.identity.sessions(&caller, &PageQuery::default()).await.unwrap();
    let own = sessions.items.iter().find(|session| session.current).unwrap();
    assert_eq!(own.methods, [Method::Password, Method::Totp]);
    // The challenge went with the login, also with a code that was never used.
    world.pass(TimeDelta::seconds(30));
    let again = world.complete(&challenge, &world.code(&ann.seed), &arrival()).await;
    assert_eq!(again.unwrap_err(), Code::InvalidLogin);
}

/// A hundred at once from a hundred networks, each with its own right password.
async fn at_once(world: &World, code: &str) -> usize {
    let mut tries = Vec::new();
    for number in 0..100 {
        let (challenge, address) = (world.challenge().await, format!("198.51.100.{number}"));
        tries.push((challenge, from(&address)));
    }
    let mut tasks = tokio::task::JoinSet::new();
    for (challenge, from) in tries {
        let (identity, code) = (world.identity.clone(), secret(code));
        tasks.spawn(async move {
            let second = SecondFactorLogin {
                challenge: Secret::new(challenge),
                code: Some(code),
                passkey: None,
            };
            identity.complete_login(&second, &from).await.map(drop).map_err(|why| why.code)
        });
    }
    let outcomes = tasks.join_all().await;
    for outcome in &outcomes {
        assert!(
            matches!(outcome, Ok(()) | Err(Code::InvalidLogin | Code::Throttled)),
            "{outcome:?}"
        );
    }
    outcomes.iter().filter(|outcome| outcome.is_ok()).count()
}

#[tokio::test]
async fn a_code_that_is_used_a_hundred_times_at_once_opens_one_session() {
    let (world, ann) = World::with_app().await;
    assert_eq!(at_once(&world, &world.code(&ann.seed)).await, 1);
}

#[tokio::test]
async fn a_recovery_code_that_is_used_a_hundred_times_at_once_opens_one_session() {
    let (world, ann) = World::with_app().await;
    assert_eq!(at_once(&world, &ann.codes[3]).await, 1);
    let caller = world.signed_in(&ann.cookie).await.unwrap().caller;
    assert_eq!(world.identity.factors(&caller).await.unwrap().recovery_codes, 9);
}

#[tokio::test]
async fn one_challenge_that_is_completed_by_two_codes_at_once_opens_one_session() {
    let (world, ann) = World::with_app().await;
    let challenge = world.challenge().await;
    let (here, code) = (arrival(), world.code(&ann.seed));
    let (app, recovery) = tokio::join!(
        world.complete(&challenge, &code, &here),
        world.complete(&challenge, &ann.codes[0], &here),
    );
    assert!(app.is_ok() != recovery.is_ok(), "{app:?} {recovery:?}");
    // What lost was rolled back whole, and is still good for the next login.
    world.pass(TimeDelta::seconds(30));
    if app.is_ok() {
        let challenge = world.challenge().await;
        world.complete(&challenge, &ann.codes[0], &here).await.unwrap();
    }
}

#[tokio::test]
async fn a_code_counts_once_and_none_before_it_counts_after_it() {
    let (world, ann) = World::with_app().await;
    let (early, challenge) = (world.code(&ann.seed), world.challenge().await);
    world.pass(TimeDelta::seconds(30));
    let now = world.code(&ann.seed);
    let cookie = world.complete(&challenge, &now, &arrival()).await.unwrap();
    // The same, and the one of the step before, which alone would still be in the window.
    assert_eq!(world.step_up(&cookie, Some(&now)).await.unwrap_err(), Code::InvalidRequest);
    assert_eq!(world.step_up(&cookie, Some(&early)).await.unwrap_err(), Code::InvalidRequest);
    world.pass(TimeDelta::seconds(30));
    world.step_up(&cookie, Some(&world.code(&ann.seed))).await.unwrap();
}

#[tokio::test]
async fn five_wrong_codes_end_a_login_and_slow_down_their_network_alone() {
    let (world, ann) = World::with_app().await;
    let challenge = world.challenge().await;
    for _ in 0..5 {
        let wrong = world.complete(&challenge, "000000", &arrival()).await;
        assert_eq!(wrong.unwrap_err(), Code::InvalidLogin);
    }
    let code = world.code(&ann.seed);
    let over = world.complete(&challenge, &code, &arrival()).await;
    assert_eq!(over.unwrap_err(), Code::InvalidLogin);
    let challenge = world.challenge().await;
    let slowed = world.complete(&challenge, &code, &arrival()).await;
    assert_eq!(slowed.unwrap_err(), Code::Throttled);
    world.complete(&challenge, &code, &from("198.51.100.1")).await.unwrap();
}

#[tokio::test]
async fn tries_from_many_networks_are_slowed_down_together() {
    let (world, _) = World::with_app().await;
    let mut outcomes = Vec::new();
    for number in 0..30 {
        let challenge = world.challenge().await;
        let from = from(&format!("198.51.100.{number}"));
        outcomes.push(world.complete(&challenge, "000000", &from).await.unwrap_err());
    }
    assert_eq!(outcomes.iter().filter(|code| **code == Code::InvalidLogin).count(), 20);
    assert!(outcomes[20..].iter().all(|code| *code == Code::Throttled), "{outcomes:?}");
}

#[tokio::test]
async fn a_login_that_waits_ends_by_itself_and_with_the_password_it_began_with() {
    let (world, ann) = World::with_app().await;
    let late = world.challenge().await;
    world.pass(TimeDelta::minutes(5));
    let over = world.complete(&late, &world.code(&ann.seed), &arrival()).await;
    assert_eq!(over.unwrap_err(), Code::InvalidLogin);
    let waits = world.challenge().await;
    let caller = world.signed_in(&ann.cookie).await.unwrap().caller;
    let change = ChangePassword { current: secret(PASSWORD), new: secret("another long password") };
    world.identity.change_password(&caller, &change, &arrival()).await.unwrap();
    let over = world.complete(&waits, &world.code(&ann.seed), &arrival()).await;
    assert_eq!(over.unwrap_err(), Code::InvalidLogin);
}

#[tokio::test]
async fn an_app_that_is_added_ends_the_sessions_that_were_opened_without_it() {
    let world = World::new().await;
    let stolen = world.password().await.unwrap().0.unwrap();
    let cookie = world.password().await.unwrap().0.unwrap();
    let ann = world.add_app(cookie).await;
    assert!(world.signed_in(&stolen).await.is_none());
    let caller = world.signed_in(&ann.cookie).await.unwrap().caller;
    // A second one would take the place of the first without anyone proving it.
    let second = world.identity.begin_totp(&caller).await.unwrap_err();
    assert_eq!(second.code, Code::Conflict);
    world.identity.remove_totp(&caller).await.unwrap();
    assert!(world.password().await.unwrap().0.is_some());
    assert_eq!(world.identity.factors(&caller).await.unwrap().recovery_codes, 0);
    world.identity.remove_totp(&caller).await.unwrap_err();
    world.identity.renew_recovery_codes(&caller).await.unwrap_err();
}

#[tokio::test]
async fn an_app_counts_only_once_a_code_of_it_came_back_in_time() {
    let world = World::new().await;
    let cookie = world.password().await.unwrap().0.unwrap();
    let caller = world.signed_in(&cookie).await.unwrap().caller;
    let begun = world.identity.begin_totp(&caller).await.unwrap();
    assert!(begun.uri.starts_with("otpauth://totp/Ralex:ann"), "{}", begun.uri);
    assert!(begun.uri.contains(&begun.secret));
    assert!(world.password().await.unwrap().0.is_some());
    let confirm = async |code: String| {
        let confirm = ConfirmTotp { code: Secret::new(code) };
        world.identity.confirm_totp(&caller, &confirm, &arrival()).await.map_err(|why| why.code)
    };
    assert_eq!(confirm("000000".to_owned()).await.unwrap_err(), Code::InvalidRequest);
    world.pass(TimeDelta::minutes(15));
    assert_eq!(confirm(world.code(&begun.secret)).await.unwrap_err(), Code::Conflict);
    // One that is begun anew takes its place.
    let anew = world.identity.begin_totp(&caller).await.unwrap();
    assert_ne!(anew.secret, begun.secret);
    let old = confirm(world.code(&begun.secret)).await;
    assert_eq!(old.unwrap_err(), Code::InvalidRequest);
    assert_eq!(confirm(world.code(&anew.secret)).await.unwrap().codes.len(), 10);
}

#[tokio::test]
async fn new_recovery_codes_end_the_old_ones_and_each_works_once() {
    let (world, ann) = World::with_app().await;
    let caller = world.signed_in(&ann.cookie).await.unwrap().caller;
    let renewed = world.identity.renew_recovery_codes(&caller).await.unwrap().codes;
    let challenge = world.challenge().await;
    let old = world.complete(&challenge, &ann.codes[0], &arrival()).await;
    assert_eq!(old.unwrap_err(), Code::InvalidLogin);
    let typed = format!(" {}", renewed[0].to_uppercase().replace('-', " "));
    world.complete(&challenge, &typed, &arrival()).await.unwrap();
    let challenge = world.challenge().await;
    let again = world.complete(&challenge, &renewed[0], &arrival()).await;
    assert_eq!(again.unwrap_err(), Code::InvalidLogin);
}

#[tokio::test]
async fn a_proof_is_fresh_for_ten_minutes_and_asks_for_every_factor() {
    let (world, ann) = World::with_app().await;
    assert!(world.is_fresh(&ann.cookie).await);
    world.pass(TimeDelta::minutes(10));
    assert!(!world.is_fresh(&ann.cookie).await);
    let password_alone = world.step_up(&ann.cookie, None).await;
    assert_eq!(password_alone.unwrap_err(), Code::InvalidRequest);
    assert!(!world.is_fresh(&ann.cookie).await);
    let anew = world.step_up(&ann.cookie, Some(&world.code(&ann.seed))).await.unwrap();
    assert!(world.is_fresh(&anew).await);
    // What was on its way with the old cookie is answered for a moment, and proves nothing.
    assert!(!world.is_fresh(&ann.cookie).await);
    world.pass(TimeDelta::seconds(11));
    assert!(world.signed_in(&ann.cookie).await.is_none());
    assert!(world.signed_in(&anew).await.is_some());
}
