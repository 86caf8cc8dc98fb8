//! Reviews of access: what they are about, who decides, and that each item ends once, whatever dies.

use std::collections::HashSet;

use chrono::TimeDelta;
use futures_util::future::join_all;
use ralex_api::access::{NewGroup, RoleName};
use ralex_api::access_reviews::{
    AccessReview, AccessReviewItem, AccessReviewItemsQuery, AccessReviewState, AccessReviewsQuery,
    DecideReview, NewAccessReview, ReviewAdvice, ReviewDecision, ReviewOrigin, ReviewOutcome,
    ReviewRepeats, ReviewedKind,
};
use ralex_kernel::{
    AccessReviewId, BindingId, Code, Problem, ScopePath, ServiceAccountId, TeamId, UserId,
};
use rand::seq::IndexedRandom;

use super::setup::{Setup, person};
use crate::{Access, Bearer, Done, Permission, Wanted};

const ORG: ScopePath = ScopePath::Org;
const KEEP: ReviewDecision = ReviewDecision::Keep;
const REMOVE: ReviewDecision = ReviewDecision::Remove;

fn everything(undecided: ReviewDecision) -> NewAccessReview {
    NewAccessReview {
        name: "Quarter".parse().unwrap(),
        scope: None,
        roles: Vec::new(),
        subjects: Vec::new(),
        reviewers: Vec::new(),
        opens_at: None,
        due_days: 14,
        undecided,
        repeats: ReviewRepeats::Never,
    }
}

impl Setup {
    async fn review(&self, new: NewAccessReview, reviewers: &[Bearer]) -> AccessReview {
        self.review_by(self.owner, new, (ORG, reviewers)).await.unwrap()
    }

    async fn review_by(
        &self,
        who: UserId,
        new: NewAccessReview,
        (at, reviewers): (ScopePath, &[Bearer]),
    ) -> Result<AccessReview, Problem> {
        let caller = person(who);
        let scope = self.access.allow(&caller, self.org, Permission::ReviewManage, at).await?;
        self.access.create_review(&scope, new, (at, reviewers)).await
    }

    async fn decide(
        &self,
        who: UserId,
        id: AccessReviewId,
        (bindings, decision): (&[BindingId], ReviewDecision),
    ) -> Result<AccessReview, Problem> {
        let reason = Some("as agreed".to_owned());
        let decide = DecideReview { bindings: bindings.to_vec(), decision, reason };
        self.access.decide_review(&person(who), self.org, (id, decide)).await
    }

    async fn items(&self, id: AccessReviewId) -> Vec<AccessReviewItem> {
        let query = AccessReviewItemsQuery { limit: Some(500), ..Default::default() };
        let owner = person(self.owner);
        self.access.review_items(&owner, self.org, (id, &query)).await.unwrap().items
    }

    async fn item(&self, id: AccessReviewId, binding: BindingId) -> AccessReviewItem {
        let found = self.items(id).await.into_iter().find(|item| item.binding == binding);
        found.unwrap()
    }

    async fn outcome(&self, id: AccessReviewId, binding: BindingId) -> ReviewOutcome {
        self.item(id, binding).await.outcome.unwrap()
    }

    async fn close(&self, id: AccessReviewId) -> Result<AccessReview, Problem> {
        self.access.close_review(&person(self.owner), self.org, id).await
    }

    async fn stands(&self, id: AccessReviewId) -> AccessReview {
        self.access.access_review(&person(self.owner), self.org, id).await.unwrap()
    }

    async fn give(&self, user: UserId, role: &str, at: ScopePath) -> BindingId {
        self.bind(&Access::internal(self.org), user, role, at).await.unwrap()
    }

    async fn take_away(&self, binding: BindingId) {
        let owner = person(self.owner);
        self.access.delete_binding(&owner, self.org, binding).await.unwrap();
    }

    async fn bindings(&self) -> HashSet<BindingId> {
        let snapshot = self.access.snapshot(self.org).await.unwrap();
        snapshot.rows().bindings.iter().map(|binding| binding.id).collect()
    }

    async fn held_by(&self, user: UserId) -> BindingId {
        let scope = Access::internal(self.org);
        self.access.bindings_of(&scope, &[user]).await.unwrap()[0].id
    }

    /// Has all that somebody holds end some day, as no way by hand does.
    async fn shorten(&self, user: UserId) {
        let mut tx = self.database.db().tenant(self.org).await.unwrap();
        sqlx::query!(
            "update binding set not_before = $3, expires_at = $4 where org_id = $1 and subject_id = $2",
            self.org as _,
            user as _,
            self.now(),
            self.now() + TimeDelta::days(99),
        )
        .execute(&mut *tx)
        .await
        .unwrap();
        self.access.commit(tx, self.org).await.unwrap();
    }

    async fn told(&self, action: &str) -> i64 {
        let mut tx = self.database.db().system("a test").await.unwrap();
        sqlx::query_scalar!(
            r#"select count(*) as "count!" from audit_event where org_id = $1 and action = $2"#,
            self.org as _,
            action,
        )
        .fetch_one(&mut *tx)
        .await
        .unwrap()
    }

    /// A group with these people that holds a role.
    async fn group(&self, slug: &str, people: &[UserId], role: &str) -> BindingId {
        let scope = Access::internal(self.org);
        let new = NewGroup { slug: slug.parse().unwrap(), name: slug.parse().unwrap() };
        let group = self.access.create_group(&scope, new).await.unwrap();
        for user in people {
            self.access.add_to_group(&scope, group.id, *user).await.unwrap();
        }
        self.bear(Bearer::Group(group.id), role, ORG).await
    }

    async fn bear(&self, bearer: Bearer, role: &str, at: ScopePath) -> BindingId {
        let role = RoleName(role.to_owned());
        let wanted = Wanted { bearer, at, ..Wanted::role(self.owner, role, at) };
        let scope = Access::internal(self.org);
        let Done::Now(made) = self.access.create_binding(&scope, wanted).await.unwrap() else {
            panic!("nothing takes two people here")
        };
        made.id
    }

    async fn account(&self, team: TeamId, by: UserId) -> ServiceAccountId {
        let id = ServiceAccountId::generate();
        let mut tx = self.database.db().tenant(self.org).await.unwrap();
        sqlx::query!(
            "insert into service_account (org_id, id, team_id, slug, name, created_by)
             values ($1, $2, $3, 'nightly', 'Nightly', $4)",
            self.org as _,
            id as _,
            team as _,
            by as _,
        )
        .execute(&mut *tx)
        .await
        .unwrap();
        self.access.commit(tx, self.org).await.unwrap();
        id
    }
}

#[tokio::test]
async fn a_review_is_about_what_it_wrote_down_when_it_opened_and_nothing_else() {
    let setup = Setup::new().await;
    let team = setup.team("blue").await;
    let ann = setup.member().await;
    let before = setup.give(ann, "viewer", ORG).await;
    let narrow = setup.give(ann, "viewer", ScopePath::Team { team }).await;
    let group = setup.group("night", &[ann], "billing").await;
    let review = setup.review(everything(KEEP), &[]).await;
    assert_eq!((review.state, review.counts.items), (AccessReviewState::Open, 4));
    let after = setup.give(ann, "developer", ORG).await;
    let items = setup.items(review.id).await;
    assert!(items.iter().all(|item| item.binding != after));
    let item = setup.item(review.id, narrow).await;
    assert_eq!((item.advice, item.advice_why), (REMOVE, ReviewAdvice::HeldWider));
    let item = setup.item(review.id, group).await;
    assert_eq!((item.people_count, item.origin), (1, ReviewOrigin::Hand));
    assert_eq!(item.people, [format!("{ann}@example.com")]);
    let left_out = setup.decide(setup.owner, review.id, (&[after], REMOVE)).await;
    assert_eq!(left_out.unwrap_err().code, Code::InvalidRequest);
    setup.decide(setup.owner, review.id, (&[before, narrow, group], REMOVE)).await.unwrap();
    setup.pass(TimeDelta::days(14));
    setup.access.sweep_reviews().await.unwrap();
    assert_eq!(setup.stands(review.id).await.state, AccessReviewState::Closed);
    let left = setup.bindings().await;
    assert!(left.contains(&after) && !left.contains(&before), "{left:?}");
    assert!(!left.contains(&narrow) && !left.contains(&group), "{left:?}");
}

#[tokio::test]
async fn a_selection_leaves_out_what_it_does_not_name() {
    let setup = Setup::new().await;
    let (blue, red) = (setup.team("blue").await, setup.team("red").await);
    let ann = setup.member().await;
    let at = ScopePath::Team { team: blue };
    let project = setup.project(blue, "web").await;
    let inner = ScopePath::Project { team: blue, project };
    let here = setup.give(ann, "developer", inner).await;
    setup.give(ann, "viewer", at).await;
    setup.give(ann, "developer", ScopePath::Team { team: red }).await;
    let new = NewAccessReview {
        roles: vec![RoleName("developer".to_owned())],
        subjects: vec![ReviewedKind::User],
        ..everything(KEEP)
    };
    let review = setup.review_by(setup.owner, new, (at, &[])).await.unwrap();
    let items: Vec<_> = setup.items(review.id).await.iter().map(|item| item.binding).collect();
    assert_eq!(items, [here]);
    // Whoever decides only elsewhere does not see that there is such a review.
    let lead = setup.member_as("team_admin", ScopePath::Team { team: red }).await;
    let query = AccessReviewsQuery::default();
    let seen = setup.access.access_reviews(&person(lead), setup.org, &query).await.unwrap();
    assert!(seen.items.is_empty(), "{seen:?}");
    let found = setup.access.access_review(&person(lead), setup.org, review.id).await;
    assert_eq!(found.unwrap_err().code, Code::NotFound);
    let viewer = setup.access.access_reviews(&person(ann), setup.org, &query).await;
    assert_eq!(viewer.unwrap_err().code, Code::Forbidden);
}

#[tokio::test]
async fn nobody_decides_about_themselves() {
    let setup = Setup::new().await;
    let team = setup.team("blue").await;
    let admin = setup.member_as("admin", ORG).await;
    let own = setup.held_by(admin).await;
    let group = setup.group("night", &[admin], "viewer").await;
    let made = setup.account(team, admin).await;
    let made = setup.bear(Bearer::Account(made), "viewer", ScopePath::Team { team }).await;
    let review = setup.review(everything(KEEP), &[]).await;
    for binding in [own, group, made] {
        let refused = setup.decide(admin, review.id, (&[binding], KEEP)).await.unwrap_err();
        assert_eq!(refused.code, Code::Forbidden, "{refused:?}");
        assert!(refused.detail.contains("themselves"), "{refused:?}");
    }
    // Also not where they have left the group since.
    let all = setup.access.snapshot(setup.org).await.unwrap().groups_of(admin).to_vec();
    let scope = Access::internal(setup.org);
    setup.access.remove_from_group(&scope, all[0], admin).await.unwrap();
    assert!(setup.decide(admin, review.id, (&[group], KEEP)).await.is_err());
    setup.decide(setup.owner, review.id, (&[own, group, made], KEEP)).await.unwrap();
}

#[tokio::test]
async fn who_decides_can_take_such_a_role_away_at_that_moment() {
    let setup = Setup::new().await;
    let team = setup.team("blue").await;
    let at = ScopePath::Team { team };
    let ann = setup.member().await;
    let (here, wide) =
        (setup.give(ann, "developer", at).await, setup.give(ann, "viewer", ORG).await);
    let owns = setup.held_by(setup.owner).await;
    let admin = setup.member_as("admin", ORG).await;
    let lead = setup.member_as("team_admin", at).await;
    let review = setup.review(everything(KEEP), &[]).await.id;
    let above = setup.decide(admin, review, (&[owns], REMOVE)).await.unwrap_err();
    assert_eq!(above.code, Code::GrantExceedsOwn);
    setup.decide(lead, review, (&[here], REMOVE)).await.unwrap();
    // All or nothing.
    let wider = setup.decide(lead, review, (&[here, wide], KEEP)).await.unwrap_err();
    assert_eq!(wider.code, Code::Forbidden);
    assert_eq!(setup.item(review, here).await.decision, Some(REMOVE));
    // What was decided can be changed, but not by who has lost the right since.
    let leads = setup.held_by(lead).await;
    setup.take_away(leads).await;
    assert!(setup.decide(lead, review, (&[here], KEEP)).await.is_err());
    let silent = DecideReview { bindings: vec![here], decision: REMOVE, reason: None };
    let owner = person(setup.owner);
    let unsaid = setup.access.decide_review(&owner, setup.org, (review, silent)).await;
    assert_eq!(unsaid.unwrap_err().errors[0].path, "reason");
    // Where a review names somebody, nobody else decides.
    let named = setup.review(everything(KEEP), &[Bearer::User(admin)]).await.id;
    assert!(setup.decide(setup.owner, named, (&[here], KEEP)).await.is_err());
    setup.decide(admin, named, (&[here], KEEP)).await.unwrap();
}

#[tokio::test]
async fn what_cannot_be_taken_by_hand_stays_and_says_why() {
    use ReviewOutcome::{Changed, Gone, Kept, Refused, Removed};
    let setup = Setup::new().await;
    let ann = setup.member().await;
    let second = setup.member_as("owner", ORG).await;
    let owners = [setup.held_by(setup.owner).await, setup.held_by(second).await];
    let gone = setup.give(ann, "viewer", ORG).await;
    let kept = setup.give(ann, "billing", ORG).await;
    let removed = setup.give(ann, "team_admin", ORG).await;
    let bob = setup.member().await;
    let changed = setup.give(bob, "developer", ORG).await;
    let review = setup.review(everything(KEEP), &[]).await.id;
    setup.decide(second, review, (&owners[..1], REMOVE)).await.unwrap();
    setup.decide(setup.owner, review, (&owners[1..], REMOVE)).await.unwrap();
    setup.decide(setup.owner, review, (&[gone, changed, removed], REMOVE)).await.unwrap();
    let early = setup.close(review).await.unwrap_err();
    assert!(early.code == Code::Conflict && early.detail.contains("1 are not"), "{early:?}");
    setup.decide(setup.owner, review, (&[kept], KEEP)).await.unwrap();
    setup.take_away(gone).await;
    setup.shorten(bob).await;
    setup.access.close_review(&person(setup.owner), setup.org, review).await.ok();
    let mut outcomes = Vec::new();
    let internal = Access::internal(setup.org);
    let last = setup.access.bindings_of(&internal, &[setup.owner, second]).await.unwrap();
    assert_eq!(last.len(), 1, "one owner stays");
    let reader = person(last[0].user);
    let query = AccessReviewItemsQuery::default();
    let items =
        setup.access.review_items(&reader, setup.org, (review, &query)).await.unwrap().items;
    for binding in [owners[0], owners[1], gone, changed, kept, removed] {
        let item = items.iter().find(|item| item.binding == binding).unwrap();
        outcomes.push(item.outcome.unwrap());
    }
    assert_eq!(outcomes, [Removed, Refused, Gone, Changed, Kept, Removed]);
    assert_eq!(setup.told("access_review.item_ended").await, 6);
    let decided = setup.decide(last[0].user, review, (&[kept], REMOVE)).await.unwrap_err();
    assert_eq!(decided.code, Code::Conflict);
}

#[tokio::test]
async fn nobody_takes_by_silence_what_they_could_not_take_by_hand() {
    let setup = Setup::new().await;
    setup.member_as("owner", ORG).await;
    let admin = setup.member_as("admin", ORG).await;
    let ann = setup.member().await;
    let hers = setup.give(ann, "viewer", ORG).await;
    let owns = setup.held_by(setup.owner).await;
    let review = setup.review_by(admin, everything(REMOVE), (ORG, &[])).await.unwrap().id;
    setup.pass(TimeDelta::days(14));
    // Nothing is decided any more, also where nobody has swept.
    let late = setup.decide(setup.owner, review, (&[hers], KEEP)).await.unwrap_err();
    assert_eq!(late.code, Code::Conflict);
    setup.access.sweep_reviews().await.unwrap();
    assert_eq!(setup.outcome(review, hers).await, ReviewOutcome::Removed);
    let item = setup.item(review, owns).await;
    assert_eq!((item.outcome, item.decided_by), (Some(ReviewOutcome::Refused), None));
    let viewer = setup.member_as("security", ORG).await;
    let refused = setup.review_by(viewer, everything(REMOVE), (ORG, &[])).await;
    assert_eq!(refused.unwrap_err().code, Code::Forbidden);
}

#[tokio::test]
async fn twenty_closings_on_two_nodes_end_each_item_once() {
    let setup = Setup::new().await;
    let mut given = Vec::new();
    for number in 0..24_u8 {
        let user = setup.member().await;
        let role = if number % 2 == 0 { "viewer" } else { "developer" };
        given.push(setup.give(user, role, ORG).await);
    }
    let review = setup.review(everything(KEEP), &[]).await.id;
    setup.decide(setup.owner, review, (&given[..12], REMOVE)).await.unwrap();
    setup.decide(setup.owner, review, (&given[12..], KEEP)).await.unwrap();
    let second = setup.member_as("owner", ORG).await;
    let owns = setup.held_by(setup.owner).await;
    setup.decide(second, review, (&[owns], KEEP)).await.unwrap();
    let (other, caller) = (setup.other_node().await, person(setup.owner));
    let closings = (0..20).map(|number| {
        let node = if number % 2 == 0 { &setup.access } else { &other };
        node.close_review(&caller, setup.org, review)
    });
    let nodes = [&setup.access, &other].into_iter().cycle();
    let sweeps = nodes.take(6).map(async |node| node.sweep_reviews().await.unwrap());
    let (closed, _) = tokio::join!(join_all(closings), join_all(sweeps));
    assert_eq!(closed.iter().filter(|done| done.is_ok()).count(), 1);
    let stands = setup.stands(review).await;
    assert_eq!(stands.state, AccessReviewState::Closed);
    assert_eq!((stands.counts.removed, stands.counts.kept), (12, 13));
    assert_eq!(setup.told("access_review.item_ended").await, 25);
    assert_eq!(setup.told("access_review.closed").await, 1);
    assert_eq!(setup.told("role.unbound").await, 12);
}

#[tokio::test]
async fn another_node_goes_on_where_one_died_between_two_items() {
    let setup = Setup::new().await;
    let mut given = Vec::new();
    for _ in 0..5 {
        let user = setup.member().await;
        given.push(setup.give(user, "viewer", ORG).await);
    }
    let review = setup.review(everything(REMOVE), &[]).await.id;
    setup.decide(setup.owner, review, (&given, REMOVE)).await.unwrap();
    setup.pass(TimeDelta::days(14));
    setup.access.begin_closing(setup.org, review).await.unwrap();
    assert!(setup.access.carry_some(setup.org, review, 2).await.unwrap());
    assert_eq!(setup.stands(review).await.state, AccessReviewState::Closing);
    let other = setup.other_node().await;
    other.sweep_reviews().await.unwrap();
    setup.access.refresh(setup.org).await.unwrap();
    let stands = setup.stands(review).await;
    assert_eq!((stands.state, stands.counts.removed), (AccessReviewState::Closed, 5));
    assert_eq!(setup.told("access_review.item_ended").await, 6);
    // The last owner is not decided about by silence.
    assert_eq!((stands.counts.refused, stands.counts.items), (1, 6));
}

#[tokio::test]
async fn a_series_goes_on_once_however_many_nodes_look() {
    let setup = Setup::new().await;
    let other = setup.other_node().await;
    let new = NewAccessReview { repeats: ReviewRepeats::Monthly, due_days: 5, ..everything(KEEP) };
    let first = setup.review(new, &[]).await;
    let mut last = first.next.unwrap();
    for round in 2..5 {
        setup.pass(TimeDelta::days(31));
        let nodes = [&setup.access, &other].into_iter().cycle();
        join_all(nodes.take(8).map(async |node| node.sweep_reviews().await.unwrap())).await;
        let opened = setup.stands(last).await;
        assert_eq!((opened.state, opened.round), (AccessReviewState::Open, round));
        last = opened.next.unwrap();
    }
    let query = AccessReviewsQuery::default();
    let all = setup.access.access_reviews(&person(setup.owner), setup.org, &query).await.unwrap();
    assert_eq!(all.items.len(), 5);
    let owner = person(setup.owner);
    let ended = setup.access.cancel_review(&owner, setup.org, last).await.unwrap();
    assert_eq!(ended.state, AccessReviewState::Cancelled);
    setup.pass(TimeDelta::days(40));
    setup.access.sweep_reviews().await.unwrap();
    assert_eq!(setup.stands(last).await.next, None);
}

#[tokio::test]
async fn whom_an_open_review_is_about_does_not_cancel_it() {
    let setup = Setup::new().await;
    let [ann, ben] = [setup.member_as("admin", ORG).await, setup.member_as("admin", ORG).await];
    setup.give(ann, "billing", ORG).await;
    let roles = vec![RoleName("billing".to_owned())];
    let review = setup.review(NewAccessReview { roles, ..everything(KEEP) }, &[]).await.id;
    let cancel = async |who| setup.access.cancel_review(&person(who), setup.org, review).await;
    let seen = setup.access.access_review(&person(ann), setup.org, review).await.unwrap();
    assert!(!seen.may_cancel && setup.stands(review).await.may_cancel);
    assert_eq!(cancel(ann).await.unwrap_err().code, Code::Forbidden);
    assert_eq!(cancel(ben).await.unwrap().state, AccessReviewState::Cancelled);
}

#[tokio::test]
async fn whatever_happens_meanwhile_nothing_goes_that_was_not_listed_and_decided() {
    let setup = Setup::new().await;
    let team = setup.team("blue").await;
    let places = [ORG, ScopePath::Team { team }];
    let roles = ["viewer", "developer", "billing", "auditor"];
    let mut people = Vec::new();
    for _ in 0..6 {
        people.push(setup.member().await);
    }
    for _ in 0..4 {
        let mut seed = rand::rng();
        let some = async |count: usize| {
            for _ in 0..count {
                let mut rng = rand::rng();
                let user = people.choose(&mut rng).unwrap();
                let (role, at) =
                    (roles.choose(&mut rng).unwrap(), places.choose(&mut rng).unwrap());
                // The same may be there already, or roles that exclude each other.
                setup.bind(&Access::internal(setup.org), *user, role, *at).await.ok();
            }
        };
        some(12).await;
        let review = setup.review(everything(KEEP), &[]).await.id;
        let own = setup.held_by(setup.owner).await;
        let listed: Vec<_> = setup.items(review).await.iter().map(|item| item.binding).collect();
        let listed: Vec<_> = listed.into_iter().filter(|binding| *binding != own).collect();
        let to_go: Vec<_> = listed.sample(&mut seed, listed.len() / 2).copied().collect();
        setup.decide(setup.owner, review, (&to_go, REMOVE)).await.unwrap();
        let by_hand: Vec<_> = listed.sample(&mut seed, 2).copied().collect();
        for binding in by_hand {
            setup.take_away(binding).await;
        }
        some(6).await;
        let before = setup.bindings().await;
        setup.pass(TimeDelta::days(14));
        setup.access.sweep_reviews().await.unwrap();
        let after = setup.bindings().await;
        let gone: HashSet<_> = before.difference(&after).copied().collect();
        let expected = to_go.iter().copied().filter(|binding| before.contains(binding)).collect();
        assert_eq!(gone, expected);
        let items = setup.items(review).await;
        assert!(items.iter().all(|item| item.outcome.is_some()), "{items:?}");
    }
}
