//! What the broker promises, on a real PostgreSQL and with the simulated provider.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt;
use ralex_access::{Access, Policies, Scope};
use ralex_api::budgets::{Budget, NewBudget};
use ralex_api::page::PageQuery;
use ralex_api::usage::{CallState, CallsQuery};
use ralex_audit::Author;
use ralex_broker::{Answered, Broker, CallRequest, Failure, Parts};
use ralex_budgets::Budgets;
use ralex_identity::{Identity, SignedIn};
use ralex_kernel::{
    Caller, Clock, Code, Credential, DeploymentId, Money, NodeId, OrgId, Period, RequestId,
    ScopePath, SessionId, Subject, UserId,
};
use ralex_providers::{Client, Dialect, EgressPolicy, Inbound, Timeouts};
use ralex_routing::{Catalogue, Routing};
use ralex_store::testing::Database;
use ralex_vault::{Seal, Vault};
use zeroize::Zeroizing;

struct World {
    broker: Broker,
    budgets: Arc<Budgets>,
    org: OrgId,
    owner: UserId,
    scope: Scope,
    database: Database,
}

impl World {
    async fn new() -> Self {
        let database = Database::fresh().await;
        let (db, clock) = (database.db(), Clock::system());
        let policies = Policies::load(None).unwrap();
        let access = Arc::new(Access::open(db.clone(), policies, clock.clone()).await.unwrap());
        let folder = tempfile::tempdir().unwrap();
        let seal = Seal::in_folder(folder.path());
        let deployment = DeploymentId::generate();
        let vault = Vault::open(db.clone(), Arc::clone(&access), deployment, seal).await.unwrap();
        let egress = EgressPolicy::new([]);
        let catalogue = Catalogue::built_in().unwrap();
        let routing = Routing::new(db.clone(), Arc::clone(&access), egress.clone(), catalogue);
        let pepper = Zeroizing::new([7; 32]);
        let identity =
            Identity::new(db.clone(), Arc::clone(&access), clock.clone(), pepper).unwrap();
        let (slug, email) = ("acme".parse().unwrap(), "ann@example.com".parse().unwrap());
        let first = identity
            .create_first_org(&slug, &email, None, async |tx, org| {
                routing.seed_simulated(tx, &Author::system(org)).await
            })
            .await
            .unwrap();
        let budgets = Arc::new(Budgets::new(db.clone(), Arc::clone(&access), clock.clone()));
        let parts = Parts {
            access,
            routing,
            budgets: Arc::clone(&budgets),
            vault,
            client: Client::new(egress, Timeouts::default()).unwrap(),
            clock,
            node: NodeId::generate(),
            default_max_output: 64,
        };
        let (broker, _) = Broker::start(db, parts);
        let scope = Access::internal(first.org);
        Self { broker, budgets, org: first.org, owner: first.user, scope, database }
    }

    async fn budget(&self, limit: &str) {
        let new = NewBudget {
            scope: "org".to_owned(),
            period: Period::Total,
            limit: limit.parse().unwrap(),
            hard: true,
            time_zone: None,
        };
        self.budgets.create(&self.scope, new).await.unwrap();
    }

    async fn call(&self, streamed: bool) -> Result<Answered, Failure> {
        let body = format!(
            r#"{{"model":"simulated","stream":{streamed},"max_tokens":16,"messages":[{{"role":"user","content":"hello"}}]}}"#
        );
        let body = Bytes::from(body);
        let caller = Caller {
            subject: Subject::User(self.owner),
            credential: Credential::Session(SessionId::generate()),
            request: RequestId::generate(),
            address: None,
        };
        let request = CallRequest {
            signed_in: SignedIn { caller, models: None, must_change_password: false },
            org: self.org,
            at: ScopePath::Org,
            inbound: Inbound::parse(Dialect::OpenaiChat, body.clone()).unwrap(),
            body,
        };
        self.broker.call(request).await
    }

    async fn only_budget(&self) -> Budget {
        self.broker.settle_before_reading().await;
        let page = self.budgets.list(&self.scope, &PageQuery::default()).await.unwrap();
        page.items.into_iter().next().unwrap()
    }

    async fn states(&self) -> Vec<CallState> {
        let query = CallsQuery { limit: Some(500), ..CallsQuery::default() };
        let page = self.budgets.calls(&self.scope, &query).await.unwrap();
        page.items.into_iter().map(|call| call.state).collect()
    }

    async fn adds_up(&self) {
        let found = ralex_budgets::verify(&self.database.db(), None).await.unwrap();
        assert!(found.differences.is_empty(), "{:?}", found.differences);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_dropped_at_any_moment_leaves_nothing_held() {
    let world = World::new().await;
    world.budget("1").await;
    // Moments from before the first step to after the last one, found by time because the steps
    // wait for the database.
    for moment in 0..60 {
        let patience = Duration::from_micros(moment * 150);
        let call = tokio::time::timeout(patience, async {
            let Ok(Answered::Stream { mut stream, .. }) = world.call(true).await else { return };
            while stream.next().await.is_some() {}
        });
        // Either way is right; what counts is what is left of it.
        call.await.ok();
    }
    // Calls that were under way when they were dropped are settled by the batches after them.
    let deadline = std::time::Instant::now() + Duration::from_secs(20);
    let mut budget = world.only_budget().await;
    while budget.held.is_positive() && std::time::Instant::now() < deadline {
        budget = world.only_budget().await;
    }
    assert_eq!(budget.held, Money::ZERO);
    assert!(!world.states().await.contains(&CallState::Open));
    world.adds_up().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_racing_calls_as_many_pass_as_the_budget_holds_and_no_more() {
    let world = Arc::new(World::new().await);
    world.budget("0.0002").await;
    let racing: Vec<_> = (0..40)
        .map(|_| {
            let world = Arc::clone(&world);
            tokio::spawn(async move { world.call(false).await })
        })
        .collect();
    let (mut cost, mut refused) = (Money::ZERO, 0);
    for call in racing {
        match call.await.unwrap() {
            Ok(Answered::Whole { cost: one, .. }) => cost += one,
            Ok(Answered::Stream { .. }) => panic!("nobody asked for a stream"),
            Err(failure) => {
                assert_eq!(failure.problem.code, Code::BudgetExhausted, "{:?}", failure.problem);
                refused += 1;
            }
        }
    }
    let budget = world.only_budget().await;
    assert!(refused > 0 && cost.is_positive());
    assert_eq!(budget.spent, cost);
    assert!(budget.spent <= budget.limit);
    assert_eq!((budget.held, budget.refused), (Money::ZERO, refused));
    world.adds_up().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_recorded_is_not_sent_and_the_next_call_works_again() {
    let world = World::new().await;
    world.call(false).await.map_err(|failure| failure.problem).unwrap();
    let mut owner = world.database.owner().await;
    // The log refuses new events, as it does on a full disk.
    let refuse = "alter table audit_event add constraint full_disk check (false) not valid";
    sqlx::raw_sql(refuse).execute(&mut owner).await.unwrap();
    let Err(failure) = world.call(false).await else { panic!("a call passed unrecorded") };
    assert_eq!(failure.problem.code, Code::Unavailable, "{:?}", failure.problem);
    assert_eq!(failure.problem.retry_after, Some(1));
    let repair = "alter table audit_event drop constraint full_disk";
    sqlx::raw_sql(repair).execute(&mut owner).await.unwrap();
    world.call(false).await.map_err(|failure| failure.problem).unwrap();
    world.broker.settle_before_reading().await;
    assert_eq!(world.states().await, [CallState::Success, CallState::Success]);
    world.adds_up().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_was_turned_away_and_is_committed_late_holds_nothing_for_long() {
    let world = World::new().await;
    world.budget("1").await;
    let mut owner = world.database.owner().await;
    // The commit waits for a lock of ours, longer than the broker waits for the commit.
    let slow_commit = "select pg_advisory_lock(42);
        create function wait_for_owner() returns trigger language plpgsql as $$
        begin
            perform set_config('lock_timeout', '0', true);
            perform pg_advisory_xact_lock_shared(42);
            return null;
        end $$;
        create constraint trigger slow_commit after insert on call
            deferrable initially deferred for each row execute function wait_for_owner()";
    sqlx::raw_sql(slow_commit).execute(&mut owner).await.unwrap();
    let Err(failure) = world.call(false).await else { panic!("a call passed unrecorded") };
    assert_eq!(failure.problem.code, Code::Unavailable, "{:?}", failure.problem);
    // What was turned away is looked for, and is not there yet.
    world.broker.settle_before_reading().await;
    sqlx::raw_sql("select pg_advisory_unlock(42)").execute(&mut owner).await.unwrap();
    let deadline = std::time::Instant::now() + Duration::from_secs(25);
    while world.states().await != [CallState::Error] && std::time::Instant::now() < deadline {
        tokio::task::yield_now().await;
    }
    assert_eq!(world.states().await, [CallState::Error]);
    assert_eq!(world.only_budget().await.held, Money::ZERO);
    world.adds_up().await;
}
