//! Calls that can be read.

use ralex_access::Access;
use ralex_api::usage::{CallState, CallsQuery};
use ralex_kernel::{Clock, Money};

use super::world::World;
use crate::{Cached, Settlement, Told};

#[tokio::test]
async fn calls_are_listed_newest_first_page_by_page() {
    let world = World::new().await;
    let budgets = world.budgets(Clock::system()).await;
    let scope = Access::internal(world.org);
    let mut made = Vec::new();
    for _ in 0..5 {
        made.push(world.opened(1, &[]).await);
    }
    world.settle(made[4], 1).await;
    made.reverse();
    let (mut seen, mut query) = (Vec::new(), CallsQuery { limit: Some(2), ..Default::default() });
    loop {
        let page = budgets.calls(&scope, &query).await.unwrap();
        seen.extend(page.items.iter().map(|call| call.id));
        query.cursor = page.next_cursor;
        if query.cursor.is_none() {
            break;
        }
    }
    assert_eq!(seen, made);
    let settled = CallsQuery { state: Some(CallState::Success), ..Default::default() };
    let settled = budgets.calls(&scope, &settled).await.unwrap().items;
    assert_eq!(settled.len(), 1);
    assert_eq!(settled[0], budgets.call(&scope, made[0]).await.unwrap().call);
    assert_eq!((settled[0].token.as_deref(), settled[0].output_tokens), (Some("ci"), 5));
    let of = async |team: &str| {
        let query = CallsQuery { team: Some(team.to_owned()), ..Default::default() };
        budgets.calls(&scope, &query).await.unwrap().items.len()
    };
    assert_eq!(budgets.open_calls(&scope).await.unwrap(), 4);
    assert_eq!((of("platform").await, of("nobody").await), (5, 0));
}

#[tokio::test]
async fn what_a_kept_answer_saved_tells_of_which_call() {
    let world = World::new().await;
    let budgets = world.budgets(Clock::system()).await;
    let scope = Access::internal(world.org);
    let (first, again) = (world.opened(9, &[]).await, world.opened(0, &[]).await);
    world.settle(first, 9).await;
    let (saved, similarity) = (Money::nanos(9), Some(0.97));
    let cached = Cached { kind: "semantic", saved, from: first, similarity };
    let told = Told { cached: Some(cached), ..Told::default() };
    world.settle_all(&[Settlement { told, ..world.settlement(again, 0) }]).await;
    let story = budgets.call(&scope, again).await.unwrap();
    assert_eq!(story.cost_saved, saved);
    assert_eq!((story.cached_from, story.similarity), (Some(first), similarity));
    assert_eq!(story.call.cached.as_deref(), Some("semantic"));
}

#[tokio::test]
async fn another_organisations_calls_do_not_exist() {
    let world = World::new().await;
    let budgets = world.budgets(Clock::system()).await;
    let call = world.opened(1, &[]).await;
    let foreign = Access::internal(world.another_org().await);
    assert_eq!(budgets.call(&foreign, call).await.unwrap_err().status, 404);
    assert_eq!(budgets.calls(&foreign, &CallsQuery::default()).await.unwrap().items, []);
    assert_eq!(budgets.open_calls(&foreign).await.unwrap(), 0);
}
