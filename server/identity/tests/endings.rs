//! What ends with a password and with a membership, also while it is under way.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, TimeDelta, Utc};
use parking_lot::Mutex;
use ralex_access::{Access, Permission, Policies, Scope};
use ralex_api::access::RoleName;
use ralex_api::factors::StepUp;
use ralex_api::identity::{ChangePassword, Login, NewMember};
use ralex_api::links::ForgottenPassword;
use ralex_api::oauth::{AnswerProgram, CLIENT_ID};
use ralex_identity::program::Refused;
use ralex_identity::{Arrival, Identity};
use ralex_kernel::{Caller, Clock, Code, OrgId, Problem, RequestId, ScopePath, Secret, UserId};
use ralex_store::testing::Database;
use sha2::{Digest, Sha256};
use sqlx::Connection;
use zeroize::Zeroizing;

const EMAIL: &str = "ann@example.com";
const PASSWORD: &str = "correct horse battery";
const VERIFIER: &str = "a-verifier-of-forty-three-characters-or-more-1";
const DONE: &str = "http://127.0.0.1:9/done";

struct World {
    // Dropped last, since the others hold connections to it.
    identity: Identity,
    access: Arc<Access>,
    org: OrgId,
    now: Arc<Mutex<DateTime<Utc>>>,
    database: Database,
}

impl World {
    async fn new() -> Arc<Self> {
        ralex_audit::personal::testing::keep();
        let database = Database::fresh().await;
        let now = Arc::new(Mutex::new(Utc::now()));
        let clock = Clock::from_fn({
            let now = Arc::clone(&now);
            move || *now.lock()
        });
        let policies = Policies::load(None).unwrap();
        let access = Arc::new(Access::open(database.db(), policies, clock.clone()).await.unwrap());
        let pepper = Zeroizing::new([7; 32]);
        let identity =
            Identity::new(database.db(), Arc::clone(&access), clock, pepper, None).unwrap();
        let password = secret(PASSWORD);
        let (slug, email) = ("acme".parse().unwrap(), EMAIL.parse().unwrap());
        let first = identity.create_first_org(&slug, &email, Some(&password), async |_, _| Ok(()));
        let org = first.await.unwrap().org;
        Arc::new(Self { identity, access, org, now, database })
    }

    async fn login(&self, email: &str, password: &str) -> Result<Secret, Problem> {
        let login = Login { email: email.parse().unwrap(), password: secret(password) };
        Ok(self.identity.login(&login, &arrival()).await?.cookie.unwrap())
    }

    async fn caller(&self, cookie: &Secret) -> Option<Caller> {
        let found = self.identity.resolve_session(cookie.expose(), &arrival()).await.unwrap();
        found.map(|it| it.caller)
    }

    async fn owner(&self) -> Caller {
        let cookie = self.login(EMAIL, PASSWORD).await.unwrap();
        self.caller(&cookie).await.unwrap()
    }

    async fn scope(&self, permission: Permission) -> Scope {
        let owner = self.owner().await;
        self.access.allow(&owner, self.org, permission, ScopePath::Org).await.unwrap()
    }

    async fn change(&self, caller: &Caller, to: &str) -> Result<(), Problem> {
        let change = ChangePassword { current: secret(PASSWORD), new: secret(to) };
        self.identity.change_password(caller, &change, &arrival()).await
    }

    /// Lets `work` look at the password, takes it away while `work` goes on, and gives what becomes of it.
    async fn replaced_during<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl Future<Output = T> + Send + 'static,
    ) -> T {
        let mut conn = self.database.owner().await;
        let mut tx = conn.begin().await.unwrap();
        // Seen by nobody yet, so that the former one is checked and found right.
        sqlx::query!("update app_user set password_hash = 'replaced'")
            .execute(&mut *tx)
            .await
            .unwrap();
        let mut work = tokio::spawn(work);
        tokio::select! {
            done = &mut work => return done.unwrap(),
            () = self.database.until_someone_waits_for_a_lock() => {}
        }
        tx.commit().await.unwrap();
        work.await.unwrap()
    }

    async fn sessions(&self) -> i64 {
        let mut conn = self.database.owner().await;
        let all = sqlx::query_scalar!(r#"select count(*) as "n!" from session"#);
        all.fetch_one(&mut conn).await.unwrap()
    }

    /// Says yes to a program, and gives the code that it would fetch its token by.
    async fn approve(&self, caller: &Caller) -> String {
        let said = AnswerProgram {
            client_id: CLIENT_ID.to_owned(),
            redirect_uri: DONE.to_owned(),
            code_challenge: URL_SAFE_NO_PAD.encode(Sha256::digest(VERIFIER)),
            code_challenge_method: "S256".to_owned(),
            state: None,
            name: None,
            approve: true,
        };
        let from = arrival();
        let answered = self.identity.answer_program(caller, &said, &from, "https://r.example");
        let redirect: url::Url = answered.await.unwrap().redirect.parse().unwrap();
        let code = redirect.query_pairs().find(|(name, _)| name == "code").unwrap().1;
        code.into_owned()
    }

    async fn fetches(&self, code: &str) -> bool {
        let granted = self.identity.exchange_code(code, VERIFIER, DONE, &arrival()).await;
        assert!(matches!(granted, Ok(_) | Err(Refused::Grant)), "{granted:?}");
        granted.is_ok()
    }

    async fn bob(&self) -> (UserId, Caller) {
        let new = NewMember {
            invite: false,
            email: "bob@example.com".parse().unwrap(),
            name: Some("Bob".parse().unwrap()),
            role: RoleName("viewer".to_owned()),
            scope: None,
        };
        let scope = self.scope(Permission::MemberInvite).await;
        let made = self.identity.add_member(&scope, new, ScopePath::Org).await.unwrap();
        let cookie = self.login("bob@example.com", &made.one_time_password.unwrap()).await.unwrap();
        (made.member.user.id, self.caller(&cookie).await.unwrap())
    }
}

fn secret(text: &str) -> Secret {
    Secret::new(text.to_owned())
}

fn arrival() -> Arrival {
    Arrival {
        request: RequestId::generate(),
        address: "203.0.113.7".parse().ok(),
        user_agent: None,
        device: None,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_by_a_password_that_is_replaced_meanwhile_opens_nothing() {
    let world = World::new().await;
    let late = Arc::clone(&world);
    let login = async move { late.login(EMAIL, PASSWORD).await };
    let refused = world.replaced_during(login).await.unwrap_err();
    assert_eq!(refused.code, Code::InvalidLogin);
    assert_eq!(world.sessions().await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proof_by_a_password_that_is_replaced_meanwhile_proves_nothing() {
    let world = World::new().await;
    let owner = world.owner().await;
    let (late, caller) = (Arc::clone(&world), owner.clone());
    let step_up = async move {
        let by = StepUp { password: Some(secret(PASSWORD)), code: None, passkey: None };
        late.identity.step_up(&caller, &by, &arrival()).await.map(drop)
    };
    let refused = world.replaced_during(step_up).await.unwrap_err();
    assert_eq!(refused.errors[0].path, "password", "{refused:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_changes_of_a_password_the_later_one_is_by_a_password_that_is_none() {
    let world = World::new().await;
    let owner = world.owner().await;
    let late = Arc::clone(&world);
    let change = async move { late.change(&owner, "another good password").await };
    let refused = world.replaced_during(change).await.unwrap_err();
    assert_eq!(refused.errors[0].path, "current", "{refused:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_password_ends_links_and_what_no_program_has_fetched() {
    let world = World::new().await;
    let owner = world.owner().await;
    let fetched = world.approve(&owner).await;
    assert!(world.fetches(&fetched).await);
    let waiting = world.approve(&owner).await;
    let asked = ForgottenPassword { email: EMAIL.parse().unwrap() };
    world.identity.forgotten(asked, &arrival()).await.unwrap();
    let links = async || {
        let mut conn = world.database.owner().await;
        let all = sqlx::query_scalar!(r#"select count(*) as "n!" from account_link"#);
        all.fetch_one(&mut conn).await.unwrap()
    };
    // It is made beside the answer, so that this takes no longer for who has an account.
    for _ in 0..1_000 {
        if links().await == 1 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    assert_eq!(links().await, 1);
    world.change(&owner, "another good password").await.unwrap();
    assert_eq!(links().await, 0);
    assert!(!world.fetches(&waiting).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_no_program_has_fetched_ends_with_suspension_and_with_the_membership() {
    let world = World::new().await;
    let (bob, caller) = world.bob().await;
    let code = world.approve(&caller).await;
    let scope = world.scope(Permission::MemberRemove).await;
    world.identity.suspend_member(&scope, bob).await.unwrap();
    world.identity.resume_member(&scope, bob).await.unwrap();
    assert!(!world.fetches(&code).await, "suspended and let back in");
    let code = world.approve(&caller).await;
    world.identity.remove_member(&scope, bob).await.unwrap();
    assert!(!world.fetches(&code).await, "removed");
}

#[tokio::test(flavor = "multi_thread")]
async fn tries_are_forgotten_with_what_was_typed_once_they_count_no_more() {
    let world = World::new().await;
    for _ in 0..6 {
        world.login("nobody@example.com", "a guess").await.unwrap_err();
    }
    let kept = async || {
        let mut conn = world.database.owner().await;
        let all = sqlx::query_scalar!(
            r#"select count(*) as "n!" from throttle where key like '%nobody@example.com%'"#
        );
        all.fetch_one(&mut conn).await.unwrap()
    };
    world.identity.sweep_tries().await.unwrap();
    assert_eq!(kept().await, 2, "of its network, and from anywhere");
    let refused = world.login("nobody@example.com", "a guess").await.unwrap_err();
    assert_eq!(refused.code, Code::Throttled, "as before");
    *world.now.lock() += TimeDelta::minutes(31);
    assert!(world.identity.sweep_tries().await.unwrap() >= 2);
    assert_eq!(kept().await, 0);
}
