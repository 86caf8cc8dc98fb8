//! What identity promises, on a real PostgreSQL.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use parking_lot::Mutex;
use ralex_access::{Access, Permission, Policies};
use ralex_api::access::RoleName;
use ralex_api::identity::{
    ChangePassword, Login, NewMember, NewProject, NewServiceAccount, NewTeam, UpdateServiceAccount,
};
use ralex_api::page::{Page, PageQuery};
use ralex_api::tokens::{NewPersonalToken, NewToken, RotateToken, Token};
use ralex_identity::{Arrival, Identity};
use ralex_kernel::{Caller, Clock, Code, OrgId, RequestId, ScopePath, Secret, UserId};
use ralex_store::testing::Database;
use zeroize::Zeroizing;

const PASSWORD: &str = "correct horse battery";

struct World {
    // Dropped last, since the others hold connections to it.
    identity: Identity,
    access: Arc<Access>,
    org: OrgId,
    owner: UserId,
    now: Arc<Mutex<DateTime<Utc>>>,
    _database: Database,
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
        let pepper = Zeroizing::new([7; 32]);
        let identity =
            Identity::new(database.db(), Arc::clone(&access), clock, pepper, None).unwrap();
        let password = Secret::new(PASSWORD.to_owned());
        let (slug, email) = ("acme".parse().unwrap(), "ann@example.com".parse().unwrap());
        let first = identity
            .create_first_org(&slug, &email, Some(&password), async |_, _| Ok(()))
            .await
            .unwrap();
        assert!(first.one_time_password.is_none());
        Self { identity, access, org: first.org, owner: first.user, now, _database: database }
    }

    fn pass(&self, time: TimeDelta) {
        *self.now.lock() += time;
    }

    async fn login(&self, email: &str, password: &str) -> Result<Secret, Code> {
        let login =
            Login { email: email.parse().unwrap(), password: Secret::new(password.to_owned()) };
        match self.identity.login(&login, &arrival()).await {
            Ok(logged_in) => Ok(logged_in.cookie.unwrap()),
            Err(problem) => Err(problem.code),
        }
    }

    async fn owner(&self) -> Caller {
        let cookie = self.login("ann@example.com", PASSWORD).await.unwrap();
        let found = self.identity.resolve_session(cookie.expose(), &arrival()).await.unwrap();
        found.unwrap().caller
    }

    async fn team_token(&self, owner: &Caller) -> Secret {
        let scope = self.allow(owner, Permission::TeamCreate).await;
        let new = NewTeam { slug: "mobile".parse().unwrap(), name: "Mobile".parse().unwrap() };
        self.identity.create_team(&scope, new).await.unwrap();
        let made = self.identity.create_token(owner, self.org, token("mobile")).await.unwrap();
        Secret::new(made.token)
    }

    async fn allow(&self, caller: &Caller, permission: Permission) -> ralex_access::Scope {
        self.access.allow(caller, self.org, permission, ScopePath::Org).await.unwrap()
    }

    async fn tokens(&self, caller: &Caller, account: Option<&str>) -> Page<Token> {
        let page = PageQuery::default();
        self.identity.tokens(caller, self.org, (None, account), &page).await.unwrap()
    }

    async fn resolves(&self, token: &Secret) -> bool {
        self.identity.resolve_token(token.expose(), &arrival()).await.unwrap().is_some()
    }
}

fn arrival() -> Arrival {
    Arrival {
        request: RequestId::generate(),
        address: "203.0.113.7".parse().ok(),
        user_agent: Some("test".to_owned()),
        device: None,
    }
}

fn token(team: &str) -> NewToken {
    NewToken {
        name: "CI".parse().unwrap(),
        team: Some(team.to_owned()),
        project: None,
        service_account: None,
        models: None,
        permissions: None,
        addresses: None,
        expires_at: None,
    }
}

fn member(email: &str, role: &str) -> NewMember {
    NewMember {
        invite: false,
        email: email.parse().unwrap(),
        name: Some("Bob".parse().unwrap()),
        role: RoleName(role.to_owned()),
        scope: None,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_ends_by_logout_by_idleness_and_by_age() {
    let world = World::new().await;
    let cookie = world.login("ANN@example.com ", PASSWORD).await.unwrap();
    let resolve = async || world.identity.resolve_session(cookie.expose(), &arrival()).await;
    let caller = resolve().await.unwrap().unwrap().caller;
    world.identity.logout(&caller).await.unwrap();
    assert!(resolve().await.unwrap().is_none());

    let cookie = world.login("ann@example.com", PASSWORD).await.unwrap();
    world.pass(TimeDelta::hours(11));
    let resolve = async || world.identity.resolve_session(cookie.expose(), &arrival()).await;
    assert!(resolve().await.unwrap().is_some());
    world.pass(TimeDelta::hours(13));
    assert!(resolve().await.unwrap().is_none(), "idle for longer than allowed");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_address_and_a_wrong_password_are_answered_alike_and_slowed() {
    let world = World::new().await;
    for email in ["ann@example.com", "nobody@example.com"] {
        for _ in 0..5 {
            assert_eq!(world.login(email, "wrong").await.unwrap_err(), Code::InvalidLogin);
        }
        assert_eq!(world.login(email, "wrong").await.unwrap_err(), Code::Throttled, "{email}");
    }
    // Spellings of one address are one account.
    assert_eq!(world.login("Ann@Example.com", PASSWORD).await.unwrap_err(), Code::Throttled);
    world.pass(TimeDelta::minutes(2));
    assert!(world.login("ann@example.com", PASSWORD).await.is_ok(), "the wait ends by itself");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_password_ends_every_other_session() {
    let world = World::new().await;
    let other = world.login("ann@example.com", PASSWORD).await.unwrap();
    let owner = world.owner().await;
    let change = |current: &str, new: &str| ChangePassword {
        current: Secret::new(current.to_owned()),
        new: Secret::new(new.to_owned()),
    };
    let change_password = async |change: ChangePassword| {
        world.identity.change_password(&owner, &change, &arrival()).await
    };
    let wrong = change_password(change("wrong", "a better password")).await.unwrap_err();
    assert_eq!(wrong.errors[0].path, "current");
    let weak = change_password(change(PASSWORD, "short")).await.unwrap_err();
    assert_eq!(weak.errors[0].path, "new");
    change_password(change(PASSWORD, "a better password")).await.unwrap();
    assert!(world.identity.resolve_session(other.expose(), &arrival()).await.unwrap().is_none());
    let own = world.identity.sessions(&owner, &PageQuery::default()).await.unwrap();
    assert!(own.items.len() == 1 && own.items[0].current, "{own:?}");
    assert_eq!(world.login("ann@example.com", PASSWORD).await.unwrap_err(), Code::InvalidLogin);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_or_expired_team_token_stops_at_once() {
    let world = World::new().await;
    let owner = world.owner().await;
    let first = world.team_token(&owner).await;
    assert!(world.resolves(&first).await && world.resolves(&first).await);
    let listed = world.tokens(&owner, None).await;
    world.identity.revoke_token(&owner, world.org, listed.items[0].id).await.unwrap();
    assert!(!world.resolves(&first).await);
    // Again is no error, and no second event.
    world.identity.revoke_token(&owner, world.org, listed.items[0].id).await.unwrap();

    let end = *world.now.lock() + TimeDelta::hours(1);
    let new = NewToken { expires_at: Some(end), ..token("mobile") };
    let made = world.identity.create_token(&owner, world.org, new).await.unwrap();
    let expiring = Secret::new(made.token);
    assert!(world.resolves(&expiring).await);
    world.pass(TimeDelta::hours(1));
    assert!(!world.resolves(&expiring).await, "expired, though it is remembered");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_made_only_for_a_team_and_project_that_there_are() {
    let world = World::new().await;
    let owner = world.owner().await;
    world.team_token(&owner).await;
    let create = async |new| world.identity.create_token(&owner, world.org, new).await;
    assert_eq!(create(token("nowhere")).await.unwrap_err().errors[0].path, "team");
    let new = NewToken { project: Some("nothing".to_owned()), ..token("mobile") };
    assert_eq!(create(new).await.unwrap_err().errors[0].path, "project");
    let new = NewToken { models: Some(vec![]), ..token("mobile") };
    assert_eq!(create(new).await.unwrap_err().errors[0].path, "models");
    let past = *world.now.lock() - TimeDelta::seconds(1);
    let new = NewToken { expires_at: Some(past), ..token("mobile") };
    assert_eq!(create(new).await.unwrap_err().errors[0].path, "expires_at");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_account_is_the_same_by_each_of_its_tokens_and_none_works_while_it_is_disabled() {
    let world = World::new().await;
    let owner = world.owner().await;
    let team = world.team_token(&owner).await;
    let new = |slug: &str, team: &str| NewServiceAccount {
        slug: slug.parse().unwrap(),
        name: "Nightly".parse().unwrap(),
        team: team.to_owned(),
        project: None,
    };
    let create = async |new| world.identity.create_service_account(&owner, world.org, new).await;
    assert_eq!(create(new("nightly", "nowhere")).await.unwrap_err().errors[0].path, "team");
    let made = create(new("nightly", "mobile")).await.unwrap();
    assert_eq!((made.team.as_str(), made.tokens, made.disabled_at), ("mobile", 0, None));
    assert_eq!(create(new("nightly", "mobile")).await.unwrap_err().code, Code::AlreadyExists);

    let of = |account: &str| NewToken {
        team: None,
        service_account: Some(account.to_owned()),
        ..token("mobile")
    };
    let give = async |new| world.identity.create_token(&owner, world.org, new).await;
    for wrong in [of("daily"), NewToken { team: Some("mobile".to_owned()), ..of("nightly") }] {
        assert_eq!(give(wrong).await.unwrap_err().errors[0].path, "service_account");
    }
    let nobody = NewToken { service_account: None, ..of("nightly") };
    assert_eq!(give(nobody).await.unwrap_err().errors[0].path, "team");
    let mut tokens = Vec::new();
    for _ in 0..2 {
        tokens.push(Secret::new(give(of("nightly")).await.unwrap().token));
    }
    for token in &tokens {
        let found = world.identity.resolve_token(token.expose(), &arrival()).await.unwrap();
        assert_eq!(found.unwrap().caller.subject.service_account(), Some(made.id));
    }
    assert_eq!(world.tokens(&owner, Some("nightly")).await.items.len(), 2);

    let change = async |change| {
        world.identity.update_service_account(&owner, world.org, "nightly", change).await
    };
    let disabled = |disabled| UpdateServiceAccount { name: None, disabled };
    assert_eq!(change(disabled(None)).await.unwrap_err().errors[0].path, "name");
    let off = change(disabled(Some(true))).await.unwrap();
    assert!(off.disabled_at.is_some() && off.tokens == 2, "{off:?}");
    assert!(!world.resolves(&tokens[0]).await && !world.resolves(&tokens[1]).await);
    assert!(world.resolves(&team).await, "a team's own token is not its");
    assert_eq!(give(of("nightly")).await.unwrap_err().errors[0].path, "service_account");
    change(disabled(Some(false))).await.unwrap();
    assert!(world.resolves(&tokens[0]).await && world.resolves(&tokens[1]).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_personal_token_is_its_persons_and_ends_when_revoked() {
    let world = World::new().await;
    let owner = world.owner().await;
    let name = "laptop".parse().unwrap();
    let new = NewPersonalToken {
        name,
        models: None,
        permissions: None,
        addresses: None,
        expires_at: None,
    };
    let made = world.identity.create_personal_token(&owner, new).await.unwrap();
    let found = world.identity.resolve_token(&made.token, &arrival()).await.unwrap().unwrap();
    assert_eq!(found.caller.subject.user(), Some(world.owner));
    let before = world.access.version(world.org);
    world.identity.revoke_personal_token(&owner, made.id).await.unwrap();
    assert!(world.access.version(world.org) > before, "calls that wait go by this");
    let again = world.identity.revoke_personal_token(&owner, made.id).await.unwrap_err();
    assert_eq!(again.code, Code::NotFound);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_personal_token_keeps_its_models_and_makes_no_other() {
    let world = World::new().await;
    let owner = world.owner().await;
    let new = |models: &[&str]| NewPersonalToken {
        name: "laptop".parse().unwrap(),
        models: Some(models.iter().map(|it| (*it).to_owned()).collect()),
        permissions: None,
        addresses: None,
        expires_at: None,
    };
    let refused = world.identity.create_personal_token(&owner, new(&[])).await.unwrap_err();
    assert_eq!(refused.errors[0].path, "models");
    let made = world.identity.create_personal_token(&owner, new(&["claude"])).await.unwrap();
    let how = RotateToken { overlap_seconds: None, expires_at: None };
    let newer = world.identity.rotate_personal_token(&owner, made.id, &how).await.unwrap();
    for secret in [&made.token, &newer.token] {
        let found = world.identity.resolve_token(secret, &arrival()).await.unwrap().unwrap();
        assert_eq!(found.caller.models.as_deref(), Some(&["claude".to_owned()][..]));
        let more = world.identity.create_personal_token(&found.caller, new(&["claude"])).await;
        assert_eq!(more.unwrap_err().code, Code::Forbidden);
        let again = world.identity.rotate_personal_token(&found.caller, made.id, &how).await;
        assert_eq!(again.unwrap_err().code, Code::Forbidden);
    }
    let listed = world.identity.personal_tokens(&owner, &PageQuery::default()).await.unwrap();
    let shown = listed.items.iter().find(|it| it.id == made.id).unwrap();
    assert_eq!(shown.models.as_deref(), Some(&["claude".to_owned()][..]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_person_gets_a_password_once_and_must_replace_it() {
    let world = World::new().await;
    let owner = world.owner().await;
    let scope = world.allow(&owner, Permission::MemberInvite).await;
    let add = async |new| world.identity.add_member(&scope, new, ScopePath::Org).await;
    let added = add(member("bob@example.com", "developer")).await.unwrap();
    let password = added.one_time_password.unwrap();
    assert_eq!(added.member.roles[0].role.as_str(), "developer");
    let again = add(member("Bob@example.com", "viewer")).await.unwrap_err();
    assert_eq!(again.code, Code::AlreadyExists);
    let cookie = world.login("bob@example.com", &password).await.unwrap();
    let bob = world.identity.resolve_session(cookie.expose(), &arrival()).await.unwrap().unwrap();
    assert!(bob.must_change_password);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_owner_stays_and_a_removed_member_holds_nothing() {
    let world = World::new().await;
    let owner = world.owner().await;
    let scope = world.allow(&owner, Permission::MemberRemove).await;
    let last = world.identity.remove_member(&scope, world.owner).await.unwrap_err();
    assert_eq!(last.code, Code::LastOwner);
    let added = world
        .identity
        .add_member(&scope, member("bob@example.com", "admin"), ScopePath::Org)
        .await
        .unwrap();
    let bob =
        Caller { subject: ralex_kernel::Subject::User(added.member.user.id), ..owner.clone() };
    world.allow(&bob, Permission::TeamRead).await;
    world.identity.remove_member(&scope, added.member.user.id).await.unwrap();
    let gone = world.access.allow(&bob, world.org, Permission::TeamRead, ScopePath::Org).await;
    assert_eq!(gone.unwrap_err().code, Code::NotFound);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_team_is_deleted_only_when_nothing_hangs_on_it() {
    let world = World::new().await;
    let owner = world.owner().await;
    world.team_token(&owner).await;
    let scope = world.allow(&owner, Permission::TeamDelete).await;
    let reach = world.access.reach(&owner, scope.org(), Permission::TeamRead).await.unwrap();
    let teams = world.identity.teams(&reach, &PageQuery::default()).await.unwrap();
    let refused = world.identity.delete_team(&scope, teams.items[0].id).await.unwrap_err();
    assert!(refused.code == Code::Conflict && refused.detail.contains("1 tokens"), "{refused:?}");

    let new = NewTeam { slug: "empty".parse().unwrap(), name: "Empty".parse().unwrap() };
    let empty = world.identity.create_team(&scope, new.clone()).await.unwrap();
    let taken = world.identity.create_team(&scope, new).await.unwrap_err();
    assert_eq!(taken.code, Code::AlreadyExists);
    let project = NewProject {
        slug: "app".parse().unwrap(),
        name: "App".parse().unwrap(),
        team: "empty".to_owned(),
    };
    let project = world.identity.create_project(&scope, empty.id, project).await.unwrap();
    assert_eq!(
        world.identity.delete_team(&scope, empty.id).await.unwrap_err().code,
        Code::Conflict
    );
    world.identity.delete_project(&scope, project.id).await.unwrap();
    world.identity.delete_team(&scope, empty.id).await.unwrap();
    assert_eq!(world.identity.team(&scope, empty.id).await.unwrap_err().code, Code::NotFound);
}
