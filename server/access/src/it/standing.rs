//! What does not count of somebody: what ends some day, and what they were given a moment ago.

use chrono::{DateTime, TimeDelta, Utc};
use ralex_api::access::{NewGroup, NewRole, RoleName, UpdateRole};
use ralex_api::access_requests::{AccessRequestState, NewAccessRequest};
use ralex_api::changes::{ChangeRequest, GuardedAction, SetFourEyes};
use ralex_api::policies::{PolicyImport, PolicyImportMode};
use ralex_kernel::{AccessRequestId, BindingId, Code, Problem, ScopePath, UserId};
use sqlx::Connection;

use super::setup::{Setup, person};
use crate::{Access, Bearer, Done, Permission, Policies, Scope, Wanted};

const ORG: ScopePath = ScopePath::Org;

fn names(permissions: &[&str]) -> Vec<String> {
    permissions.iter().map(ToString::to_string).collect()
}

fn wider(permissions: Vec<String>) -> (UpdateRole, Option<u64>) {
    let permissions = Some(permissions);
    (UpdateRole { permissions, title: None, description: None, includes: None }, None)
}

/// All that owners may.
fn everything() -> Vec<String> {
    Policies::load(None).unwrap().permissions_of("owner").names()
}

impl Setup {
    async fn by(&self, who: UserId, permission: Permission) -> Scope {
        self.access.allow(&person(who), self.org, permission, ORG).await.unwrap()
    }

    async fn role(&self, name: &str, permissions: Vec<String>) {
        let new = NewRole {
            name: RoleName(name.to_owned()),
            title: name.parse().unwrap(),
            description: None,
            permissions,
            includes: Vec::new(),
        };
        self.access.create_role(&Access::internal(self.org), new).await.unwrap();
    }

    /// Gives a role until some day, or for good.
    async fn lend(
        &self,
        scope: &Scope,
        (user, role): (UserId, &str),
        expires_at: Option<DateTime<Utc>>,
    ) -> Result<BindingId, Problem> {
        let wanted = Wanted::role(user, RoleName(role.to_owned()), ORG);
        let done = self.access.create_binding(scope, Wanted { expires_at, ..wanted }).await?;
        Ok(done.now().unwrap().id)
    }

    async fn wish(&self, who: UserId, role: &str) -> AccessRequestId {
        let new = NewAccessRequest {
            role: RoleName(role.to_owned()),
            scope: None,
            minutes: Some(60),
            reason: "to mend it".to_owned(),
        };
        let scope = self.by(who, Permission::AccessRequest).await;
        self.access.request_access(&scope, new, ORG).await.unwrap().id
    }

    async fn agree(&self, who: UserId, id: AccessRequestId) -> Result<AccessRequestState, Code> {
        let scope = self.by(who, Permission::AccessDecide).await;
        let agreed = self.access.approve_access(&scope, id, "as agreed").await;
        agreed.map(|it| it.state).map_err(|why| why.code)
    }

    /// Has somebody hold all that they do since then.
    async fn holds_for(&self, user: UserId, ago: TimeDelta) {
        let mut owner = self.database.owner().await;
        sqlx::query!(
            "update binding set created_at = $3 where org_id = $1 and subject_id = $2",
            self.org as _,
            user as _,
            self.now() - ago,
        )
        .execute(&mut owner)
        .await
        .unwrap();
        owner.close().await.unwrap();
    }

    async fn two_for_owners(&self) {
        let set = SetFourEyes {
            actions: vec![GuardedAction::OwnerGive],
            budget_limit: None,
            pending_minutes: 60,
        };
        self.access.set_four_eyes(&Access::internal(self.org), set).await.unwrap();
    }

    async fn asks_for(&self, user: UserId, role: &str) -> ChangeRequest {
        let scope = self.by(self.owner, Permission::RoleBind).await;
        let wanted = Wanted::role(user, RoleName(role.to_owned()), ORG);
        match self.access.create_binding(&scope, wanted).await.unwrap() {
            Done::Waits(request) => *request,
            Done::Now(given) => panic!("it was done at once: {given:?}"),
        }
    }
}

#[tokio::test]
async fn what_is_held_for_a_while_makes_no_role_allow_more() {
    let setup = Setup::new().await;
    setup.role("helper", names(&["org.read", "team.read"])).await;
    let ann = setup.member_as("helper", ORG).await;
    setup.bind(&Access::internal(setup.org), ann, "viewer", ORG).await.unwrap();
    let asked = setup.wish(ann, "admin").await;
    setup.agree(setup.owner, asked).await.unwrap();
    let ben = setup.member_as("helper", ORG).await;
    let until = Some(setup.now() + TimeDelta::days(3));
    setup.lend(&Access::internal(setup.org), (ben, "admin"), until).await.unwrap();
    for who in [ann, ben] {
        let scope = setup.by(who, Permission::RoleDefine).await;
        let more = wider(names(&["org.read", "team.read", "member.invite"]));
        let refused = setup.access.update_role(&scope, "helper", more).await.unwrap_err();
        assert!(refused.detail.contains("for a while"), "{refused:?}");
        let import = PolicyImport {
            lines: format!("g2, role:own:helper, perm:member.invite, {}", setup.org),
            from: None,
            mode: PolicyImportMode::Add,
            apply: true,
        };
        let refused = setup.access.import_policy(&scope, import, None).await.unwrap_err();
        assert!(refused.detail.contains("for a while"), "{refused:?}");
    }
    // To take away is as ever.
    let scope = setup.by(ann, Permission::RoleDefine).await;
    let less = wider(names(&["org.read"]));
    setup.access.update_role(&scope, "helper", less).await.unwrap();
    let scope = setup.by(setup.owner, Permission::RoleDefine).await;
    let more = wider(names(&["org.read", "member.invite"]));
    setup.access.update_role(&scope, "helper", more).await.unwrap();
}

#[tokio::test]
async fn what_ends_some_day_is_given_on_no_longer_than_that_and_decides_about_nothing() {
    let setup = Setup::new().await;
    let internal = Access::internal(setup.org);
    let [ann, zoe, eve] = [setup.member().await, setup.member().await, setup.member().await];
    let end = setup.now() + TimeDelta::days(3);
    setup.lend(&internal, (ann, "admin"), Some(end)).await.unwrap();
    setup.bind(&internal, zoe, "viewer", ORG).await.unwrap();
    let scope = setup.by(ann, Permission::RoleBind).await;
    for until in [None, Some(end + TimeDelta::milliseconds(1))] {
        let refused = setup.lend(&scope, (eve, "viewer"), until).await.unwrap_err();
        assert!(refused.detail.contains("until some day"), "{refused:?}");
    }
    setup.lend(&scope, (eve, "viewer"), Some(end)).await.unwrap();
    // By name as well, and by a group.
    let refused = setup.lend(&scope, (zoe, "developer"), None).await.unwrap_err();
    assert_eq!(refused.code, Code::Forbidden, "{refused:?}");
    setup.lend(&scope, (zoe, "developer"), Some(end)).await.unwrap();
    let new = NewGroup { slug: "night".parse().unwrap(), name: "Night".parse().unwrap() };
    let group = setup.access.create_group(&internal, new).await.unwrap().id;
    let role = Wanted::role(ann, RoleName("viewer".to_owned()), ORG);
    let role = Wanted { bearer: Bearer::Group(group), ..role };
    setup.access.create_binding(&internal, role).await.unwrap();
    setup.access.add_to_group(&scope, group, eve).await.unwrap_err();
    let asked = setup.wish(zoe, "billing").await;
    assert_eq!(setup.agree(ann, asked).await, Err(Code::Forbidden));
    assert_eq!(setup.agree(setup.owner, asked).await, Ok(AccessRequestState::Active));
}

#[tokio::test]
async fn who_was_given_a_role_a_moment_ago_decides_about_nothing_by_it() {
    let setup = Setup::new().await;
    let (ann, ben) = (setup.member_as("viewer", ORG).await, setup.member().await);
    let scope = setup.by(setup.owner, Permission::RoleBind).await;
    setup.lend(&scope, (ben, "admin"), None).await.unwrap();
    let asked = setup.wish(ann, "developer").await;
    setup.holds_for(ben, TimeDelta::hours(24) - TimeDelta::milliseconds(1)).await;
    assert_eq!(setup.agree(ben, asked).await, Err(Code::Forbidden));
    let seen = setup.access.access_request(&person(ben), setup.org, asked).await.unwrap();
    assert!(!seen.may_approve && !seen.may_deny);
    setup.holds_for(ben, TimeDelta::hours(24)).await;
    assert_eq!(setup.agree(ben, asked).await, Ok(AccessRequestState::Active));
}

#[tokio::test]
async fn what_a_role_was_widened_by_a_moment_ago_does_not_count() {
    let setup = Setup::new().await;
    setup.role("chief", names(&["role.read", "access.decide"])).await;
    let (ann, ben) = (setup.member_as("viewer", ORG).await, setup.member_as("chief", ORG).await);
    let asked = setup.wish(ann, "developer").await;
    let age = async || {
        let mut owner = setup.database.owner().await;
        sqlx::query!(
            "update access_history set since = since - interval '300 days',
                 until = until - interval '300 days' where org_id = $1 and kind = 'role'",
            setup.org as _,
        )
        .execute(&mut owner)
        .await
        .unwrap();
        owner.close().await.unwrap();
    };
    age().await;
    let internal = Access::internal(setup.org);
    setup.access.update_role(&internal, "chief", wider(everything())).await.unwrap();
    assert_eq!(setup.agree(ben, asked).await, Err(Code::Forbidden));
    age().await;
    assert_eq!(setup.agree(ben, asked).await, Ok(AccessRequestState::Active));
}

#[tokio::test]
async fn an_owner_by_another_name_takes_two_people_as_well() {
    let setup = Setup::new().await;
    setup.member_as("owner", ORG).await;
    setup.two_for_owners().await;
    setup.role("chief", everything()).await;
    setup.role("helper", names(&["org.read"])).await;
    let ann = setup.member_as("helper", ORG).await;
    let asked = setup.asks_for(ann, "chief").await;
    assert_eq!(asked.action, GuardedAction::OwnerGive);
    assert!(asked.details.iter().any(|it| it.after.as_deref() == Some("chief (org)")), "{asked:?}");
    let scope = setup.by(setup.owner, Permission::RoleDefine).await;
    let widened = setup.access.update_role(&scope, "helper", wider(everything())).await;
    assert_eq!(widened.unwrap_err().code, Code::Conflict);

    let internal = Access::internal(setup.org);
    let new = NewGroup { slug: "chiefs".parse().unwrap(), name: "Chiefs".parse().unwrap() };
    let group = setup.access.create_group(&internal, new).await.unwrap().id;
    let wanted = Wanted::role(ann, RoleName("chief".to_owned()), ORG);
    let wanted = Wanted { bearer: Bearer::Group(group), ..wanted };
    let scope = setup.by(setup.owner, Permission::RoleBind).await;
    let given = setup.access.create_binding(&scope, wanted.clone()).await;
    assert_eq!(given.unwrap_err().code, Code::Conflict);
    setup.access.create_binding(&internal, wanted).await.unwrap();
    let joined = setup.access.add_to_group(&scope, group, ann).await;
    assert_eq!(joined.unwrap_err().code, Code::Conflict);
}

#[tokio::test]
async fn who_confirms_has_been_there_for_a_week_and_held_it_for_a_day() {
    let setup = Setup::new().await;
    // As single sign-on makes people: nobody is known to have made the account.
    let (ann, ben) = (setup.member().await, setup.member().await);
    let scope = setup.by(setup.owner, Permission::RoleBind).await;
    setup.lend(&scope, (ben, "owner"), None).await.unwrap();
    setup.two_for_owners().await;
    let asked = setup.asks_for(ann, "owner").await.id;
    let seconds = async || setup.access.seconds(setup.org, asked).await.unwrap();
    let member_for = async |ago: TimeDelta| {
        let mut owner = setup.database.owner().await;
        sqlx::query!(
            "update membership set joined_at = $3 where org_id = $1 and user_id = $2",
            setup.org as _,
            ben as _,
            setup.now() - ago,
        )
        .execute(&mut owner)
        .await
        .unwrap();
        owner.close().await.unwrap();
    };
    setup.holds_for(ben, TimeDelta::hours(24)).await;
    member_for(TimeDelta::days(7) - TimeDelta::milliseconds(1)).await;
    assert_eq!(seconds().await, []);
    member_for(TimeDelta::days(7)).await;
    assert_eq!(seconds().await, [ben]);
    let seen = setup.access.change_request(&person(ben), setup.org, asked).await.unwrap();
    assert!(seen.may_confirm);
    setup.holds_for(ben, TimeDelta::hours(23)).await;
    assert_eq!(seconds().await, []);
}

#[tokio::test]
async fn whom_the_deployment_let_in_as_an_owner_confirms_on_the_first_day() {
    let setup = Setup::new().await;
    let ben = setup.member().await;
    let scope = setup.by(setup.owner, Permission::RoleBind).await;
    setup.lend(&scope, (ben, "owner"), None).await.unwrap();
    setup.two_for_owners().await;
    let scope = setup.by(ben, Permission::RoleBind).await;
    let wanted = Wanted::role(setup.member().await, RoleName("owner".to_owned()), ORG);
    let Done::Waits(asked) = setup.access.create_binding(&scope, wanted).await.unwrap() else {
        panic!("it was done at once")
    };
    let seconds = setup.access.seconds(setup.org, asked.id).await.unwrap();
    assert_eq!(seconds, [setup.owner]);
}
