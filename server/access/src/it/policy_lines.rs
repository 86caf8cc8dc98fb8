//! Policy lines, out of one organisation and into another.

use casbin::{CoreApi, DefaultModel, Enforcer, MemoryAdapter, MgmtApi};
use chrono::{SecondsFormat, TimeDelta};
use ralex_api::access::{BindingEffect, NewGroup, NewRole, RoleName};
use ralex_api::policies::{PolicyImport, PolicyImportMode, PolicyImported};
use ralex_kernel::{Code, GroupId, OrgId, Problem, ScopePath, Subject, UserId};

use super::setup::{Setup, person};
use crate::oracle::Oracle;
use crate::{Access, Bearer, Permission, Scope, Wanted};

/// A company with people in groups, roles of its own, a denial, and times that matter.
struct Company {
    setup: Setup,
    people: Vec<UserId>,
    places: Vec<ScopePath>,
}

impl Company {
    async fn found() -> Self {
        let setup = Setup::new().await;
        let team = setup.team("blue").await;
        let project = setup.project(team, "web").await;
        let places =
            vec![ScopePath::Org, ScopePath::Team { team }, ScopePath::Project { team, project }];
        let mut people = vec![setup.owner];
        for role in ["viewer", "billing", "developer"] {
            people.push(setup.member_as(role, places[people.len() - 1]).await);
        }
        let company = Self { setup, people, places };
        company.furnish().await;
        company
    }

    async fn furnish(&self) {
        let (setup, scope) = (&self.setup, Access::internal(self.setup.org));
        let new = |name: &str, permissions: &[&str], includes: &[&str]| NewRole {
            name: RoleName(name.to_owned()),
            title: name.parse().unwrap(),
            description: None,
            permissions: permissions.iter().map(ToString::to_string).collect(),
            includes: includes.iter().map(|it| RoleName((*it).to_owned())).collect(),
        };
        // The outer one first by its name: order is what is written, not what sorts.
        setup.access.create_role(&scope, new("watch", &["alert.read"], &[])).await.unwrap();
        let outer = new("all_watch", &["call.read"], &["watch", "viewer"]);
        setup.access.create_role(&scope, outer).await.unwrap();
        let night = self.group("night").await;
        setup.access.add_to_group(&scope, night, self.people[1]).await.unwrap();
        setup.access.add_to_group(&scope, night, self.people[2]).await.unwrap();
        let (end, start) = (setup.now() + TimeDelta::hours(1), setup.now() + TimeDelta::days(1));
        let group = Wanted { bearer: Bearer::Group(night), ..self.given(1, "all_watch", 1) };
        setup.access.create_binding(&scope, group).await.unwrap();
        let ends = Wanted { expires_at: Some(end), ..self.given(3, "team_admin", 1) };
        setup.access.create_binding(&scope, ends).await.unwrap();
        let begins = Wanted { not_before: Some(start), ..self.given(2, "viewer", 2) };
        setup.access.create_binding(&scope, begins).await.unwrap();
        let denied = Wanted { effect: BindingEffect::Deny, ..self.given(3, "viewer", 2) };
        setup.access.create_binding(&scope, denied).await.unwrap();
    }

    fn given(&self, who: usize, role: &str, place: usize) -> Wanted {
        Wanted::role(self.people[who], RoleName(role.to_owned()), self.places[place])
    }

    async fn group(&self, slug: &str) -> GroupId {
        let new = NewGroup { slug: slug.parse().unwrap(), name: slug.parse().unwrap() };
        let scope = Access::internal(self.setup.org);
        self.setup.access.create_group(&scope, new).await.unwrap().id
    }

    async fn lines(&self) -> String {
        let scope = Access::internal(self.setup.org);
        self.setup.access.export_policy(&scope).await.unwrap()
    }

    async fn import(&self, import: PolicyImport) -> Result<PolicyImported, Problem> {
        let scope = Access::internal(self.setup.org);
        self.setup.access.import_policy(&scope, import, None).await
    }

    /// Every answer of casbin about the first people of ours, here or in the organisation given.
    async fn decisions(&self, org: OrgId, places: &[ScopePath]) -> Vec<bool> {
        let snapshot = self.setup.access.snapshot(org).await.unwrap();
        let oracle = Oracle::new(org, snapshot.rows(), &[], snapshot.roles()).await.unwrap();
        let now = self.setup.now();
        let mut all = Vec::new();
        for moment in [now, now + TimeDelta::hours(2), now + TimeDelta::days(2)] {
            for (user, at) in
                self.people[1..].iter().flat_map(|user| places.iter().map(move |at| (user, at)))
            {
                for permission in Permission::ALL {
                    let subject = Subject::User(*user);
                    all.push(oracle.allows(subject, *permission, *at, moment).unwrap());
                }
            }
        }
        all
    }
}

fn import(lines: &str, mode: PolicyImportMode, apply: bool) -> PolicyImport {
    PolicyImport { lines: lines.to_owned(), mode, apply, from: None }
}

#[tokio::test]
async fn lines_of_one_organisation_decide_the_same_in_another() {
    let company = Company::found().await;
    let setup = &company.setup;
    let lines = company.lines().await;
    let other = setup.add_org("other").await;
    let mut tx = setup.database.db().system("a test").await.unwrap();
    for user in &company.people {
        sqlx::query!(
            "insert into membership (org_id, user_id) values ($1, $2)",
            other as _,
            *user as _
        )
        .execute(&mut *tx)
        .await
        .unwrap();
    }
    let (team, project) = (ralex_kernel::TeamId::generate(), ralex_kernel::ProjectId::generate());
    sqlx::query!("insert into team values ($1, $2, 'blue', 'Blue')", other as _, team as _)
        .execute(&mut *tx)
        .await
        .unwrap();
    sqlx::query!(
        "insert into project values ($1, $2, $3, 'web', 'Web')",
        other as _,
        project as _,
        team as _
    )
    .execute(&mut *tx)
    .await
    .unwrap();
    setup.access.commit(tx, other).await.unwrap();
    let places = [ScopePath::Org, ScopePath::Team { team }, ScopePath::Project { team, project }];
    let before = company.decisions(setup.org, &company.places).await;
    assert_ne!(before, company.decisions(other, &places).await);

    let wanted = PolicyImport {
        from: Some("acme".to_owned()),
        ..import(&lines, PolicyImportMode::Add, true)
    };
    let scope = Access::internal(other);
    let strange = PolicyImport { from: None, ..wanted.clone() };
    let refused = setup.access.import_policy(&scope, strange, None).await.unwrap_err();
    assert!(refused.detail.contains("is of the organisation \"acme\""), "{}", refused.detail);
    let done = setup.access.import_policy(&scope, wanted.clone(), None).await.unwrap();
    assert!(done.applied && done.removed.is_empty() && done.refused.is_empty(), "{done:?}");
    assert_eq!(before, company.decisions(other, &places).await);
    let again = setup.access.import_policy(&scope, wanted, None).await.unwrap();
    assert_eq!((again.added, again.removed), (Vec::new(), Vec::new()));
    let theirs = setup.access.export_policy(&scope).await.unwrap();
    let body = |text: &str| text.lines().skip(1).map(ToOwned::to_owned).collect::<Vec<_>>();
    let renamed = lines.replace(", acme", ", other").replace("/o/acme", "/o/other");
    assert_eq!(body(&renamed), body(&theirs));
}

#[tokio::test]
async fn casbin_with_the_lines_alone_decides_as_the_snapshot() {
    let company = Company::found().await;
    let setup = &company.setup;
    let snapshot = setup.access.snapshot(setup.org).await.unwrap();
    let model = DefaultModel::from_str(snapshot.roles().model()).await.unwrap();
    let mut casbin = Enforcer::new(model, MemoryAdapter::default()).await.unwrap();
    crate::oracle::add_functions(&mut casbin);
    for line in company.lines().await.lines().filter(|it| !it.is_empty() && !it.starts_with('#')) {
        let mut fields: Vec<_> = line.split(", ").map(ToOwned::to_owned).collect();
        match fields.remove(0).as_str() {
            "p" => casbin.add_policy(fields).await.unwrap(),
            kind => casbin.add_named_grouping_policy(kind, fields).await.unwrap(),
        };
    }
    let names = ["/o/acme", "/o/acme/t/blue", "/o/acme/t/blue/p/web"];
    let (now, mut yes) = (setup.now(), 0);
    for user in &company.people {
        for (at, name) in company.places.iter().zip(names) {
            for permission in Permission::ALL {
                let ours = snapshot.judge(Subject::User(*user), *permission, *at, now);
                let asked = (
                    format!("user:{user}"),
                    "acme",
                    name,
                    format!("perm:{permission}"),
                    now.to_rfc3339_opts(SecondsFormat::Micros, true),
                );
                let theirs = casbin.enforce(asked).unwrap();
                assert_eq!(ours.is_allowed(), theirs, "{user} {permission} {name}");
                yes += usize::from(theirs);
            }
        }
    }
    assert!(yes > 50);
}

#[tokio::test]
async fn an_import_changes_what_it_said_it_would_and_nothing_where_a_line_is_refused() {
    let company = Company::found().await;
    let lines = company.lines().await;
    let (ann, bob) = (company.people[1], company.people[2]);
    // Ann leaves the group, Bob is given more, and a line is odd.
    let joined = format!("g, user:{ann}, grp:night, acme\n");
    let more = format!(
        "p, user:{bob}, acme, role:own:watch, /o/acme/t/blue, allow, 0000-01-01T00:00:00.000000Z, \
         9999-12-31T23:59:59.999999Z\n"
    );
    let changed = format!("{}{more}", lines.replace(&joined, ""));
    let odd = format!("{changed}\np, user:{bob}, acme, role:viewer, /o/acme/../x, allow, a, b\n");
    let before = company.decisions(company.setup.org, &company.places).await;
    let told = company.import(import(&odd, PolicyImportMode::Replace, false)).await.unwrap();
    assert!(!told.applied);
    let texts = |all: &[ralex_api::policies::PolicyLine]| -> Vec<String> {
        all.iter().map(|it| it.text.clone()).collect()
    };
    assert_eq!(texts(&told.added), [more.trim()]);
    assert_eq!(texts(&told.removed), [joined.trim()]);
    let [refused] = told.refused.as_slice() else { panic!("{told:?}") };
    assert_eq!(refused.line, Some(u32::try_from(odd.lines().count()).unwrap()));
    let problem = company.import(import(&odd, PolicyImportMode::Replace, true)).await.unwrap_err();
    assert_eq!((problem.code, problem.errors.len()), (Code::InvalidRequest, 1));
    assert_eq!(before, company.decisions(company.setup.org, &company.places).await);
    assert_eq!(lines.lines().skip(1).collect::<Vec<_>>(), {
        let now = company.lines().await;
        now.lines().skip(1).map(ToOwned::to_owned).collect::<Vec<_>>()
    });

    let stale = Access::internal(company.setup.org);
    let wanted = import(&changed, PolicyImportMode::Replace, true);
    let stale = company.setup.access.import_policy(&stale, wanted.clone(), Some(1)).await;
    assert_eq!(stale.unwrap_err().code, Code::PreconditionFailed);
    let done = company.import(wanted).await.unwrap();
    assert!(done.applied);
    assert_ne!(before, company.decisions(company.setup.org, &company.places).await);
    let back = company.import(import(&lines, PolicyImportMode::Replace, true)).await.unwrap();
    assert_eq!((back.added.len(), back.removed.len()), (1, 1));
    assert_eq!(before, company.decisions(company.setup.org, &company.places).await);
}

#[tokio::test]
async fn an_import_gives_nothing_that_its_caller_could_not_give() {
    let company = Company::found().await;
    let setup = &company.setup;
    let admin = setup.member_as("admin", ScopePath::Org).await;
    let caller = person(admin);
    let scope: Scope =
        setup.access.allow(&caller, setup.org, Permission::RoleBind, ScopePath::Org).await.unwrap();
    let always = "0000-01-01T00:00:00.000000Z, 9999-12-31T23:59:59.999999Z";
    let (ann, owner) = (company.people[1], setup.owner);
    let cases = [
        (format!("p, user:{ann}, acme, role:owner, /o/acme, allow, {always}"), "grant_exceeds_own"),
        (format!("p, user:{ann}, acme, role:viewer, /o/acme, deny, {always}"), "forbidden"),
        (
            format!("p, user:{ann}, acme, role:auditor, /o/acme, allow, {always}"),
            "grant_exceeds_own",
        ),
        (format!("p, user:{ann}, acme, role:viewer, /o/acme, Deny, {always}"), "invalid_request"),
        (
            format!("p, user:role:owner, acme, role:viewer, /o/acme, allow, {always}"),
            "invalid_request",
        ),
        (format!("p, grp:night, acme, role:owner, /o/acme, allow, {always}"), "invalid_request"),
        ("g2, role:viewer, perm:budget.set, acme".to_owned(), "invalid_request"),
        ("g2, role:own:watch, perm:audit.read, acme".to_owned(), "grant_exceeds_own"),
        ("g2, role:own:watch, role:own:all_watch, acme".to_owned(), "invalid_request"),
        (format!("g, user:{owner}, grp:night, other"), "invalid_request"),
    ];
    for (line, code) in cases {
        let wanted = import(&line, PolicyImportMode::Add, false);
        let told = setup.access.import_policy(&scope, wanted, None).await.unwrap();
        let codes: Vec<_> = told.refused.iter().map(|it| it.code.as_str()).collect();
        assert_eq!(codes, [code], "{line}: {told:?}");
    }
    // All of it away: what the admin could not take stays, and so does everything else.
    let wanted = import("", PolicyImportMode::Replace, true);
    let refused = setup.access.import_policy(&scope, wanted, None).await.unwrap_err();
    assert!(!refused.errors.is_empty());
    let everything = Access::internal(setup.org);
    let wanted = import("", PolicyImportMode::Replace, true);
    let last = setup.access.import_policy(&everything, wanted, None).await.unwrap_err();
    assert_eq!(last.code, Code::LastOwner);
    assert!(setup.access.snapshot(setup.org).await.unwrap().is_member(owner));
}
