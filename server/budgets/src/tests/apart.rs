//! Budgets of one model or provider: what they count, and what they do not.

use ralex_access::Access;
use ralex_api::budgets::{NewBudget, UpdateBudget};
use ralex_kernel::{Clock, Code, ModelId, Money, Period, ProviderId};

use super::world::World;
use crate::{Extended, HoldOutcome, Only, Spender, sweep};

/// A provider with a model.
async fn catalogue(world: &World) -> (ProviderId, ModelId) {
    let (provider, model) = (ProviderId::generate(), ModelId::generate());
    let mut tx = world.db.system("make a test's model").await.unwrap();
    sqlx::query!(
        "insert into provider (org_id, id, slug, kind) values ($1, $2, 'acme-ai', 'simulated')",
        world.org.uuid(),
        provider.uuid(),
    )
    .execute(&mut *tx)
    .await
    .unwrap();
    sqlx::query!(
        "insert into model (org_id, id, provider_id, name, upstream_model, input_price,
             output_price, cache_read_price, cache_write_price, cache_write_1h_price,
             audio_input_price, audio_output_price, context_window, max_output)
         values ($1, $2, $3, 'gpt-dear', 'gpt-dear-1', 1, 1, 1, 1, 1, 1, 1, 1000, 100)",
        world.org.uuid(),
        model.uuid(),
        provider.uuid(),
    )
    .execute(&mut *tx)
    .await
    .unwrap();
    tx.commit().await.unwrap();
    (provider, model)
}

fn new(model: Option<&str>, provider: Option<&str>) -> NewBudget {
    NewBudget {
        scope: "team:platform".into(),
        model: model.map(Into::into),
        provider: provider.map(Into::into),
        period: Period::Month,
        limit: Money::dollars(1),
        hard: true,
        days: None,
        carry_over: false,
        carry_over_at_most: None,
        time_zone: None,
        year_start: None,
        degrade_at: None,
    }
}

#[tokio::test]
async fn a_budget_names_a_model_or_a_provider_that_there_is_and_counts_by_its_id() {
    let world = World::new().await;
    let (provider, model) = catalogue(&world).await;
    let (budgets, scope) = (world.budgets(Clock::system()).await, Access::internal(world.org));
    for (wrong, field) in [
        (new(Some("gpt-none"), None), "model"),
        (new(None, Some("nobody")), "provider"),
        (new(Some("gpt-dear"), Some("acme-ai")), "provider"),
        (NewBudget { degrade_at: Some(20), ..new(Some("gpt-dear"), None) }, "degrade_at"),
    ] {
        let problem = budgets.create(&scope, wrong).await.unwrap_err();
        assert_eq!(problem.errors[0].path, field, "{problem:?}");
    }
    let of_model = budgets.create(&scope, new(Some("gpt-dear"), None)).await.unwrap();
    let of_provider = budgets.create(&scope, new(None, Some("acme-ai"))).await.unwrap();
    assert_eq!((of_model.model.as_deref(), of_model.provider), (Some("gpt-dear"), None));
    assert_eq!((of_provider.provider.as_deref(), of_provider.model), (Some("acme-ai"), None));
    let change = UpdateBudget { limit: None, hard: None, degrade_at: Some(20) };
    let problem = budgets.update(&scope, of_model.id, change).await.unwrap_err();
    assert_eq!(problem.code, Code::InvalidRequest);

    let spender = Spender::anybody(ralex_kernel::ScopePath::Team { team: world.team });
    let now = chrono::Utc::now();
    let charges = budgets.applicable(world.org, &spender, now).await.unwrap();
    let only: Vec<_> = charges.iter().map(|charge| charge.only).collect();
    assert_eq!(only, [Some(Only::Model(model)), Some(Only::Provider(provider))]);
    assert!(charges.iter().all(|charge| charge.counts(model, provider)));
    let other = ModelId::generate();
    let counted: Vec<_> = charges.iter().map(|charge| charge.counts(other, provider)).collect();
    assert_eq!(counted, [false, true]);
    assert_eq!(budgets.left(world.org, &spender).await.unwrap(), None, "others have all that");

    let mut tx = world.db.system("delete a test's model").await.unwrap();
    sqlx::query!("delete from model where org_id = $1", world.org.uuid())
        .execute(&mut *tx)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    let gone = budgets.find(&scope, of_model.id).await.unwrap();
    assert_eq!(gone.model, Some(model.to_string()), "it does not turn into one of all models");
}

#[tokio::test]
async fn each_try_is_held_and_paid_on_the_budgets_of_its_model_and_all_on_the_others() {
    let world = World::new().await;
    let all = world.daily(1_000, true).await;
    let (first, second) = (world.of_model(100, true).await, world.of_model(50, true).await);
    let call = world.opened(100, &[all.clone(), first.clone()]).await;
    let refused = world.hold(1, std::slice::from_ref(&first));
    let outcomes = world.open(&[refused]).await;
    let HoldOutcome::Refused(refusal) = &outcomes[0] else { panic!("{outcomes:?}") };
    assert_eq!((refusal.budget, refusal.only), (first.budget, first.only));

    let short = world.extend_apart(call, 60, &[(&first, 0), (&second, 60)]).await;
    assert_eq!(short, Extended::Refused { short: Some(second.budget) });
    assert_eq!(world.counts(&all).await.held, 100, "all or nothing");
    let more = world.extend_apart(call, 40, &[(&first, 0), (&second, 40)]).await;
    assert_eq!(more, Extended::Held { held: Money::nanos(140) });
    let more = world.extend_apart(call, 0, &[(&first, 0), (&second, 10)]).await;
    assert_eq!(more, Extended::Held { held: Money::nanos(140) });
    let held = [world.counts(&all).await, world.counts(&first).await, world.counts(&second).await];
    assert_eq!(held.map(|counts| counts.held), [140, 100, 50]);
    world.assert_consistent().await;

    let settlement = world.in_parts(call, 75, &[(&first, 30), (&second, 45)]);
    world.settle_all(&[settlement.clone(), settlement]).await;
    let spent = [world.counts(&all).await, world.counts(&first).await, world.counts(&second).await];
    assert_eq!(spent.map(|counts| (counts.spent, counts.held)), [(75, 0), (30, 0), (45, 0)]);
    world.assert_consistent().await;
}

#[tokio::test]
async fn a_lost_call_counts_what_it_held_on_each_budget_until_its_parts_are_known() {
    let world = World::new().await;
    let all = world.daily(1_000, true).await;
    let (first, second) = (world.of_model(100, true).await, world.of_model(50, true).await);
    let call = world.opened(100, &[all.clone(), first.clone()]).await;
    world.extend_apart(call, 40, &[(&first, 0), (&second, 40)]).await;
    sweep(&world.db).await.unwrap();
    let spent = [world.counts(&all).await, world.counts(&first).await, world.counts(&second).await];
    assert_eq!(spent.map(|counts| (counts.spent, counts.held)), [(140, 0), (100, 0), (40, 0)]);
    world.assert_consistent().await;
    world.settle_all(&[world.in_parts(call, 20, &[(&first, 0), (&second, 20)])]).await;
    let spent = [world.counts(&all).await, world.counts(&first).await, world.counts(&second).await];
    assert_eq!(spent.map(|counts| counts.spent), [20, 0, 20]);
    world.assert_consistent().await;
}
