//! What identity promises of passkeys, on a real PostgreSQL and by an authenticator in software.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../../../tests/src/authenticator.rs"]
mod authenticator;

use std::sync::Arc;

use authenticator::Authenticator;
use chrono::{DateTime, TimeDelta, Utc};
use parking_lot::Mutex;
use ralex_access::{Access, Policies};
use ralex_api::factors::{Method, SecondFactorLogin, StepUp};
use ralex_api::identity::Login;
use ralex_api::page::PageQuery;
use ralex_api::passkeys::{
    NewPasskey, PasskeyAdded, PasskeyAnswer, PasskeyCeremony, RenamePasskey, WaitingLogin,
};
use ralex_identity::{Arrival, Identity, SignedIn};
use ralex_kernel::{Clock, Code, RequestId, Secret};
use ralex_store::testing::Database;
use zeroize::Zeroizing;

const ORIGIN: &str = "https://ralex.example.com";
const EMAIL: &str = "ann@example.com";
const PASSWORD: &str = "correct horse battery";

struct World {
    // Dropped last, since the others hold connections to it.
    identity: Identity,
    now: Arc<Mutex<DateTime<Utc>>>,
    database: Database,
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
        let (pepper, url) = (Zeroizing::new([7; 32]), ORIGIN.parse().unwrap());
        let identity = Identity::new(database.db(), access, clock, pepper, Some(&url)).unwrap();
        let (slug, email) = ("acme".parse().unwrap(), EMAIL.parse().unwrap());
        identity
            .create_first_org(&slug, &email, Some(&secret(PASSWORD)), async |_, _| Ok(()))
            .await
            .unwrap();
        Self { identity, now, database }
    }

    /// The same with a passkey, and the session in which it was added.
    async fn with_passkey() -> (Self, Authenticator, Secret, PasskeyAdded) {
        let world = Self::new().await;
        let cookie = world.password().await.0.unwrap();
        let mut phone = Authenticator::new(ORIGIN);
        let added = world.add(&cookie, &mut phone, "phone").await.unwrap();
        (world, phone, cookie, added)
    }

    fn pass(&self, time: TimeDelta) {
        *self.now.lock() += time;
    }

    async fn password(&self) -> (Option<Secret>, Option<Secret>) {
        let login = Login { email: EMAIL.parse().unwrap(), password: secret(PASSWORD) };
        let done = self.identity.login(&login, &arrival()).await.unwrap();
        (done.cookie, done.answer.second_factor.map(|second| Secret::new(second.challenge)))
    }

    async fn signed_in(&self, cookie: &Secret) -> Option<SignedIn> {
        self.identity.resolve_session(cookie.expose(), &arrival()).await.unwrap()
    }

    async fn begin(&self, cookie: &Secret) -> PasskeyCeremony {
        let caller = self.signed_in(cookie).await.unwrap().caller;
        self.identity.begin_passkey(&caller, &arrival()).await.unwrap()
    }

    async fn confirm(&self, cookie: &Secret, new: &NewPasskey) -> Result<PasskeyAdded, Code> {
        let caller = self.signed_in(cookie).await.unwrap().caller;
        self.identity.add_passkey(&caller, new).await.map_err(|why| why.code)
    }

    async fn add(
        &self,
        cookie: &Secret,
        by: &mut Authenticator,
        name: &str,
    ) -> Result<PasskeyAdded, Code> {
        let asked = self.begin(cookie).await;
        self.confirm(cookie, &made(name, &asked, by)).await
    }

    async fn ask_login(&self) -> PasskeyCeremony {
        self.identity.begin_passkey_login(&arrival()).await.unwrap()
    }

    async fn answer_login(&self, answer: &PasskeyAnswer) -> Result<Secret, Code> {
        let done = self.identity.login_by_passkey(answer, &arrival()).await;
        done.map(|done| done.cookie.unwrap()).map_err(|why| why.code)
    }

    async fn login(&self, by: &mut Authenticator) -> Result<Secret, Code> {
        let asked = self.ask_login().await;
        self.answer_login(&signed(&asked, by)).await
    }

    async fn ask_factor(&self, challenge: &Secret) -> PasskeyCeremony {
        let waiting = WaitingLogin { challenge: secret(challenge.expose()) };
        self.identity.begin_passkey_factor(&waiting, &arrival()).await.unwrap()
    }

    async fn complete(&self, challenge: &Secret, answer: PasskeyAnswer) -> Result<Secret, Code> {
        let challenge = secret(challenge.expose());
        let second = SecondFactorLogin { challenge, code: None, passkey: Some(answer) };
        let done = self.identity.complete_login(&second, &arrival()).await;
        done.map(|done| done.cookie.unwrap()).map_err(|why| why.code)
    }

    async fn ask_proof(&self, cookie: &Secret) -> PasskeyCeremony {
        let caller = self.signed_in(cookie).await.unwrap().caller;
        self.identity.begin_passkey_proof(&caller, &arrival()).await.unwrap()
    }

    async fn step_up(&self, cookie: &Secret, answer: PasskeyAnswer) -> Result<Secret, Code> {
        let caller = self.signed_in(cookie).await.unwrap().caller;
        let step_up = StepUp { password: None, code: None, passkey: Some(answer) };
        let proven = self.identity.step_up(&caller, &step_up, &arrival()).await;
        proven.map(|proven| proven.cookie).map_err(|why| why.code)
    }

    async fn methods(&self, cookie: &Secret) -> Vec<Method> {
        let caller = self.signed_in(cookie).await.unwrap().caller;
        let page = self.identity.sessions(&caller, &PageQuery::default()).await.unwrap();
        page.items.into_iter().find(|session| session.current).unwrap().methods
    }

    /// How often the log tells of something.
    async fn told(&self, action: &str) -> i64 {
        let counted = sqlx::query_scalar!(
            r#"select count(*) as "count!" from audit_event where action = $1"#,
            action
        );
        counted.fetch_one(&mut self.database.owner().await).await.unwrap()
    }
}

fn secret(text: &str) -> Secret {
    Secret::new(text.to_owned())
}

fn made(name: &str, asked: &PasskeyCeremony, by: &mut Authenticator) -> NewPasskey {
    let credential = by.create(&asked.options);
    NewPasskey { name: name.parse().unwrap(), ceremony: secret(&asked.ceremony), credential }
}

fn signed(asked: &PasskeyCeremony, by: &mut Authenticator) -> PasskeyAnswer {
    PasskeyAnswer { ceremony: secret(&asked.ceremony), credential: by.sign(&asked.options) }
}

fn arrival() -> Arrival {
    Arrival {
        request: RequestId::generate(),
        address: "203.0.113.7".parse().ok(),
        user_agent: Some("test".to_owned()),
        device: None,
    }
}

#[tokio::test]
async fn a_passkey_alone_opens_a_session_that_is_fresh_and_counts_as_a_second_factor() {
    let (world, mut phone, ..) = World::with_passkey().await;
    let asked = world.ask_login().await;
    assert_eq!(asked.options["allowCredentials"], serde_json::json!([]));
    assert_eq!(asked.options["userVerification"], "required");
    let cookie = world.answer_login(&signed(&asked, &mut phone)).await.unwrap();
    let signed_in = world.signed_in(&cookie).await.unwrap();
    assert!(signed_in.caller.second_factor);
    world.identity.require_fresh(&signed_in).unwrap();
    assert_eq!(world.methods(&cookie).await, [Method::Passkey]);
    let factors = world.identity.factors(&signed_in.caller).await.unwrap();
    assert!(factors.passkeys[0].last_used_at.is_some());
}

#[tokio::test]
async fn with_a_passkey_a_right_password_opens_nothing_until_it_is_shown_too() {
    let (world, mut phone, _, added) = World::with_passkey().await;
    let (cookie, challenge) = world.password().await;
    assert!(cookie.is_none());
    let challenge = challenge.unwrap();
    let asked = world.ask_factor(&challenge).await;
    let id = phone.sign(&asked.options)["id"].clone();
    assert_eq!(asked.options["allowCredentials"][0]["id"], id);
    let cookie = world.complete(&challenge, signed(&asked, &mut phone)).await.unwrap();
    assert!(world.signed_in(&cookie).await.unwrap().caller.second_factor);
    assert_eq!(world.methods(&cookie).await, [Method::Password, Method::Passkey]);
    // On the day that it is lost.
    let challenge = world.password().await.1.unwrap();
    let code = Some(secret(&added.recovery_codes.unwrap().codes[0]));
    let second = SecondFactorLogin { challenge, code, passkey: None };
    world.identity.complete_login(&second, &arrival()).await.unwrap();
}

#[tokio::test]
async fn the_first_factor_ends_what_began_with_less_and_brings_recovery_codes() {
    let world = World::new().await;
    let (here, there) = (world.password().await.0.unwrap(), world.password().await.0.unwrap());
    let first = world.add(&here, &mut Authenticator::new(ORIGIN), "phone").await.unwrap();
    assert_eq!(first.recovery_codes.unwrap().codes.len(), 10);
    assert!(world.signed_in(&there).await.is_none());
    assert!(world.signed_in(&here).await.unwrap().caller.second_factor);
    let mut key = Authenticator::new(ORIGIN);
    let also = world.login(&mut key).await;
    assert_eq!(also.unwrap_err(), Code::InvalidLogin);
    let second = world.add(&here, &mut key, "key").await.unwrap();
    assert!(second.recovery_codes.is_none());
    let there = world.login(&mut key).await.unwrap();
    world.add(&here, &mut Authenticator::new(ORIGIN), "third").await.unwrap();
    assert!(world.signed_in(&there).await.is_some());
    // The same one twice is one.
    assert_eq!(world.add(&here, &mut key, "again").await.unwrap_err(), Code::InvalidRequest);
}

#[tokio::test]
async fn a_question_is_answered_once_however_many_answer_at_once() {
    let (world, mut phone, ..) = World::with_passkey().await;
    phone.counts = false;
    phone.count = 0;
    let asked = world.ask_login().await;
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..20 {
        let (identity, answer) = (world.identity.clone(), signed(&asked, &mut phone));
        tasks.spawn(async move {
            identity.login_by_passkey(&answer, &arrival()).await.map(drop).map_err(|why| why.code)
        });
    }
    let outcomes = tasks.join_all().await;
    assert_eq!(outcomes.iter().filter(|it| it.is_ok()).count(), 1, "{outcomes:?}");
    let cookie = world.login(&mut phone).await.unwrap();
    let asked = world.ask_proof(&cookie).await;
    let (one, other) = (signed(&asked, &mut phone), signed(&asked, &mut phone));
    let (one, other) = tokio::join!(world.step_up(&cookie, one), world.step_up(&cookie, other));
    assert!(one.is_ok() != other.is_ok(), "{one:?} {other:?}");
}

#[tokio::test]
async fn a_passkey_that_is_confirmed_twice_at_once_is_added_once() {
    let world = World::new().await;
    let cookie = world.password().await.0.unwrap();
    let asked = world.begin(&cookie).await;
    let new = made("phone", &asked, &mut Authenticator::new(ORIGIN));
    let (one, other) = tokio::join!(world.confirm(&cookie, &new), world.confirm(&cookie, &new));
    assert!(one.is_ok() != other.is_ok(), "{one:?} {other:?}");
    assert_eq!(one.err().or(other.err()), Some(Code::Conflict));
}

#[tokio::test]
async fn a_question_of_one_purpose_is_worth_nothing_for_another() {
    let (world, mut phone, cookie, _) = World::with_passkey().await;
    let challenge = world.password().await.1.unwrap();
    let other = world.login(&mut phone).await.unwrap();
    let (login, proof) = (world.ask_login().await, world.ask_proof(&cookie).await);
    let (factor, made_for) = (world.ask_factor(&challenge).await, world.begin(&cookie).await);
    for asked in [&proof, &factor, &made_for] {
        let mut asked = asked.clone();
        asked.options["rpId"] = "ralex.example.com".into();
        let refused = world.answer_login(&signed(&asked, &mut phone)).await;
        assert_eq!(refused.unwrap_err(), Code::InvalidLogin);
    }
    for asked in [&login, &factor] {
        let refused = world.step_up(&cookie, signed(asked, &mut phone)).await;
        assert_eq!(refused.unwrap_err(), Code::InvalidRequest);
        let new = NewPasskey {
            name: "key".parse().unwrap(),
            ceremony: secret(&asked.ceremony),
            credential: Authenticator::new(ORIGIN).create(&made_for.options),
        };
        assert_eq!(world.confirm(&cookie, &new).await.unwrap_err(), Code::Conflict);
    }
    for asked in [&login, &proof] {
        let refused = world.complete(&challenge, signed(asked, &mut phone)).await;
        assert_eq!(refused.unwrap_err(), Code::InvalidLogin);
    }
    // Nor for the same purpose of another session or another login.
    let refused = world.step_up(&other, signed(&proof, &mut phone)).await;
    assert_eq!(refused.unwrap_err(), Code::InvalidRequest);
    let another = world.password().await.1.unwrap();
    let refused = world.complete(&another, signed(&factor, &mut phone)).await;
    assert_eq!(refused.unwrap_err(), Code::InvalidLogin);
    // None of these tries took what it was not asked for.
    world.step_up(&cookie, signed(&proof, &mut phone)).await.unwrap();
    world.complete(&challenge, signed(&factor, &mut phone)).await.unwrap();
    world.answer_login(&signed(&login, &mut phone)).await.unwrap();
}

#[tokio::test]
async fn a_question_waits_for_five_minutes_and_no_longer() {
    let (world, mut phone, ..) = World::with_passkey().await;
    let asked = world.ask_login().await;
    world.pass(TimeDelta::seconds(299));
    world.answer_login(&signed(&asked, &mut phone)).await.unwrap();
    let asked = world.ask_login().await;
    world.pass(TimeDelta::seconds(301));
    let late = world.answer_login(&signed(&asked, &mut phone)).await;
    assert_eq!(late.unwrap_err(), Code::InvalidLogin);
}

#[tokio::test]
async fn a_count_that_is_not_ahead_is_refused_and_told_unless_nothing_is_counted() {
    let (world, mut phone, ..) = World::with_passkey().await;
    world.login(&mut phone).await.unwrap();
    world.login(&mut phone).await.unwrap();
    assert_eq!(world.told("passkey.copy_suspected").await, 0);
    phone.count = 1;
    // A copy that counts from where it was made: it would be 2, which was.
    assert_eq!(world.login(&mut phone).await.unwrap_err(), Code::InvalidLogin);
    assert_eq!(world.told("passkey.copy_suspected").await, 1);
    let challenge = world.password().await.1.unwrap();
    phone.count = 0;
    let asked = world.ask_factor(&challenge).await;
    let refused = world.complete(&challenge, signed(&asked, &mut phone)).await;
    assert_eq!(refused.unwrap_err(), Code::InvalidLogin);
    assert_eq!(world.told("passkey.copy_suspected").await, 2);
    phone.count = 40;
    let cookie = world.login(&mut phone).await.unwrap();
    // One that never counts is not under suspicion.
    let mut synced = Authenticator::new(ORIGIN);
    synced.counts = false;
    world.add(&cookie, &mut synced, "synced").await.unwrap();
    world.login(&mut synced).await.unwrap();
    world.login(&mut synced).await.unwrap();
    assert_eq!(world.told("passkey.copy_suspected").await, 2);
}

#[tokio::test]
async fn only_a_verified_owner_on_the_right_page_is_let_in() {
    let (world, mut phone, cookie, _) = World::with_passkey().await;
    phone.verifies = false;
    assert_eq!(world.login(&mut phone).await.unwrap_err(), Code::InvalidLogin);
    let mut careless = Authenticator::new(ORIGIN);
    careless.verifies = false;
    let refused = world.add(&cookie, &mut careless, "careless").await;
    assert_eq!(refused.unwrap_err(), Code::InvalidRequest);
    phone.verifies = true;
    phone.origin = "https://ralex.example.com.evil.example".to_owned();
    assert_eq!(world.login(&mut phone).await.unwrap_err(), Code::InvalidLogin);
    phone.origin = ORIGIN.to_owned();
    // Without a name nobody is looked for.
    let asked = world.ask_login().await;
    let mut answer = signed(&asked, &mut phone);
    answer.credential["response"]["userHandle"] = serde_json::Value::Null;
    assert_eq!(world.answer_login(&answer).await.unwrap_err(), Code::InvalidLogin);
    world.login(&mut phone).await.unwrap();
    let disable = sqlx::query!("update app_user set disabled_at = now()");
    disable.execute(&mut world.database.owner().await).await.unwrap();
    assert_eq!(world.login(&mut phone).await.unwrap_err(), Code::InvalidLogin);
}

#[tokio::test]
async fn a_removed_passkey_ends_what_it_opened_and_nothing_else() {
    let (world, mut phone, cookie, added) = World::with_passkey().await;
    let mut key = Authenticator::new(ORIGIN);
    let kept = world.add(&cookie, &mut key, "key").await.unwrap().passkey;
    let (by_phone, by_key) =
        (world.login(&mut phone).await.unwrap(), world.login(&mut key).await.unwrap());
    let asked = world.ask_login().await;
    let caller = world.signed_in(&cookie).await.unwrap().caller;
    let name = RenamePasskey { name: "old phone".parse().unwrap() };
    world.identity.rename_passkey(&caller, added.passkey.id, &name).await.unwrap();
    let told = world.identity.factors(&caller).await.unwrap();
    assert_eq!(told.passkeys[0].name.as_str(), "old phone");
    world.identity.remove_passkey(&caller, added.passkey.id).await.unwrap();
    assert!(world.signed_in(&by_phone).await.is_none());
    assert!(world.signed_in(&by_key).await.is_some());
    assert!(world.signed_in(&cookie).await.unwrap().caller.second_factor);
    let late = world.answer_login(&signed(&asked, &mut phone)).await;
    assert_eq!(late.unwrap_err(), Code::InvalidLogin);
    assert_eq!(world.identity.factors(&caller).await.unwrap().recovery_codes, 10);
    let twice = world.identity.remove_passkey(&caller, added.passkey.id).await;
    assert_eq!(twice.unwrap_err().code, Code::NotFound);
    // The last one takes the codes along, and the password is enough again.
    world.identity.remove_passkey(&caller, kept.id).await.unwrap();
    assert_eq!(world.identity.factors(&caller).await.unwrap().recovery_codes, 0);
    assert!(!world.signed_in(&cookie).await.unwrap().caller.second_factor);
    assert!(world.password().await.0.is_some());
}
