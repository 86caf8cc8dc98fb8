//! An organisation with a broker of its own, and providers that do as they are told.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use ralex_access::{Access, Policies, Scope};
use ralex_api::budgets::{Budget, NewBudget};
use ralex_api::page::PageQuery;
use ralex_api::usage::{CallState, CallsQuery};
use ralex_approvals::Approvals;
use ralex_audit::Author;
use ralex_broker::{
    Answered, Broker, CallRequest, Candidate, Chosen, Failure, Parts, Places, Resilience, Wishes,
};
use ralex_budgets::{Budgets, Rates};
use ralex_guardrails::{Guards, Packs};
use ralex_identity::{FirstOwner, Freshness, Identity, SignedIn};
use ralex_kernel::{
    Caller, Clock, Credential, DeploymentId, NodeId, OrgId, Period, RequestId, ScopePath,
    SessionId, Subject, UserId,
};
use ralex_providers::{Client, Dialect, EgressPolicy, Inbound, Operation, Timeouts};
use ralex_routing::{Catalogue, Routing};
use ralex_rules::CallRules;
use ralex_store::System;
use ralex_store::testing::Database;
use ralex_tests::upstream::Upstream;
use ralex_vault::{Seal, Vault};
use serde_json::{Value, json};
use zeroize::Zeroizing;

/// Short, since a test waits for them.
const TIMEOUTS: Timeouts = Timeouts {
    connect: Duration::from_secs(1),
    first_byte: Duration::from_secs(1),
    whole: Duration::from_secs(1),
    idle: Duration::from_secs(1),
};

pub struct World {
    pub broker: Broker,
    pub budgets: Arc<Budgets>,
    pub org: OrgId,
    owner: UserId,
    pub scope: Scope,
    pub database: Database,
    pub routing: Routing,
    vault: Vault,
    pub guards: Guards,
    identity: Identity,
}

impl World {
    pub async fn new() -> Self {
        Self::with(Resilience::default()).await
    }

    pub async fn with(resilience: Resilience) -> Self {
        Self::with_places(resilience, Places::default()).await
    }

    pub async fn with_places(resilience: Resilience, places: Places) -> Self {
        let database = Database::fresh().await;
        let (db, clock) = (database.db(), Clock::system());
        let access = Access::open(db.clone(), Policies::load(None).unwrap(), clock.clone());
        let access = Arc::new(access.await.unwrap());
        let folder = tempfile::tempdir().unwrap();
        let (seal, deployment) = (Seal::in_folder(folder.path()), DeploymentId::generate());
        let vault = Vault::open(db.clone(), Arc::clone(&access), deployment, seal).await.unwrap();
        let egress = EgressPolicy::new(["127.0.0.0/8".parse().unwrap()]);
        let catalogue = Catalogue::built_in().unwrap();
        let routing = Routing::new(db.clone(), Arc::clone(&access), egress.clone(), catalogue);
        let pepper = Zeroizing::new([7; 32]);
        let identity =
            Identity::new(db.clone(), Arc::clone(&access), clock.clone(), pepper, None).unwrap();
        let first = founded(&identity, &routing).await;
        let budgets = Arc::new(Budgets::new(db.clone(), Arc::clone(&access), clock.clone()));
        let packs = Packs::built_in().unwrap();
        let guards = Guards::new(db.clone(), Arc::clone(&access), packs).unwrap();
        let approvals = Approvals::new(db.clone(), Arc::clone(&access), Zeroizing::new([7; 32]));
        let (held, known) = (Arc::clone(&access), identity.clone());
        let rules = CallRules::new(db.clone(), held, known, clock.clone(), 64);
        let (rates, _) = Rates::start(&db, Arc::clone(&access), NodeId::generate());
        let parts = Parts {
            access: Arc::clone(&access),
            identity: identity.clone(),
            routing: routing.clone(),
            budgets: Arc::clone(&budgets),
            rates,
            vault: vault.clone(),
            guards: guards.clone(),
            rules,
            approvals,
            client: Client::new(egress, TIMEOUTS).unwrap(),
            clock,
            node: NodeId::generate(),
            default_max_output: 64,
            resilience,
            record_first: false,
            places,
            cache_bytes: 1 << 20,
            folder: folder.path().to_owned(),
        };
        let (broker, _) = Broker::start(db, parts);
        Self {
            broker,
            budgets,
            org: first.org,
            owner: first.user,
            scope: Access::internal(first.org),
            database,
            routing,
            vault,
            guards,
            identity,
        }
    }

    pub async fn budget(&self, limit: &str) {
        let new = NewBudget {
            scope: "org".to_owned(),
            model: None,
            provider: None,
            period: Period::Total,
            year_start: None,
            degrade_at: None,
            limit: limit.parse().unwrap(),
            hard: true,
            days: None,
            carry_over: false,
            carry_over_at_most: None,
            time_zone: None,
        };
        self.budgets.create(&self.scope, new).await.unwrap();
    }

    /// A provider of this slug at the scripted one, with these keys and a model of its own name.
    pub async fn provider(&self, slug: &str, upstream: &Upstream, keys: &[&str]) {
        let base = format!("{}/v1", upstream.url());
        let new = json!({ "slug": slug, "kind": "openai_compatible", "base_url": base });
        let new = serde_json::from_value(new).unwrap();
        self.routing.create_provider(&self.scope, new).await.unwrap();
        for key in keys {
            let new = json!({ "name": key, "provider": slug, "value": key });
            self.vault.create(&self.scope, serde_json::from_value(new).unwrap()).await.unwrap();
        }
        let new = json!({
            "name": slug, "provider": slug, "upstream_model": slug, "input_price": "3",
            "output_price": "15", "context_window": 1000, "max_output": 100,
        });
        let new = serde_json::from_value(new).unwrap();
        self.routing.create_model(&self.scope, new).await.unwrap();
    }

    pub async fn call(&self, streamed: bool) -> Result<Answered, Failure> {
        self.broker.call(self.request("simulated", streamed)).await
    }

    /// A call that may go to any of these models, in this order.
    pub async fn call_among(&self, models: &[&str], streamed: bool) -> Result<Answered, Failure> {
        let mut candidates = Vec::new();
        for model in models {
            let plan = self.routing.plan(self.org, model).await.unwrap();
            candidates.push(Candidate { plan, reason: "as the test says".to_owned() });
        }
        let call = self.broker.call_among(self.request("auto", streamed), Chosen::of(candidates));
        Box::pin(call).await
    }

    /// A call of one model with a question, and with more fields where given.
    pub async fn ask(
        &self,
        model: &str,
        question: &str,
        more: &[(&str, Value)],
    ) -> Result<Answered, Failure> {
        self.broker.call(Self::question((self.org, self.owner), model, question, more)).await
    }

    /// Counts the tokens of a question.
    pub async fn count(&self, model: &str, question: &str) -> Result<Answered, Failure> {
        let mut request = Self::question((self.org, self.owner), model, question, &[]);
        let (operation, body) = (Operation::CountTokens, request.body.clone());
        request.inbound = Inbound::parse_operation(operation, body, None).unwrap();
        Box::pin(self.broker.call(request)).await
    }

    /// The same of somebody in another organisation.
    pub async fn ask_as(
        &self,
        who: (OrgId, UserId),
        model: &str,
        question: &str,
        more: &[(&str, Value)],
    ) -> Result<Answered, Failure> {
        self.broker.call(Self::question(who, model, question, more)).await
    }

    /// Another organisation with an owner and the simulated provider.
    pub async fn another_org(&self) -> (OrgId, UserId) {
        let (slug, email) = ("other".parse().unwrap(), "bob@example.com".parse().unwrap());
        let made = self
            .identity
            .create_first_org(&slug, &email, None, async |tx, org| {
                self.routing.seed_simulated(tx, &Author::system(org)).await
            })
            .await
            .unwrap();
        (made.org, made.user)
    }

    fn request(&self, model: &str, streamed: bool) -> CallRequest {
        Self::question((self.org, self.owner), model, "hello", &[("stream", json!(streamed))])
    }

    fn question(
        who: (OrgId, UserId),
        model: &str,
        question: &str,
        more: &[(&str, Value)],
    ) -> CallRequest {
        let mut body = json!({
            "model": model, "max_tokens": 16,
            "messages": [{ "role": "user", "content": question }],
        });
        for (field, value) in more {
            body[*field] = value.clone();
        }
        let body = Bytes::from(body.to_string());
        let caller = Caller {
            subject: Subject::User(who.1),
            credential: Credential::Session(SessionId::generate()),
            second_factor: false,
            sign_on: None,
            by_device: false,
            narrowed: None,
            models: None,
            request: RequestId::generate(),
            address: None,
        };
        CallRequest {
            signed_in: SignedIn { caller, must_change_password: false, proof: Freshness::Never },
            org: who.0,
            at: ScopePath::Org,
            inbound: Inbound::parse(Dialect::OpenaiChat, body.clone()).unwrap(),
            body,
            wishes: Wishes::default(),
            meaning: String::new(),
        }
    }

    pub async fn only_budget(&self) -> Budget {
        self.broker.settle_before_reading().await;
        let page = self.budgets.list(&self.scope, &PageQuery::default()).await.unwrap();
        page.items.into_iter().next().unwrap()
    }

    pub async fn states(&self) -> Vec<CallState> {
        let query = CallsQuery { limit: Some(500), ..CallsQuery::default() };
        let page = self.budgets.calls(&self.scope, &query).await.unwrap();
        page.items.into_iter().map(|call| call.state).collect()
    }

    pub async fn adds_up(&self) {
        let found = ralex_budgets::verify(&self.database.db(), None).await.unwrap();
        assert!(found.differences.is_empty(), "{:?}", found.differences);
    }

    /// The tries on record: model, cause and outcome.
    pub async fn tries(&self) -> Vec<(String, String, String)> {
        self.broker.settle_before_reading().await;
        let rows =
            sqlx::query!("select model, cause, outcome from call_attempt order by call_id, n")
                .fetch_all(&mut self.database.owner().await)
                .await
                .unwrap();
        rows.into_iter().map(|row| (row.model, row.cause, row.outcome)).collect()
    }

    /// What the log says of an action, the oldest first.
    pub async fn log(&self, action: &str) -> Vec<Value> {
        self.broker.settle_before_reading().await;
        sqlx::query_scalar!(
            r#"select convert_from(leaf, 'utf8')::jsonb -> 'detail' as "detail!"
               from audit_event where action = $1 order by id"#,
            action,
        )
        .fetch_all(&mut self.database.owner().await)
        .await
        .unwrap()
    }
}

async fn founded(identity: &Identity, routing: &Routing) -> FirstOwner {
    let (slug, email) = ("acme".parse().unwrap(), "ann@example.com".parse().unwrap());
    let seed = async |tx: &mut System, org| routing.seed_simulated(tx, &Author::system(org)).await;
    identity.create_first_org(&slug, &email, None, seed).await.unwrap()
}
