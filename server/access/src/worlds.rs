//! Random worlds: the snapshot and casbin must agree on every question about every one of them,
//! and the rules that hold for all policies must hold in each.
//!
//! A world is made from its number alone, so a failing one can be made again.
//! `RALEX_TEST_WORLDS` sets how many are made.

use std::collections::HashSet;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use ralex_kernel::{
    BindingId, Caller, Credential, GroupId, OrgId, Permissions, ProjectId, RequestId, ScopePath,
    ServiceAccountId, Subject, TeamId, TokenId, UserId,
};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};

use crate::narrow::{hands_on, leaves_out, within};
use crate::oracle::Oracle;
use crate::policies::{Policies, SERVICE};
use crate::roles::OwnRole;
use crate::rows::{Binding, Closed, Effect, Group, Holder, Project, Rows};
use crate::snapshot::Snapshot;
use crate::{Decision, Permission, Reason};

/// With 320 questions each, more than a million decisions.
const WORLDS: u64 = 3_200;
const QUESTIONS: usize = 320;

struct World {
    org: OrgId,
    rows: Rows,
    subjects: Vec<Subject>,
    places: Vec<ScopePath>,
    moments: Vec<DateTime<Utc>>,
    random: StdRng,
}

fn epoch() -> DateTime<Utc> {
    DateTime::from_timestamp(1_790_000_000, 0).unwrap()
}

impl World {
    fn of(number: u64, policies: &Policies) -> Self {
        let mut random = StdRng::seed_from_u64(number);
        let teams: Vec<_> = (0..3).map(|_| TeamId::generate()).collect();
        let projects: Vec<_> =
            (0..4).map(|i| Project { id: ProjectId::generate(), team: teams[i % 2] }).collect();
        let mut places = vec![ScopePath::Org];
        places.extend(teams.iter().map(|team| ScopePath::Team { team: *team }));
        places.extend(projects.iter().map(|p| ScopePath::Project { team: p.team, project: p.id }));
        let users: Vec<_> = (0..4).map(|_| UserId::generate()).collect();
        let tokens: Vec<_> = (0..3).map(|_| TokenId::generate()).collect();
        let org = OrgId::generate();
        let mut subjects: Vec<_> = users.iter().map(|user| Subject::User(*user)).collect();
        for token in &tokens {
            let scope = *places.choose(&mut random).unwrap();
            let org = if random.random_bool(0.8) { org } else { OrgId::generate() };
            subjects.push(Subject::Token { token: *token, org, scope });
            let account = ServiceAccountId::generate();
            subjects.push(Subject::Service { account, org, scope });
        }
        // The last person has rows, but is no member.
        let members: HashSet<_> = users.iter().take(3).copied().collect();
        let suspended = users.iter().copied().filter(|_| random.random_bool(0.1)).collect();
        let groups = (0..3).map(|_| {
            let people = users.iter().copied().filter(|_| random.random_bool(0.4));
            let (id, slug) = (GroupId::generate(), String::new());
            Group { id, slug, provisioned: false, people: people.collect() }
        });
        let groups = groups.collect();
        let roles = own_roles(&mut random, policies);
        let teams = teams.into_iter().collect();
        let mut world = Self {
            org,
            rows: Rows { teams, projects, members, suspended, groups, roles, ..Rows::default() },
            subjects,
            places,
            moments: vec![epoch()],
            random,
        };
        for _ in 0..world.random.random_range(3..=36) {
            let binding = world.binding(policies);
            world.rows.bindings.push(binding);
        }
        world.add_unreal_places();
        world
    }

    fn binding(&mut self, policies: &Policies) -> Binding {
        let subject = *self.subjects.choose(&mut self.random).unwrap();
        let holder = match subject.user() {
            Some(_) if self.random.random_bool(0.4) => {
                Holder::Group(self.rows.groups.choose(&mut self.random).unwrap().id)
            }
            Some(user) => Holder::User(user),
            None => Holder::Machine(subject.machine().unwrap().0),
        };
        let at = *self.places.choose(&mut self.random).unwrap();
        let deny = self.random.random_bool(0.25);
        let gone = !deny && self.random.random_bool(0.05);
        let own = self.rows.roles.choose(&mut self.random).filter(|_| self.random.random_bool(0.4));
        let role = match own {
            Some(own) => own.name.clone(),
            None => policies.roles().choose(&mut self.random).unwrap().name.to_string(),
        };
        let (not_before, expires_at) = (self.moment(), self.moment());
        Binding {
            id: BindingId::generate(),
            holder,
            role: if gone { "removed_from_policies".to_owned() } else { role },
            team: at.team(),
            project: at.project(),
            effect: if deny { Effect::Deny } else { Effect::Allow },
            not_before,
            expires_at,
            managed_by: None,
            request: None,
        }
    }

    /// A bound of time, or none. Questions are asked at it and a microsecond beside it.
    fn moment(&mut self) -> Option<DateTime<Utc>> {
        let bound = epoch() + TimeDelta::seconds(self.random.random_range(-3..=3));
        if self.random.random_bool(0.5) {
            return None;
        }
        let step = TimeDelta::microseconds(1);
        self.moments.extend([bound - step, bound, bound + step]);
        Some(bound)
    }

    /// Places that look like ours: another id, and a project under another team's name.
    fn add_unreal_places(&mut self) {
        let project = self.rows.projects[0].id;
        let other = self.rows.projects[1].team;
        self.places.push(ScopePath::Team { team: TeamId::generate() });
        self.places.push(ScopePath::Project { team: other, project });
    }

    fn question(&mut self) -> (Subject, Permission, ScopePath, DateTime<Utc>) {
        (
            *self.subjects.choose(&mut self.random).unwrap(),
            *Permission::ALL.choose(&mut self.random).unwrap(),
            *self.places.choose(&mut self.random).unwrap(),
            *self.moments.choose(&mut self.random).unwrap(),
        )
    }

    fn snapshot(&self, policies: &Arc<Policies>) -> Snapshot {
        Snapshot::compile(self.org, self.rows.clone(), policies).unwrap()
    }
}

/// Up to three roles of the organisation's own: each may include a built-in one and earlier own ones,
/// and name what there is not.
fn own_roles(random: &mut StdRng, policies: &Policies) -> Vec<OwnRole> {
    let mut roles: Vec<OwnRole> = Vec::new();
    for number in 0..random.random_range(0..=3) {
        let permissions = Permission::ALL.iter().filter(|_| random.random_bool(0.1));
        let mut permissions: Vec<_> = permissions.map(ToString::to_string).collect();
        permissions.push(if random.random_bool(0.1) { "moon.read" } else { "org.read" }.to_owned());
        let earlier = roles.iter().filter(|_| random.random_bool(0.5));
        let mut includes: Vec<_> = earlier.map(|role| role.name.clone()).collect();
        if random.random_bool(0.5) {
            includes.push(policies.roles().choose(random).unwrap().name.to_string());
        }
        let shadows = random.random_bool(0.1);
        let name = if shadows { "billing".to_owned() } else { format!("own_{number}") };
        let meant = roles.iter().any(|role| role.name == name || role.includes.contains(&name));
        if meant || includes.contains(&name) {
            continue;
        }
        let (title, description) = (name.clone(), String::new());
        roles.push(OwnRole { name, title, description, permissions, includes, version: 1 });
    }
    roles
}

fn closed() -> Closed {
    Closed { reason: "An invoice is open".to_owned(), delete_after: None }
}

#[expect(clippy::disallowed_methods, reason = "how much a test does is not a setting of ours")]
fn worlds() -> std::ops::Range<u64> {
    0..std::env::var("RALEX_TEST_WORLDS").map_or(WORLDS, |count| count.parse().unwrap())
}

/// Asks each world of the range; returns how many answers were yes.
async fn compare(worlds: impl Iterator<Item = u64>) -> (usize, usize) {
    let policies = Arc::new(Policies::load(None).unwrap());
    let (mut asked, mut allowed) = (0, 0);
    for number in worlds {
        let mut world = World::of(number, &policies);
        // One of each forty, even and odd ones alike, is closed by those who run the deployment.
        world.rows.closed = matches!(number % 80, 34 | 67).then(closed);
        let snapshot = world.snapshot(&policies);
        let oracle = Oracle::new(world.org, &world.rows, &world.subjects, snapshot.roles());
        let oracle = oracle.await.unwrap();
        for _ in 0..QUESTIONS {
            let (subject, permission, at, now) = world.question();
            let ours = snapshot.judge(subject, permission, at, now);
            let casbins = oracle.allows(subject, permission, at, now).unwrap();
            assert_eq!(
                ours.is_allowed(),
                casbins,
                "world {number}: {subject} {permission} {at} {now}: {ours:?}"
            );
            let held = snapshot.permissions(subject, at, now);
            assert_eq!(held.contains(permission), casbins, "world {number}: all at once");
            asked += 1;
            allowed += usize::from(casbins);
        }
    }
    (asked, allowed)
}

#[tokio::test]
async fn the_snapshot_and_casbin_agree_in_even_worlds() {
    let (asked, allowed) = compare(worlds().filter(|number| number % 2 == 0)).await;
    assert!(allowed * 20 > asked, "too few were allowed to mean anything: {allowed} of {asked}");
}

#[tokio::test]
async fn the_snapshot_and_casbin_agree_in_odd_worlds() {
    let (asked, allowed) = compare(worlds().filter(|number| number % 2 == 1)).await;
    assert!(allowed * 20 > asked, "too few were allowed to mean anything: {allowed} of {asked}");
}

#[tokio::test]
async fn casbin_with_the_rows_of_one_subject_answers_as_with_all() {
    let policies = Arc::new(Policies::load(None).unwrap());
    for number in 0..10 {
        let mut world = World::of(number, &policies);
        let snapshot = world.snapshot(&policies);
        let roles = snapshot.roles();
        let all = Oracle::new(world.org, &world.rows, &world.subjects, roles).await.unwrap();
        for _ in 0..20 {
            let (subject, permission, at, now) = world.question();
            let own = Oracle::for_subject(world.org, &world.rows, subject, roles);
            let own = own.await.unwrap().allows(subject, permission, at, now).unwrap();
            assert_eq!(own, all.allows(subject, permission, at, now).unwrap());
        }
    }
}

#[test]
fn without_a_binding_people_are_denied_everything() {
    let policies = Arc::new(Policies::load(None).unwrap());
    for number in 0..50 {
        let mut world = World::of(number, &policies);
        world.rows.bindings.clear();
        let snapshot = world.snapshot(&policies);
        for _ in 0..500 {
            let (subject, permission, at, now) = world.question();
            if matches!(subject, Subject::User(_)) {
                assert!(!snapshot.judge(subject, permission, at, now).is_allowed());
            }
        }
    }
}

#[test]
fn a_suspension_takes_all_that_one_person_has_and_nothing_of_anybody_else() {
    let policies = Arc::new(Policies::load(None).unwrap());
    for number in 0..100 {
        let mut world = World::of(number, &policies);
        world.rows.suspended.clear();
        let before = world.snapshot(&policies);
        let user = *world.rows.members.iter().next().unwrap();
        world.rows.suspended.insert(user);
        let after = world.snapshot(&policies);
        for _ in 0..500 {
            let (subject, permission, at, now) = world.question();
            let decision = after.judge(subject, permission, at, now);
            if subject == Subject::User(user) {
                assert!(!decision.is_allowed() && !after.is_known(subject, now), "world {number}");
            } else {
                assert_eq!(decision, before.judge(subject, permission, at, now), "world {number}");
            }
        }
    }
}

#[test]
fn where_an_organisation_is_closed_nobody_may_anything_and_open_again_everybody_what_they_might() {
    let policies = Arc::new(Policies::load(None).unwrap());
    for number in 0..50 {
        let mut world = World::of(number, &policies);
        let before = world.snapshot(&policies);
        world.rows.closed = Some(closed());
        let shut = world.snapshot(&policies);
        world.rows.closed = None;
        let after = world.snapshot(&policies);
        for _ in 0..500 {
            let (subject, permission, at, now) = world.question();
            let decision = shut.judge(subject, permission, at, now);
            assert_eq!(decision, Decision::Deny { by: None, reason: Reason::OrgClosed });
            assert!(shut.permissions(subject, at, now).is_empty(), "world {number}");
            let question = |snapshot: &Snapshot| snapshot.judge(subject, permission, at, now);
            assert_eq!(question(&before), question(&after), "world {number}");
        }
    }
}

#[test]
fn adding_a_denial_or_removing_a_right_never_allows_more() {
    let policies = Arc::new(Policies::load(None).unwrap());
    for number in 0..200 {
        let mut world = World::of(number, &policies);
        let before = world.snapshot(&policies);
        let mut denial = world.binding(&policies);
        if !before.roles().is_whole(&denial.role) {
            continue;
        }
        denial.effect = Effect::Deny;
        world.rows.bindings.push(denial);
        let denied = world.snapshot(&policies);
        world.rows.bindings.pop();
        if let Some(at) = world.rows.bindings.iter().position(|b| b.effect == Effect::Allow) {
            world.rows.bindings.remove(at);
        }
        let removed = world.snapshot(&policies);
        for _ in 0..500 {
            let (subject, permission, at, now) = world.question();
            if !before.judge(subject, permission, at, now).is_allowed() {
                assert!(!denied.judge(subject, permission, at, now).is_allowed(), "{number}");
                assert!(!removed.judge(subject, permission, at, now).is_allowed(), "{number}");
            }
        }
    }
}

#[test]
fn what_is_said_of_others_never_changes_an_answer() {
    let policies = Arc::new(Policies::load(None).unwrap());
    for number in 0..100 {
        let mut world = World::of(number, &policies);
        let before = world.snapshot(&policies);
        // Rows as those of another organisation: its people, its tokens, its places.
        let other = World::of(number + 1_000, &policies);
        // A denial by a role that is not ours closes an organisation, which is another rule.
        let known = |binding: &Binding| {
            binding.effect == Effect::Allow || before.roles().is_whole(&binding.role)
        };
        world.rows.bindings.extend(other.rows.bindings.into_iter().filter(known));
        let after = world.snapshot(&policies);
        for _ in 0..300 {
            let (subject, permission, at, now) = world.question();
            let question = |snapshot: &Snapshot| snapshot.judge(subject, permission, at, now);
            assert_eq!(question(&before), question(&after), "world {number}");
        }
    }
}

#[test]
fn a_token_is_nothing_in_another_organisation() {
    let policies = Arc::new(Policies::load(None).unwrap());
    let world = World::of(1, &policies);
    let snapshot = world.snapshot(&policies);
    let (token, account, org) =
        (TokenId::generate(), ServiceAccountId::generate(), OrgId::generate());
    let scope = ScopePath::Org;
    for subject in [Subject::Token { token, org, scope }, Subject::Service { account, org, scope }]
    {
        let decision = snapshot.judge(subject, Permission::OrgRead, ScopePath::Org, epoch());
        assert_eq!(decision, Decision::Deny { by: None, reason: Reason::OtherOrg });
    }
}

fn by_token(subject: Subject, narrowed: Option<Permissions>) -> Caller {
    let token = TokenId::generate();
    let credential = match subject {
        Subject::User(_) => Credential::PersonalToken(token),
        Subject::Token { .. }
        | Subject::Service { .. }
        | Subject::Directory { .. }
        | Subject::System => Credential::TeamToken(token),
    };
    Caller {
        subject,
        credential,
        second_factor: false,
        sign_on: None,
        by_device: false,
        narrowed,
        request: RequestId::generate(),
        address: None,
    }
}

/// What the next token of a chain is asked to bring: of what there is, of what the one before has, or
/// not narrowed at all.
fn wish(random: &mut StdRng, before: Option<Permissions>) -> Option<Permissions> {
    let among = match random.random_range(0..5) {
        0 => return None,
        1 => Permission::ALL.to_vec(),
        _ => {
            let own = |it: &Permission| before.is_none_or(|before| before.contains(*it));
            Permission::ALL.iter().copied().filter(own).collect()
        }
    };
    let some = among.into_iter().filter(|_| random.random_bool(0.7));
    Some(some.fold(Permissions::NONE, Permissions::with))
}

#[test]
fn a_narrowed_token_is_never_allowed_more_by_however_many_others_it_came() {
    let policies = Arc::new(Policies::load(None).unwrap());
    let (mut allowed, mut refused, mut longest) = (0, 0, 0);
    for number in 0..150 {
        let mut world = World::of(number, &policies);
        let snapshot = world.snapshot(&policies);
        let service = snapshot.roles().permissions_of(SERVICE);
        for _ in 0..20 {
            let mut chain: Vec<Permissions> = Vec::new();
            for _ in 0..5 {
                let wanted = wish(&mut world.random, chain.last().copied());
                let made = chain
                    .last()
                    .is_none_or(|own| hands_on(*own, wanted.unwrap_or(service)).is_ok());
                if !made {
                    refused += 1;
                    continue;
                }
                // One that is not narrowed is a program's, and brings what programs hold.
                chain.extend(wanted.or((!chain.is_empty()).then_some(service)));
                longest = longest.max(chain.len());
                let (subject, _, at, now) = world.question();
                let whole = by_token(subject, None);
                let caller = by_token(subject, chain.last().copied());
                for permission in Permission::ALL.iter().copied() {
                    let may = |caller: &Caller| {
                        !leaves_out(caller, permission)
                            && snapshot.judge(subject, permission, at, now).is_allowed()
                    };
                    let all = within(&caller, snapshot.permissions(subject, at, now));
                    assert_eq!(may(&caller), all.contains(permission), "world {number}");
                    if may(&caller) {
                        assert!(may(&whole), "world {number}: {subject} {permission}");
                        assert!(chain.iter().all(|it| it.contains(permission)), "world {number}");
                        allowed += 1;
                    }
                }
            }
        }
    }
    assert!(allowed > 1_000 && refused > 100 && longest > 3, "{allowed} {refused} {longest}");
}
