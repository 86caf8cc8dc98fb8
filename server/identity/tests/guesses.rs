//! Guessed passwords: slowed where the account is not known, and never at its owner's cost.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;

use argon2::{Algorithm, Argon2, Params, PasswordHasher, Version};
use chrono::{DateTime, SubsecRound, TimeDelta, Utc};
use parking_lot::Mutex;
use ralex_access::{Access, Policies};
use ralex_api::identity::Login;
use ralex_identity::login::LoggedIn;
use ralex_identity::{Arrival, Identity};
use ralex_kernel::{Clock, Code, Problem, RequestId, Secret, UserId};
use ralex_store::testing::Database;
use zeroize::Zeroizing;

const PASSWORD: &str = "correct horse battery";
const EMAIL: &str = "ann@example.com";
/// As many failures as it takes for guesses at a domain to be slowed.
const ENOUGH: usize = 200;

type Refusal = (Code, String, Option<u64>);

struct World {
    // Dropped last, since the others hold connections to it.
    identity: Identity,
    owner: UserId,
    now: Arc<Mutex<DateTime<Utc>>>,
    database: Database,
}

impl World {
    async fn new() -> Self {
        ralex_audit::personal::testing::keep();
        let database = Database::fresh().await;
        // A whole second, as the database keeps it, so that waits are whole as well.
        let now = Arc::new(Mutex::new(Utc::now().trunc_subsecs(0)));
        let clock = Clock::from_fn({
            let now = Arc::clone(&now);
            move || *now.lock()
        });
        let policies = Policies::load(None).unwrap();
        let access = Arc::new(Access::open(database.db(), policies, clock.clone()).await.unwrap());
        let pepper = Zeroizing::new([7; 32]);
        let identity = Identity::new(database.db(), access, clock, pepper, None).unwrap();
        let password = Secret::new(PASSWORD.to_owned());
        let (slug, email) = ("acme".parse().unwrap(), EMAIL.parse().unwrap());
        let first = identity.create_first_org(&slug, &email, Some(&password), async |_, _| Ok(()));
        let owner = first.await.unwrap().user;
        Self { identity, owner, now, database }
    }

    async fn try_from(
        &self,
        address: &str,
        device: Option<&Secret>,
        password: &str,
    ) -> Result<LoggedIn, Problem> {
        self.try_as(EMAIL, address, device, password).await
    }

    async fn try_as(
        &self,
        email: &str,
        address: &str,
        device: Option<&Secret>,
        password: &str,
    ) -> Result<LoggedIn, Problem> {
        let arrival = Arrival {
            request: RequestId::generate(),
            address: address.parse().ok(),
            user_agent: None,
            device: device.map(|it| it.expose().to_owned()),
        };
        let password = Secret::new(password.to_owned());
        self.identity.login(&Login { email: email.parse().unwrap(), password }, &arrival).await
    }

    /// What a wrong password for `email` is told.
    async fn refusal(&self, email: &str, address: &str) -> Refusal {
        let refused = self.try_as(email, address, None, "a guess").await.err().unwrap();
        (refused.code, refused.detail, refused.retry_after)
    }

    /// Wrong passwords, each from another network, as fast as they are answered.
    async fn guess(&self, times: u32) -> u32 {
        let mut looked_at = 0;
        for at in 0..times {
            let address = format!("198.51.{}.{}", at / 250, at % 250);
            let refused = self.try_from(&address, None, "a guess").await.err().unwrap();
            looked_at += u32::from(refused.code == Code::InvalidLogin);
        }
        looked_at
    }

    /// Makes accounts `known0@example.com` to `known9@example.com`.
    async fn make_accounts(&self) {
        let mut connection = self.database.owner().await;
        let make = sqlx::query!(
            "insert into app_user (id, email, email_key, name, password_hash)
             select gen_random_uuid(), 'known' || n || '@example.com',
                 'known' || n || '@example.com', 'Known', password_hash
             from app_user, generate_series(0, 9) n"
        );
        make.execute(&mut connection).await.unwrap();
    }

    /// Failures at `example.com`, one or two from each network, at accounts that exist and at some that
    /// do not, many at once.
    async fn spray(self: &Arc<Self>, times: usize) {
        let tries: Vec<_> = (0..times).collect();
        // No more than wait for a check of their password at a time.
        for some in tries.chunks(32) {
            let some = some.iter().map(|&at| {
                let world = Arc::clone(self);
                let known = if at % 2 == 0 { "known" } else { "unknown" };
                let email = format!("{known}{}@Example.COM", at / 2 % 10);
                let address = format!("198.51.100.{}", at % 150);
                tokio::spawn(async move { world.refusal(&email, &address).await.0 })
            });
            for one in some.collect::<Vec<_>>() {
                assert_eq!(one.await.unwrap(), Code::InvalidLogin);
            }
        }
    }

    async fn counted(&self) -> i64 {
        let mut connection = self.database.owner().await;
        let count = sqlx::query_scalar!(r#"select count(*) as "count!" from throttle"#);
        count.fetch_one(&mut connection).await.unwrap()
    }

    fn wait(&self, seconds: i64) {
        *self.now.lock() += TimeDelta::seconds(seconds);
    }

    async fn hash(&self) -> String {
        let mut connection = self.database.owner().await;
        let id = self.owner.uuid();
        let found = sqlx::query_scalar!("select password_hash from app_user where id = $1", id);
        found.fetch_one(&mut connection).await.unwrap().unwrap()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn guesses_from_anywhere_slow_strangers_and_no_browser_that_is_known() {
    let world = World::new().await;
    let home = "203.0.113.7";
    let device = world.try_from(home, None, PASSWORD).await.unwrap().device.unwrap();
    assert!(!device.expose().contains("ann"), "a mark names nobody");
    let looked_at = world.guess(80).await;
    assert_eq!(looked_at, 50, "those that are free, and then they wait");
    let stranger = world.try_from(home, None, PASSWORD).await.err().unwrap();
    assert_eq!(stranger.code, Code::Throttled, "a new browser waits with them");
    assert!(stranger.retry_after.is_some_and(|seconds| seconds <= 6), "{stranger:?}");
    let known = world.try_from("192.0.2.99", Some(&device), PASSWORD).await.unwrap();
    assert!(known.cookie.is_some() && known.device.is_none(), "wherever it is");
    // After the short wait anybody's turn comes, a new browser's too.
    *world.now.lock() += TimeDelta::seconds(6);
    assert!(world.try_from(home, None, PASSWORD).await.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mark_counts_for_its_account_and_its_own_failures() {
    let world = World::new().await;
    let device = world.try_from("203.0.113.7", None, PASSWORD).await.unwrap().device.unwrap();
    for _ in 0..5 {
        let wrong = world.try_from("203.0.113.7", Some(&device), "wrong").await.err().unwrap();
        assert_eq!(wrong.code, Code::InvalidLogin);
    }
    // Whoever copied the mark has no more tries than anybody else, from any network.
    let copied = world.try_from("192.0.2.1", Some(&device), PASSWORD).await.err().unwrap();
    assert_eq!(copied.code, Code::Throttled);
    assert!(world.try_from("192.0.2.1", None, PASSWORD).await.is_ok());
    // Nonsense is no mark, and is not handed back.
    let changed = device.expose().replace(['a', 'b', 'c', 'd', '1', '2'], "0");
    for junk in [changed.as_str(), "", "-", "a-b.c-d", "\u{e4}-\u{e4}", &"x-".repeat(5_000)] {
        let junk = Secret::new(junk.to_owned());
        let fresh = world.try_from("192.0.2.2", Some(&junk), PASSWORD).await.unwrap();
        let marks = fresh.device.unwrap();
        assert!(!marks.expose().contains("x-x-x-"), "{}", marks.expose().len());
        assert!(marks.expose().len() < 4 * 100);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_hashes_an_outdated_password_again() {
    let world = World::new().await;
    let today = world.hash().await;
    let params = Params::new(8 * 1024, 1, 1, None).unwrap();
    let weak = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    let old = weak.hash_password(PASSWORD.as_bytes()).unwrap().to_string();
    let mut connection = world.database.owner().await;
    let change = sqlx::query!("update app_user set password_hash = $1", old);
    change.execute(&mut connection).await.unwrap();
    world.try_from("192.0.2.1", None, "a guess").await.err().unwrap();
    assert_eq!(world.hash().await, old, "a wrong password changes nothing");
    world.try_from("192.0.2.1", None, PASSWORD).await.unwrap();
    let now = world.hash().await;
    assert_eq!(now.split('$').nth(3), today.split('$').nth(3), "{now}");
    world.try_from("192.0.2.1", None, PASSWORD).await.unwrap();
    assert_eq!(world.hash().await, now, "what is as today stays");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_from_one_network_leaves_the_others_their_turn() {
    let world = Arc::new(World::new().await);
    let flood: Vec<_> = (0..100)
        .map(|_| {
            let world = Arc::clone(&world);
            tokio::spawn(async move { world.try_from("198.51.100.1", None, "a guess").await })
        })
        .collect();
    let other = world.try_from("203.0.113.7", None, PASSWORD).await;
    assert!(other.is_ok_and(|it| it.cookie.is_some()));
    let mut throttled = 0;
    for one in flood {
        let refused = one.await.unwrap().err().unwrap();
        throttled += u32::from(refused.code == Code::Throttled);
    }
    assert!(throttled >= 50, "{throttled} of 100");
}

#[tokio::test(flavor = "multi_thread")]
async fn spraying_a_domain_leaves_each_network_five_tries_at_it_and_tells_nobody_who_is_there() {
    let world = Arc::new(World::new().await);
    world.make_accounts().await;
    world.spray(ENOUGH - 6).await;
    for at in 0..6 {
        let refused = world.refusal(&format!("other{at}@example.com"), "192.0.2.3").await;
        assert_eq!(refused.0, Code::InvalidLogin, "fewer failures slow nobody, {at}");
    }
    for (at, waits) in [0, 0, 0, 0, 0, 2, 3, 5, 9, 17].into_iter().enumerate() {
        let known = format!("known{at}@example.com");
        let unknown = format!("nobody{at}@example.com");
        if waits > 0 {
            let told = world.refusal(&known, "192.0.2.1").await;
            assert_eq!((told.0, told.2), (Code::Throttled, Some(waits)), "{at}");
            assert_eq!(told, world.refusal(&unknown, "192.0.2.2").await, "{at}");
            world.wait(i64::try_from(waits).unwrap());
        }
        let told = world.refusal(&known, "192.0.2.1").await;
        assert_eq!(told.0, Code::InvalidLogin, "{at}");
        assert_eq!(told, world.refusal(&unknown, "192.0.2.2").await, "{at}");
    }
    // Another domain is tried at as before, from there as well.
    for at in 0..7 {
        for domain in ["example.org", "mail.example.com"] {
            let refused = world.refusal(&format!("known{at}@{domain}"), "192.0.2.1").await;
            assert_eq!(refused.0, Code::InvalidLogin, "{at} at {domain}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn spraying_a_domain_keeps_nobody_out_elsewhere() {
    let world = Arc::new(World::new().await);
    let device = world.try_from("203.0.113.7", None, PASSWORD).await.unwrap().device.unwrap();
    world.make_accounts().await;
    world.spray(ENOUGH).await;
    for at in 0..5 {
        world.refusal(&format!("nobody{at}@example.com"), "192.0.2.1").await;
    }
    let there = world.try_from("192.0.2.1", None, PASSWORD).await.err().unwrap();
    assert_eq!(there.code, Code::Throttled, "a right password waits with the wrong ones");
    let known = world.try_from("192.0.2.1", Some(&device), PASSWORD).await;
    assert!(known.is_ok(), "a browser that is known does not");
    let others = world.try_as("known3@example.com", "192.0.2.1", Some(&device), PASSWORD).await;
    assert_eq!(others.err().unwrap().code, Code::Throttled, "it is known for its account");
    for fresh in ["203.0.113.8", "2001:db8::1"] {
        assert!(world.try_from(fresh, None, PASSWORD).await.is_ok(), "a new one from {fresh}");
    }
    world.wait(30 * 60 + 1);
    for at in 0..7 {
        let refused = world.refusal(&format!("nobody{at}@example.com"), "192.0.2.1").await;
        assert_eq!(refused.0, Code::InvalidLogin, "half an hour later all is as before, {at}");
    }
    world.wait(30 * 60 + 1);
    assert!(world.counted().await > 200);
    world.identity.sweep_tries().await.unwrap();
    assert_eq!(world.counted().await, 0, "and nothing of it is kept");
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_has_an_account_in_a_domain_gets_no_more_guesses_at_it() {
    let world = Arc::new(World::new().await);
    world.make_accounts().await;
    world.spray(ENOUGH).await;
    let own = async |address: &str| world.try_from(address, None, PASSWORD).await;
    for at in 0..5 {
        assert!(own("192.0.2.1").await.is_ok(), "{at}");
        let refused = world.refusal(&format!("known{at}@example.com"), "192.0.2.1").await;
        assert_eq!(refused.0, Code::InvalidLogin, "{at}");
    }
    assert_eq!(own("192.0.2.1").await.err().unwrap().code, Code::Throttled);
    world.wait(2);
    assert!(own("192.0.2.1").await.is_ok());
    // One more is counted as the sixth, and those of other networks as ever.
    let refused = world.refusal("known5@example.com", "192.0.2.1").await;
    assert_eq!(refused.0, Code::InvalidLogin);
    let refused = world.refusal("known6@example.com", "192.0.2.1").await;
    assert_eq!((refused.0, refused.2), (Code::Throttled, Some(3)));
    for at in 0..5 {
        world.refusal(&format!("known{at}@example.com"), "192.0.2.2").await;
    }
    let refused = world.refusal("known5@example.com", "192.0.2.2").await;
    assert_eq!(refused.0, Code::Throttled);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_shares_a_network_does_not_slow_a_browser_that_is_known_there() {
    let world = World::new().await;
    let office = "203.0.113.7";
    let device = world.try_from(office, None, PASSWORD).await.unwrap().device.unwrap();
    for at in 0..50 {
        let refused = world.refusal(&format!("nobody@example{at}.org"), office).await;
        assert_eq!(refused.0, Code::InvalidLogin, "{at}");
    }
    let stranger = world.try_from(office, None, PASSWORD).await.err().unwrap();
    assert_eq!(stranger.code, Code::Throttled);
    assert!(world.try_from(office, Some(&device), PASSWORD).await.is_ok());
    // What it fails at is its own, and does not add to what the others wait for.
    world.try_from(office, Some(&device), "wrong").await.err().unwrap();
    world.wait(2);
    let refused = world.refusal("nobody@example.org", office).await;
    assert_eq!(refused.0, Code::InvalidLogin);
}
