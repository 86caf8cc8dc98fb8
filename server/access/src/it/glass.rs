//! An opened glass: by the clock and by the database, whatever this node remembers.

use std::time::Duration;

use chrono::TimeDelta;
use ralex_api::access::{NewRole, RoleName, UpdateRole};
use ralex_kernel::{
    BreakGlassId, Caller, Code, Credential, OrgId, ScopePath, SignOn, SsoProviderId, TokenId,
    UserId,
};

use super::setup::{Setup, person};
use crate::{Access, Basis, GlassWish, Permission, Permissions};

/// Somebody in a session that more than a password vouches for.
fn named(user: UserId) -> Caller {
    Caller { second_factor: true, ..person(user) }
}

/// Two people with passkeys whom it is armed with, to give what a role allows.
async fn armed(setup: &Setup, role: &str) -> [UserId; 2] {
    let people = [setup.member().await, setup.member().await];
    for user in people {
        setup.passkey(user).await;
    }
    let arm = GlassWish {
        people: people.to_vec(),
        role: Some(RoleName(role.to_owned())),
        longest_minutes: None,
    };
    let owner = named(setup.owner);
    let scope = setup.access.allow(&owner, setup.org, Permission::BreakGlassArm, ScopePath::Org);
    setup.access.arm_glass(&scope.await.unwrap(), arm).await.unwrap();
    people
}

/// As if both had signed just now.
async fn open(setup: &Setup, [asker, second]: [UserId; 2]) -> BreakGlassId {
    let (id, now) = (BreakGlassId::generate(), setup.now());
    let mut tx = setup.database.db().tenant(setup.org).await.unwrap();
    sqlx::query!(
        "insert into break_glass_opening (org_id, id, drill, state, role, permissions, minutes, reason,
             asked_by, asked_at, confirm_until, confirmed_by, opened_at, until)
         select org_id, $2, false, 'open', role, permissions, longest_minutes, 'An emergency', $3, $4,
             $4::timestamptz + interval '15 minutes', $5, $4, $4::timestamptz + interval '60 minutes'
         from break_glass where org_id = $1",
        setup.org as _,
        id as _,
        asker as _,
        now,
        second as _,
    )
    .execute(&mut *tx)
    .await
    .unwrap();
    tx.commit().await.unwrap();
    id
}

async fn may(access: &Access, caller: &Caller, org: OrgId, permission: Permission) -> bool {
    access.allow(caller, org, permission, ScopePath::Org).await.is_ok()
}

#[tokio::test]
async fn it_gives_what_was_frozen_to_both_in_sessions_until_its_very_end() {
    let setup = Setup::new().await;
    let people = armed(&setup, "owner").await;
    let eve = setup.member_as("viewer", ScopePath::Org).await;
    let (access, org, bind) = (&setup.access, setup.org, Permission::RoleBind);
    assert!(!may(access, &named(people[0]), org, bind).await);
    let id = open(&setup, people).await;
    for user in people {
        let scope = access.allow(&named(user), org, bind, ScopePath::Org).await.unwrap();
        assert_eq!(scope.by(), Basis::BreakGlass(id));
        assert!(access.reach(&named(user), org, Permission::TeamRead).await.unwrap().everywhere());
    }
    let token = Credential::PersonalToken(TokenId::generate());
    let elsewhere = SignOn { org: OrgId::generate(), provider: SsoProviderId::generate() };
    let own = named(people[0]);
    let narrowed = Some(Permissions::NONE.with(bind));
    for other in [
        named(eve),
        person(people[0]),
        Caller { credential: token, ..own.clone() },
        Caller { sign_on: Some(elsewhere), ..own.clone() },
        Caller { narrowed, ..own.clone() },
        Caller { by_device: true, ..own.clone() },
    ] {
        assert!(!may(access, &other, org, bind).await, "{other:?}");
    }
    let other_org = setup.add_org("other").await;
    assert!(!may(access, &own, other_org, bind).await);

    setup.pass(TimeDelta::minutes(60) - TimeDelta::microseconds(1));
    assert!(may(access, &own, org, bind).await);
    let limit = access.allow(&own, org, Permission::TokenCreate, ScopePath::Org).await.unwrap();
    let limit = access.for_a_while(&limit).await.unwrap().unwrap();
    assert_eq!(
        (limit.rests_on, limit.until),
        (id.uuid(), setup.now() + TimeDelta::microseconds(1))
    );
    // Nothing sweeps here.
    setup.pass(TimeDelta::microseconds(1));
    assert!(!may(access, &own, org, bind).await);
    assert_eq!(access.permissions(&own, org).await.unwrap().0, Vec::<String>::new());
}

#[tokio::test]
async fn a_node_that_sees_nothing_still_asks_the_database_about_the_two() {
    let setup = Setup::new().await;
    let people = armed(&setup, "admin").await;
    let (access, org) = (&setup.access, setup.org);
    access.node.poll().await.unwrap();
    setup.run_for(Duration::from_millis(5_001));
    let read = Permission::TeamRead;
    let closed = access.allow(&named(people[0]), org, read, ScopePath::Org).await.unwrap_err();
    assert_eq!(closed.code, Code::Unavailable);
    let id = open(&setup, people).await;
    let mut scope = access.allow(&named(people[1]), org, read, ScopePath::Org).await.unwrap();
    assert_eq!(scope.by(), Basis::BreakGlass(id));
    scope = access.allow_somewhere(&named(people[1]), org, read).await.unwrap();
    assert_eq!(scope.path(), ScopePath::Org);
    let refused = access.allow(&named(people[1]), org, Permission::AuditRead, ScopePath::Org).await;
    assert_eq!(refused.unwrap_err().code, Code::Forbidden);
    let at = ScopePath::Team { team: ralex_kernel::TeamId::generate() };
    let nowhere = access.allow(&named(people[1]), org, read, at).await.unwrap_err();
    assert_eq!(nowhere.code, Code::NotFound);
    assert!(access.belongs(&named(people[1]), org).await.is_ok());
    let owner = access.allow(&named(setup.owner), org, read, ScopePath::Org).await.unwrap_err();
    assert_eq!(owner.code, Code::Unavailable);
    setup.suspend(people[1]).await;
    access.node.poll().await.unwrap();
    setup.run_for(Duration::from_millis(5_001));
    let let_out = access.allow(&named(people[1]), org, read, ScopePath::Org).await.unwrap_err();
    assert_eq!(let_out.code, Code::Forbidden, "what streams by it has to end");
    assert!(may(access, &named(people[0]), org, read).await);
}

#[tokio::test]
async fn what_was_armed_neither_grows_with_its_role_nor_has_what_is_never_given() {
    let setup = Setup::new().await;
    let owner = named(setup.owner);
    let define = setup.access.allow(&owner, setup.org, Permission::RoleDefine, ScopePath::Org);
    let define = define.await.unwrap();
    let role = NewRole {
        name: RoleName("keeper".to_owned()),
        title: "Keeper".parse().unwrap(),
        description: None,
        permissions: vec!["team.create".to_owned(), "audit.read".to_owned()],
        includes: Vec::new(),
    };
    setup.access.create_role(&define, role).await.unwrap();
    let people = armed(&setup, "keeper").await;
    let every = Permission::ALL.iter().map(ToString::to_string).collect();
    let more =
        UpdateRole { permissions: Some(every), title: None, description: None, includes: None };
    setup.access.update_role(&define, "keeper", (more, None)).await.unwrap();
    open(&setup, people).await;
    let held = setup.access.permissions(&named(people[0]), setup.org).await.unwrap().0;
    assert_eq!(held, ["team.create"]);

    // Whatever stands in a row, and however it came there.
    let mut tx = setup.database.db().tenant(setup.org).await.unwrap();
    let every: Vec<String> = Permission::ALL.iter().map(ToString::to_string).collect();
    sqlx::query!("update break_glass_opening set permissions = $1", &every)
        .execute(&mut *tx)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    let never = setup.access.never_by_glass();
    for permission in Permission::ALL {
        let allowed = may(&setup.access, &named(people[0]), setup.org, *permission).await;
        assert_eq!(allowed, !never.contains(*permission), "{permission}");
    }
}

#[tokio::test]
async fn what_they_hold_by_it_makes_no_role_of_theirs_wider_and_no_mapping() {
    let setup = Setup::new().await;
    let internal = Access::internal(setup.org);
    for name in ["keeper", "other"] {
        let role = NewRole {
            name: RoleName(name.to_owned()),
            title: name.parse().unwrap(),
            description: None,
            permissions: vec!["team.read".to_owned()],
            includes: Vec::new(),
        };
        setup.access.create_role(&internal, role).await.unwrap();
    }
    let people = armed(&setup, "admin").await;
    setup.bind(&internal, people[1], "keeper", ScopePath::Org).await.unwrap();
    open(&setup, people).await;
    let allow = async |permission| {
        let by = named(people[0]);
        setup.access.allow(&by, setup.org, permission, ScopePath::Org).await.unwrap()
    };
    let more = || {
        let permissions = Some(vec!["team.read".to_owned(), "team.create".to_owned()]);
        (UpdateRole { permissions, title: None, description: None, includes: None }, None)
    };
    let define = allow(Permission::RoleDefine).await;
    let refused = setup.access.update_role(&define, "keeper", more()).await.unwrap_err();
    assert!(refused.detail.contains("outlast"), "{refused:?}");
    setup.access.update_role(&define, "other", more()).await.unwrap();

    let manage = allow(Permission::SsoManage).await;
    let mut tx = setup.database.db().tenant(setup.org).await.unwrap();
    let viewer = RoleName("viewer".to_owned());
    let mapped = setup.access.may_map(&mut tx, &manage, &viewer, ScopePath::Org).await;
    assert_eq!(mapped.unwrap_err().code, Code::Forbidden);
}
