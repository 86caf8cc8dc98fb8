//! Budgets as people set them, through the service.

use chrono::{DateTime, TimeDelta, Utc};
use ralex_access::Access;
use ralex_api::budgets::{NewBudget, UpdateBudget};
use ralex_api::page::PageQuery;
use ralex_kernel::{Clock, Code, Money, Period, ScopePath, TokenId};

use super::world::{World, at};
use crate::Spender;

const NOON: &str = "2026-03-10T12:00:00Z";

fn new(scope: &str, limit: &str) -> NewBudget {
    NewBudget {
        scope: scope.into(),
        model: None,
        provider: None,
        period: Period::Month,
        limit: limit.parse().unwrap(),
        hard: true,
        days: None,
        carry_over: false,
        carry_over_at_most: None,
        time_zone: None,
        year_start: None,
        degrade_at: None,
    }
}

fn change(limit: &str) -> UpdateBudget {
    UpdateBudget { limit: Some(limit.parse().unwrap()), hard: None, degrade_at: None }
}

fn by(at: ScopePath, token: Option<TokenId>) -> Spender<'static> {
    Spender { token, ..Spender::anybody(at) }
}

fn noon() -> DateTime<Utc> {
    at(NOON)
}

#[tokio::test]
async fn a_budget_is_shown_as_it_was_set_with_a_period_that_nothing_was_spent_in() {
    let world = World::new().await;
    let budgets = world.budgets(Clock::from_fn(noon)).await;
    let scope = Access::internal(world.org);
    let berlin = NewBudget { time_zone: Some("Europe/Berlin".into()), ..new("team:platform", "5") };
    let made = budgets.create(&scope, berlin).await.unwrap();
    assert_eq!((made.scope.as_str(), made.scope_name.as_str()), ("team:platform", "Platform team"));
    assert_eq!((made.limit, made.spent, made.held), (Money::dollars(5), Money::ZERO, Money::ZERO));
    assert_eq!(made.period_starts_at, at("2026-02-28T23:00:00Z"));
    assert_eq!(made.period_ends_at, Some(at("2026-03-31T22:00:00Z")));
    assert_eq!(budgets.find(&scope, made.id).await.unwrap(), made);
    assert_eq!(world.events("budget.created").await, 1);
}

#[tokio::test]
async fn a_scope_takes_slugs_and_ids_and_names_what_it_does_not_know() {
    let world = World::new().await;
    let budgets = world.budgets(Clock::from_fn(noon)).await;
    let scope = Access::internal(world.org);
    let personal = world.personal_token("Ann", "laptop").await;
    for (text, shown, name) in [
        ("org".to_owned(), "org".to_owned(), "Acme"),
        (format!("team:{}", world.team), "team:platform".to_owned(), "Platform team"),
        (format!("project:{}", world.project), "project:search".to_owned(), "Search"),
        ("project:search".to_owned(), "project:search".to_owned(), "Search"),
        (format!("token:{}", world.token), format!("token:{}", world.token), "ci"),
        (format!("token:{personal}"), format!("token:{personal}"), "laptop (Ann)"),
    ] {
        let made = budgets.create(&scope, new(&text, "1")).await.unwrap();
        assert_eq!((made.scope, made.scope_name.as_str()), (shown, name));
    }
    let stranger = uuid::Uuid::now_v7();
    for text in ["", "orga", "team", "team:", "team:nope", "user:ann", "token:ci", "org:x"] {
        let refused = budgets.create(&scope, new(text, "1")).await.unwrap_err();
        assert_eq!(
            (refused.code, refused.errors[0].path.as_str()),
            (Code::InvalidRequest, "scope")
        );
    }
    let refused = budgets.create(&scope, new(&format!("token:{stranger}"), "1")).await.unwrap_err();
    assert_eq!(refused.errors[0].path, "scope");
    let zone = NewBudget { time_zone: Some("Mars/Base".into()), ..new("org", "1") };
    assert_eq!(budgets.create(&scope, zone).await.unwrap_err().errors[0].path, "time_zone");
    for limit in ["0", "-1"] {
        let refused = budgets.create(&scope, new("org", limit)).await.unwrap_err();
        assert_eq!(refused.errors[0].path, "limit");
    }
}

#[tokio::test]
async fn a_call_counts_against_every_budget_above_it_and_no_other() {
    let world = World::new().await;
    let budgets = world.budgets(Clock::from_fn(noon)).await;
    let scope = Access::internal(world.org);
    let token = format!("token:{}", world.token);
    let mut ids = Vec::new();
    for text in ["org", "team:platform", "project:search", &token] {
        ids.push(budgets.create(&scope, new(text, "1")).await.unwrap().id);
    }
    let team = ScopePath::Team { team: world.team };
    let project = ScopePath::Project { team: world.team, project: world.project };
    for (at, token, expected) in [
        (ScopePath::Org, None, &ids[..1]),
        (team, None, &ids[..2]),
        (project, None, &ids[..3]),
        (project, Some(world.token), &ids[..]),
    ] {
        let charges = budgets.applicable(world.org, &by(at, token), noon()).await.unwrap();
        assert_eq!(charges.iter().map(|charge| charge.budget).collect::<Vec<_>>(), expected);
    }
    // A change is seen by the next call on this node.
    budgets.delete(&scope, ids[0]).await.unwrap();
    let charges = budgets.applicable(world.org, &by(ScopePath::Org, None), noon()).await.unwrap();
    assert_eq!(charges, []);
}

#[tokio::test]
async fn a_hard_limit_never_goes_below_what_is_spent_and_held() {
    let world = World::new().await;
    let budgets = world.budgets(Clock::from_fn(noon)).await;
    let scope = Access::internal(world.org);
    let id = budgets.create(&scope, new("org", "1")).await.unwrap().id;
    let on = budgets.applicable(world.org, &by(ScopePath::Org, None), noon()).await.unwrap();
    let spent = world.opened(300_000_000, &on).await;
    world.settle(spent, 200_000_000).await;
    world.opened(400_000_000, &on).await;

    let refused = budgets.update(&scope, id, change("0.599999999")).await.unwrap_err();
    assert_eq!(refused.code, Code::LimitBelowSpent);
    assert!(refused.detail.contains("$0.6,"), "{}", refused.detail);
    assert_eq!(budgets.find(&scope, id).await.unwrap().limit, Money::dollars(1));

    let updated = budgets.update(&scope, id, change("0.6")).await.unwrap().now().unwrap();
    let nanos = Money::nanos;
    assert_eq!((updated.spent, updated.held), (nanos(200_000_000), nanos(400_000_000)));
    let full = world.open(&[world.hold(1, &on)]).await;
    assert!(matches!(full[0], crate::HoldOutcome::Refused(_)), "{full:?}");
    assert_eq!(budgets.find(&scope, id).await.unwrap().refused, 1);
    // A soft limit may be anywhere.
    let soft = UpdateBudget { limit: Some(nanos(1)), hard: Some(false), degrade_at: None };
    assert!(!budgets.update(&scope, id, soft).await.unwrap().now().unwrap().hard);
    assert_eq!(world.events("budget.updated").await, 2);
}

#[tokio::test]
async fn the_next_period_is_shown_empty_and_the_last_one_is_kept() {
    let world = World::new().await;
    let scope = Access::internal(world.org);
    let march = world.budgets(Clock::from_fn(noon)).await;
    let id = march.create(&scope, new("org", "1")).await.unwrap().id;
    let on = march.applicable(world.org, &by(ScopePath::Org, None), noon()).await.unwrap();
    let call = world.opened(50, &on).await;
    world.settle(call, 40).await;
    let april = world.budgets(Clock::from_fn(|| noon() + TimeDelta::days(30))).await;
    assert_eq!(april.find(&scope, id).await.unwrap().spent, Money::ZERO);
    assert_eq!(march.find(&scope, id).await.unwrap().spent, Money::nanos(40));
}

#[tokio::test]
async fn pages_of_budgets_follow_each_other_without_gap() {
    let world = World::new().await;
    let budgets = world.budgets(Clock::from_fn(noon)).await;
    let scope = Access::internal(world.org);
    let mut made = Vec::new();
    for _ in 0..5 {
        made.push(budgets.create(&scope, new("org", "1")).await.unwrap().id);
    }
    let (mut seen, mut cursor) = (Vec::new(), None);
    loop {
        let page = budgets.list(&scope, &PageQuery { cursor, limit: Some(2) }).await.unwrap();
        seen.extend(page.items.iter().map(|budget| budget.id));
        cursor = page.next_cursor;
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!(seen, made);
}

#[tokio::test]
async fn a_deleted_budget_is_gone_and_cannot_be_deleted_again() {
    let world = World::new().await;
    let budgets = world.budgets(Clock::from_fn(noon)).await;
    let scope = Access::internal(world.org);
    let id = budgets.create(&scope, new("org", "1")).await.unwrap().id;
    budgets.delete(&scope, id).await.unwrap();
    assert_eq!(budgets.find(&scope, id).await.unwrap_err().code, Code::NotFound);
    assert_eq!(budgets.delete(&scope, id).await.unwrap_err().code, Code::NotFound);
    assert_eq!(budgets.update(&scope, id, change("2")).await.unwrap_err().code, Code::NotFound);
    assert_eq!(world.events("budget.deleted").await, 1);
}

#[tokio::test]
async fn another_organisations_budget_does_not_exist() {
    let world = World::new().await;
    let budgets = world.budgets(Clock::from_fn(noon)).await;
    let id = budgets.create(&Access::internal(world.org), new("org", "1")).await.unwrap().id;
    let foreign = Access::internal(world.another_org().await);
    assert_eq!(budgets.find(&foreign, id).await.unwrap_err().code, Code::NotFound);
    assert_eq!(budgets.delete(&foreign, id).await.unwrap_err().code, Code::NotFound);
    assert_eq!(budgets.list(&foreign, &PageQuery::default()).await.unwrap().items, []);
    let refused = budgets.create(&foreign, new("team:platform", "1")).await.unwrap_err();
    assert_eq!(refused.errors[0].path, "scope");
}
