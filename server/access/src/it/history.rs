//! How rights were: what is told of a moment is what was decided then.

use chrono::{DateTime, TimeDelta, Utc};
use ralex_api::access::{BindingEffect, NewGroup, NewRole, RoleName, UpdateRole};
use ralex_api::page::PageQuery;
use ralex_kernel::{GroupId, Problem, ScopePath, Subject, UserId};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};

use super::setup::Setup;
use crate::oracle::Oracle;
use crate::{Access, Asked, Bearer, Permission, Snapshot, Wanted, Which};

/// How many changes each world goes through.
const CHANGES: usize = 60;

/// An organisation that changes at random.
struct World {
    setup: Setup,
    people: Vec<UserId>,
    groups: Vec<GroupId>,
    places: Vec<ScopePath>,
    random: StdRng,
}

/// What was answered at a moment, to every question.
struct Moment {
    at: DateTime<Utc>,
    answers: Vec<bool>,
}

impl World {
    async fn of(number: u64) -> Self {
        let setup = Setup::new().await;
        setup.pass(Utc::now() - setup.now());
        let mut places = vec![ScopePath::Org];
        for slug in ["blue", "red"] {
            let team = setup.team(slug).await;
            places.push(ScopePath::Team { team });
            let project = setup.project(team, &format!("{slug}-web")).await;
            places.push(ScopePath::Project { team, project });
        }
        let mut people = Vec::new();
        for _ in 0..5 {
            people.push(setup.member().await);
        }
        let scope = Access::internal(setup.org);
        let mut groups = Vec::new();
        for slug in ["one", "two"] {
            let new = NewGroup { slug: slug.parse().unwrap(), name: slug.parse().unwrap() };
            groups.push(setup.access.create_group(&scope, new).await.unwrap().id);
        }
        let new = NewRole {
            name: RoleName("own".to_owned()),
            title: "Own".parse().unwrap(),
            description: None,
            permissions: vec!["call.read".to_owned()],
            includes: Vec::new(),
        };
        setup.access.create_role(&scope, new).await.unwrap();
        let random = StdRng::seed_from_u64(number);
        Self { setup, people, groups, places, random }
    }

    /// The database's own time; the clock of decisions follows it.
    async fn moment(&self) -> DateTime<Utc> {
        let mut tx = self.setup.database.db().tenant(self.setup.org).await.unwrap();
        let at = sqlx::query_scalar!(r#"select clock_timestamp() as "at!""#);
        let at = at.fetch_one(&mut *tx).await.unwrap();
        self.setup.pass(at - self.setup.now());
        at
    }

    fn answers(&self, snapshot: &Snapshot, at: DateTime<Utc>) -> Vec<bool> {
        let mut answers = Vec::new();
        for user in &self.people {
            for place in &self.places {
                let held = snapshot.permissions(Subject::User(*user), *place, at);
                answers.extend(Permission::ALL.iter().map(|it| held.contains(*it)));
            }
        }
        answers
    }

    /// One change of some kind; some are refused, which is no change.
    async fn change(&mut self) -> Result<(), Problem> {
        let scope = Access::internal(self.setup.org);
        let user = *self.people.choose(&mut self.random).unwrap();
        let group = *self.groups.choose(&mut self.random).unwrap();
        let access = &self.setup.access;
        match self.random.random_range(0..10) {
            0..=3 => {
                let wanted = self.wanted(user, group);
                self.setup.access.create_binding(&scope, wanted).await.map(drop)
            }
            4 => {
                let all = Which { bearer: None, role: None, within: ScopePath::Org };
                let page = PageQuery { cursor: None, limit: Some(100) };
                let all = access.bindings(&scope, &all, None, &page).await?.items;
                match all.choose(&mut self.random) {
                    Some(binding) => {
                        let mut tx = self.setup.database.db().tenant(self.setup.org).await?;
                        access.unbind(&mut tx, &scope, binding.id).await?;
                        access.commit(tx, self.setup.org).await
                    }
                    None => Ok(()),
                }
            }
            5 => access.add_to_group(&scope, group, user).await.map(drop),
            6 => access.remove_from_group(&scope, group, user).await,
            7 => {
                let permissions = ["budget.read", "call.read", "llm.invoke", "team.read"];
                let some = permissions.iter().filter(|_| self.random.random_bool(0.5));
                let mut some: Vec<_> = some.map(ToString::to_string).collect();
                some.push("org.read".to_owned());
                let change = UpdateRole {
                    title: None,
                    description: None,
                    permissions: Some(some),
                    includes: None,
                };
                access.update_role(&scope, "own", (change, None)).await.map(drop)
            }
            // Always the same ones, so that others are seen to hold something.
            8 => {
                self.toggle(self.people[0], "suspended").await;
                Ok(())
            }
            _ => {
                self.toggle(self.people[1], "disabled").await;
                Ok(())
            }
        }
    }

    fn wanted(&mut self, user: UserId, group: GroupId) -> Wanted {
        let role = *["viewer", "developer", "billing", "own"].choose(&mut self.random).unwrap();
        let to_group = self.random.random_bool(0.4);
        let bearer = if to_group { Bearer::Group(group) } else { Bearer::User(user) };
        let deny = self.random.random_bool(0.1);
        let ends = self.random.random_bool(0.2).then(|| self.setup.now() + TimeDelta::seconds(1));
        Wanted {
            bearer,
            role: RoleName(role.to_owned()),
            at: *self.places.choose(&mut self.random).unwrap(),
            effect: if deny { BindingEffect::Deny } else { BindingEffect::Allow },
            not_before: None,
            expires_at: ends,
        }
    }

    async fn toggle(&self, user: UserId, what: &str) {
        let mut tx = self.setup.database.db().system("a test").await.unwrap();
        if what == "suspended" {
            sqlx::query!(
                "update membership set
                     suspended_by = case when suspended_at is null then '{person}' else '{}'::text[] end,
                     suspended_at = case when suspended_at is null then now() end
                 where org_id = $1 and user_id = $2",
                self.setup.org as _,
                user as _,
            )
            .execute(&mut *tx)
            .await
            .unwrap();
        } else {
            sqlx::query!(
                "update app_user set disabled_at = case when disabled_at is null then now() end
                 where id = $1",
                user as _,
            )
            .execute(&mut *tx)
            .await
            .unwrap();
        }
        self.setup.access.commit(tx, self.setup.org).await.unwrap();
    }

    async fn at(&self, at: DateTime<Utc>) -> Result<crate::history::Seen, Problem> {
        let mut tx = self.setup.database.db().tenant(self.setup.org).await.unwrap();
        self.setup.access.seen(&mut tx, self.setup.org, Some(at)).await
    }
}

#[tokio::test]
async fn every_moment_of_a_changing_world_is_told_as_it_was() {
    for number in 0..3 {
        let mut world = World::of(number).await;
        let (mut moments, mut done) = (Vec::new(), 0);
        for _ in 0..CHANGES {
            done += usize::from(world.change().await.is_ok());
            let at = world.moment().await;
            let snapshot = world.setup.access.snapshot(world.setup.org).await.unwrap();
            moments.push(Moment { at, answers: world.answers(&snapshot, at) });
        }
        assert!(done > CHANGES / 2, "{done} of {CHANGES} changes were made");
        let different = moments.windows(2).filter(|two| two[0].answers != two[1].answers).count();
        assert!(different > CHANGES / 4, "{different} changes changed an answer");
        for (step, moment) in moments.iter().enumerate() {
            let seen = world.at(moment.at).await.unwrap();
            let told = world.answers(&seen.snapshot, moment.at);
            assert!(told == moment.answers, "world {number}, after change {step}");
            if step % 20 == 0 {
                agrees_with_casbin(&world, &seen.snapshot, moment.at).await;
            }
        }
    }
}

async fn agrees_with_casbin(world: &World, snapshot: &Snapshot, at: DateTime<Utc>) {
    let org = world.setup.org;
    let casbin = Oracle::new(org, snapshot.rows(), &[], snapshot.roles()).await.unwrap();
    for user in &world.people {
        let subject = Subject::User(*user);
        for place in &world.places {
            for permission in Permission::ALL.iter().step_by(5) {
                let ours = snapshot.judge(subject, *permission, *place, at).is_allowed();
                assert_eq!(ours, casbin.allows(subject, *permission, *place, at).unwrap());
            }
        }
    }
}

#[tokio::test]
async fn questions_about_a_moment_are_answered_of_it_and_refused_where_nothing_is_known() {
    let world = World::of(7).await;
    let (setup, ann) = (&world.setup, world.people[0]);
    let scope = Access::internal(setup.org);
    let place = world.places[1];
    let given = Wanted::role(ann, RoleName("billing".to_owned()), place);
    let bound = setup.access.create_binding(&scope, given).await.unwrap().now().unwrap();
    let then = world.moment().await;
    let asked = |at| Asked {
        permission: Permission::BudgetSet,
        place,
        written: "team:blue".to_owned(),
        at,
    };
    let mut tx = setup.database.db().tenant(setup.org).await.unwrap();
    setup.access.unbind(&mut tx, &scope, bound.id).await.unwrap();
    setup.access.commit(tx, setup.org).await.unwrap();
    // Everything that it was about goes as well.
    let mut owner = setup.database.db().system("a test").await.unwrap();
    sqlx::query!(
        "delete from membership where org_id = $1 and user_id = $2",
        setup.org as _,
        ann as _
    )
    .execute(&mut *owner)
    .await
    .unwrap();
    setup.access.commit(owner, setup.org).await.unwrap();

    let told = setup.access.explain(&scope, Bearer::User(ann), asked(Some(then))).await.unwrap();
    assert!(told.allowed && told.at == Some(then), "{told:?}");
    assert_eq!(told.binding.unwrap().id, bound.id);
    setup.access.explain(&scope, Bearer::User(ann), asked(None)).await.unwrap_err();
    let page = PageQuery { cursor: None, limit: None };
    let able = setup.access.who_can(&scope, &asked(Some(then)), &page).await.unwrap().items;
    assert!(able.iter().any(|it| it.subject == format!("user:{ann}")), "{able:?}");
    let now = setup.access.who_can(&scope, &asked(None), &page).await.unwrap().items;
    assert_eq!(now.len() + 1, able.len());
    let all = Which { bearer: Some(Bearer::User(ann)), role: None, within: place };
    let listed = setup.access.bindings(&scope, &all, Some(then), &page).await.unwrap().items;
    assert_eq!(
        listed.iter().map(|it| (it.id, it.scope.as_str())).collect::<Vec<_>>(),
        [(bound.id, "team:blue")]
    );
    assert!(setup.access.bindings(&scope, &all, None, &page).await.unwrap().items.is_empty());
    let since = setup.access.history(&scope).await.unwrap().known_since;
    let before = world.at(since - TimeDelta::seconds(1)).await.err().unwrap();
    assert!(before.detail.contains("since when it is known"), "{}", before.detail);
    let ahead = world.at(then + TimeDelta::days(1)).await.err().unwrap();
    assert!(ahead.detail.contains("in the future"), "{}", ahead.detail);
}

#[tokio::test]
async fn what_ended_before_the_log_is_kept_is_forgotten_and_what_holds_is_not() {
    let setup = Setup::new().await;
    let user = setup.member_as("viewer", ScopePath::Org).await;
    let mut tx = setup.database.db().tenant(setup.org).await.unwrap();
    let scope = Access::internal(setup.org);
    setup.access.unbind_all(&mut tx, &scope, user).await.unwrap();
    setup.access.commit(tx, setup.org).await.unwrap();
    let mut owner = setup.database.owner().await;
    let ago = "interval '400 days'";
    let back = format!(
        "update access_history set since = since - {ago}, until = until - {ago};
         update access_history_start set since = since - {ago}"
    );
    sqlx::raw_sql(sqlx::AssertSqlSafe(back)).execute(&mut owner).await.unwrap();
    assert_eq!(setup.access.sweep_history().await.unwrap(), 0, "kept for ever");
    let count = async |owner: &mut sqlx::PgConnection| {
        let count = sqlx::query_scalar!(
            r#"select count(*) as "rows!" from access_history where until is null"#
        );
        count.fetch_one(owner).await.unwrap()
    };
    let holding = count(&mut owner).await;
    sqlx::query!(
        "insert into audit_retention (org_id, class, days) values ($1, 'changes', 30)",
        setup.org as _
    )
    .execute(&mut owner)
    .await
    .unwrap();
    assert_eq!(setup.access.sweep_history().await.unwrap(), 1, "a year is the least");
    assert_eq!(count(&mut owner).await, holding);
    let since = setup.access.history(&scope).await.unwrap().known_since;
    assert!(since > Utc::now() - TimeDelta::days(366), "{since}");
}
