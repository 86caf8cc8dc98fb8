//! A small organisation in a database of its own, and the broker's moves in it.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use ralex_access::{Access, Policies};
use ralex_kernel::{
    BudgetId, CallId, Clock, Code, ModelId, Money, NodeId, OrgId, Period, Price, ProjectId,
    ScopePath, TeamId, TokenId, YearStart,
};
use ralex_store::Db;
use ralex_store::testing::Database;

use crate::{
    Apart, Batch, Budgets, Charge, Claim, Decision, Ending, Extended, Extension, Hold, HoldOutcome,
    Only, OpenCall, Prices, SettleOutcome, Settlement, Tokens, Told, Why, commit, hold_all,
    open_calls, settle_all,
};

pub(super) struct World {
    /// Dropped, and the database with it, when the test ends.
    _database: Database,
    pub db: Db,
    pub org: OrgId,
    pub team: TeamId,
    pub project: ProjectId,
    pub token: TokenId,
    pub node: NodeId,
}

/// What a period's row says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Counts {
    pub spent: i64,
    pub held: i64,
    pub overrun: i64,
    pub refused: i64,
}

pub(super) fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

/// A number below `of` that looks random and is the same each time.
pub(super) fn pick(seed: u64, of: i64) -> i64 {
    let mut mixed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    i64::try_from((mixed ^ (mixed >> 31)) % of.unsigned_abs()).unwrap()
}

impl World {
    pub async fn new() -> Self {
        let database = Database::fresh().await;
        let db = database.db();
        let world = Self {
            _database: database,
            db,
            org: OrgId::generate(),
            team: TeamId::generate(),
            project: ProjectId::generate(),
            token: TokenId::generate(),
            node: NodeId::generate(),
        };
        world.found().await;
        world
    }

    async fn found(&self) {
        let mut tx = self.db.system("make a test's organisation").await.unwrap();
        let (org, team, project) = (self.org.uuid(), self.team.uuid(), self.project.uuid());
        let digest = self.token.uuid().into_bytes().to_vec();
        let slug = format!("org-{}", &org.simple().to_string()[20..]);
        sqlx::query!("insert into org (id, slug, name) values ($1, $2, 'Acme')", org, slug)
            .execute(&mut *tx)
            .await
            .unwrap();
        sqlx::query!("insert into policy_version (org_id) values ($1)", org)
            .execute(&mut *tx)
            .await
            .unwrap();
        sqlx::query!(
            "insert into team (org_id, id, slug, name) values ($1, $2, 'platform', 'Platform team')",
            org,
            team
        )
        .execute(&mut *tx)
        .await
        .unwrap();
        sqlx::query!(
            "insert into project (org_id, id, team_id, slug, name)
             values ($1, $2, $3, 'search', 'Search')",
            org,
            project,
            team
        )
        .execute(&mut *tx)
        .await
        .unwrap();
        sqlx::query!(
            "insert into token (org_id, id, team_id, project_id, name, digest, last_four)
             values ($1, $2, $3, $4, 'ci', $5, 'abcd')",
            org,
            self.token.uuid(),
            team,
            project,
            digest,
        )
        .execute(&mut *tx)
        .await
        .unwrap();
        tx.commit().await.unwrap();
    }

    /// The service, whose time is `clock`'s.
    pub async fn budgets(&self, clock: Clock) -> Budgets {
        let policies = Policies::load(None).unwrap();
        let access = Access::open(self.db.clone(), policies, clock.clone()).await.unwrap();
        Budgets::new(self.db.clone(), Arc::new(access), clock)
    }

    /// A member with a token of their own.
    pub async fn personal_token(&self, person: &str, name: &str) -> TokenId {
        let (user, token) = (uuid::Uuid::now_v7(), TokenId::generate());
        let email = format!("{person}@example.com");
        let mut tx = self.db.system("make a test's member").await.unwrap();
        sqlx::query!(
            "insert into app_user (id, email, email_key, name, password_hash)
             values ($1, $2, $2, $3, '')",
            user,
            email,
            person
        )
        .execute(&mut *tx)
        .await
        .unwrap();
        sqlx::query!(
            "insert into membership (org_id, user_id) values ($1, $2)",
            self.org.uuid(),
            user
        )
        .execute(&mut *tx)
        .await
        .unwrap();
        sqlx::query!(
            "insert into personal_token (id, user_id, name, digest, last_four)
             values ($1, $2, $3, $4, 'abcd')",
            token.uuid(),
            user,
            name,
            token.uuid().into_bytes().to_vec(),
        )
        .execute(&mut *tx)
        .await
        .unwrap();
        tx.commit().await.unwrap();
        token
    }

    /// An organisation beside this one.
    pub async fn another_org(&self) -> OrgId {
        let org = OrgId::generate();
        let mut tx = self.db.system("make a test's other organisation").await.unwrap();
        sqlx::query!("insert into org (id, slug, name) values ($1, 'other', 'Other')", org.uuid())
            .execute(&mut *tx)
            .await
            .unwrap();
        sqlx::query!("insert into policy_version (org_id) values ($1)", org.uuid())
            .execute(&mut *tx)
            .await
            .unwrap();
        tx.commit().await.unwrap();
        org
    }

    /// A budget of the whole organisation, and a charge on its current day.
    pub async fn daily(&self, limit: i64, hard: bool) -> Charge {
        self.budget((None, None, None), limit, hard).await
    }

    /// A budget somewhere in the tree, and a charge on its current day.
    pub async fn budget(
        &self,
        (team, project, token): (Option<TeamId>, Option<ProjectId>, Option<TokenId>),
        limit: i64,
        hard: bool,
    ) -> Charge {
        let id = BudgetId::generate();
        let mut tx = self.db.system("make a test's budget").await.unwrap();
        sqlx::query!(
            "insert into budget (org_id, id, team_id, project_id, token_id, period, spend_limit,
                 hard)
             values ($1, $2, $3, $4, $5, 'day', $6, $7)",
            self.org.uuid(),
            id.uuid(),
            team as _,
            project as _,
            token as _,
            limit,
            hard,
        )
        .execute(&mut *tx)
        .await
        .unwrap();
        tx.commit().await.unwrap();
        let bounds = Period::Day.bounds(chrono_tz::UTC, YearStart::CALENDAR, Utc::now());
        Charge {
            budget: id,
            scope: "org".into(),
            only: None,
            period: Period::Day,
            starts_at: bounds.starts_at,
            ends_at: bounds.ends_at,
            since: bounds.starts_at,
            follows: false,
            limit: Money::nanos(limit),
            hard,
            degrade_at: None,
        }
    }

    pub fn hold(&self, amount: i64, charges: &[Charge]) -> Hold {
        Hold {
            org: self.org,
            call: CallId::generate(),
            amount: Money::nanos(amount),
            charges: charges.to_vec(),
            claim: Claim::Firm,
            quiet: false,
        }
    }

    pub fn row(&self, hold: &Hold, outcome: &HoldOutcome) -> OpenCall {
        OpenCall {
            org: self.org,
            id: hold.call,
            node: self.node,
            user: None,
            token: Some(self.token),
            at: ScopePath::Project { team: self.team, project: self.project },
            asked: "auto".into(),
            model: "gpt-test".into(),
            model_id: None,
            provider_id: None,
            provider: "simulated".into(),
            upstream_model: "gpt-test-1".into(),
            dialect: "openai_chat",
            operation: "generate",
            streamed: false,
            prices: Prices { input: Price::nanos_per_million(1), ..Prices::default() },
            decision: match outcome {
                HoldOutcome::Held { periods } => {
                    Decision::Open { held: hold.amount, periods: periods.clone() }
                }
                HoldOutcome::Beyond { periods } => {
                    Decision::Open { held: Money::ZERO, periods: periods.clone() }
                }
                HoldOutcome::Refused(_) | HoldOutcome::Later(_) => {
                    Decision::Refused { problem: Code::BudgetExhausted }
                }
            },
            // Long enough ago for the sweeper, whose nodes here never beat.
            started_at: Utc::now() - chrono::TimeDelta::minutes(2),
            tags: Vec::new(),
            run: None,
            why: Why::default(),
        }
    }

    /// One group commit: holds, then writes the calls' rows.
    pub async fn open(&self, holds: &[Hold]) -> Vec<HoldOutcome> {
        let mut tx = self.db.system("hold in a test").await.unwrap();
        let outcomes = hold_all(&mut tx, holds).await.unwrap();
        let rows: Vec<OpenCall> =
            holds.iter().zip(&outcomes).map(|(hold, outcome)| self.row(hold, outcome)).collect();
        open_calls(&mut tx, &rows).await.unwrap();
        tx.commit().await.unwrap();
        outcomes
    }

    /// One call that is held.
    pub async fn opened(&self, amount: i64, charges: &[Charge]) -> CallId {
        let hold = self.hold(amount, charges);
        let outcomes = self.open(std::slice::from_ref(&hold)).await;
        assert!(matches!(outcomes[0], HoldOutcome::Held { .. }), "{outcomes:?}");
        hold.call
    }

    pub fn settlement(&self, call: CallId, cost: i64) -> Settlement {
        Settlement {
            org: self.org,
            call,
            ending: Ending::Success,
            tokens: Tokens { input: 3, output: 5, ..Tokens::default() },
            cost: Money::nanos(cost),
            apart: Vec::new(),
            problem: None,
            first_byte_ms: Some(7),
            duration_ms: 11,
            told: Told { tries: 1, ..Told::default() },
        }
    }

    pub async fn extend(&self, call: CallId, amount: i64) -> Extended {
        self.extend_by(call, amount, vec![], Claim::Firm).await
    }

    /// Where it would fit without what nodes have in hand, it is put off.
    pub async fn extend_patiently(&self, call: CallId, amount: i64) -> Extended {
        self.extend_by(call, amount, vec![], Claim::Patient).await
    }

    async fn extend_by(
        &self,
        call: CallId,
        amount: i64,
        apart: Vec<Apart>,
        claim: Claim,
    ) -> Extended {
        let mut tx = self.db.system("extend a hold in a test").await.unwrap();
        let (org, amount) = (self.org, Money::nanos(amount));
        let extension = Extension { org, call, amount, apart, claim };
        let done =
            commit(&mut tx, &Batch { extensions: &[extension], ..Batch::default() }).await.unwrap();
        tx.commit().await.unwrap();
        done.extended.into_iter().next().unwrap()
    }

    /// More for a try elsewhere: on these budgets of a model, beside all others.
    pub async fn extend_apart(
        &self,
        call: CallId,
        amount: i64,
        apart: &[(&Charge, i64)],
    ) -> Extended {
        let apart = apart.iter().map(|(charge, amount)| Apart {
            charge: Charge::clone(charge),
            amount: Money::nanos(*amount),
        });
        self.extend_by(call, amount, apart.collect(), Claim::Firm).await
    }

    /// A budget of one model, and a charge on its current day.
    pub async fn of_model(&self, limit: i64, hard: bool) -> Charge {
        let only = Some(Only::Model(ModelId::generate()));
        Charge { only, ..self.daily(limit, hard).await }
    }

    /// A settlement of which these budgets of a model count a part.
    pub fn in_parts(&self, call: CallId, cost: i64, apart: &[(&Charge, i64)]) -> Settlement {
        let part = |(charge, cost): &(&Charge, i64)| (charge.held_period(), Money::nanos(*cost));
        Settlement { apart: apart.iter().map(part).collect(), ..self.settlement(call, cost) }
    }

    pub async fn settle_all(&self, settlements: &[Settlement]) -> Vec<SettleOutcome> {
        let mut tx = self.db.system("settle in a test").await.unwrap();
        let outcomes = settle_all(&mut tx, settlements).await.unwrap();
        tx.commit().await.unwrap();
        outcomes
    }

    pub async fn settle(&self, call: CallId, cost: i64) -> SettleOutcome {
        self.settle_all(&[self.settlement(call, cost)]).await.remove(0)
    }

    pub async fn counts(&self, charge: &Charge) -> Counts {
        let mut tx = self.db.system("read a test's period").await.unwrap();
        sqlx::query_as!(
            Counts,
            "select spent, held, overrun, refused from budget_period
             where org_id = $1 and budget_id = $2 and starts_at = $3",
            self.org.uuid(),
            charge.budget.uuid(),
            charge.starts_at,
        )
        .fetch_optional(&mut *tx)
        .await
        .unwrap()
        .unwrap_or(Counts { spent: 0, held: 0, overrun: 0, refused: 0 })
    }

    /// What nodes have in hand of a period.
    pub async fn leased(&self, charge: &Charge) -> i64 {
        let mut tx = self.db.system("read a test's leases").await.unwrap();
        sqlx::query_scalar!(
            r#"select coalesce(sum(amount), 0)::bigint as "n!" from budget_lease
               where org_id = $1 and budget_id = $2 and starts_at = $3"#,
            self.org.uuid(),
            charge.budget.uuid(),
            charge.starts_at,
        )
        .fetch_one(&mut *tx)
        .await
        .unwrap()
    }

    /// What counts as spent because nodes went silent.
    pub async fn lost(&self, charge: &Charge) -> i64 {
        let mut tx = self.db.system("read a test's adjustments").await.unwrap();
        sqlx::query_scalar!(
            r#"select coalesce(sum(amount), 0)::bigint as "n!" from budget_adjustment
               where org_id = $1 and budget_id = $2 and starts_at = $3"#,
            self.org.uuid(),
            charge.budget.uuid(),
            charge.starts_at,
        )
        .fetch_one(&mut *tx)
        .await
        .unwrap()
    }

    /// The state and the cost of a call's row.
    pub async fn call(&self, call: CallId) -> (String, i64) {
        let mut tx = self.db.system("read a test's call").await.unwrap();
        let row = sqlx::query!(
            "select state, cost from call where org_id = $1 and id = $2",
            self.org.uuid(),
            call.uuid()
        )
        .fetch_one(&mut *tx)
        .await
        .unwrap();
        (row.state, row.cost)
    }

    /// How many events of one kind the log has.
    pub async fn events(&self, action: &str) -> i64 {
        let mut tx = self.db.system("count a test's events").await.unwrap();
        sqlx::query_scalar!(
            r#"select count(*) as "n!" from audit_event where org_id = $1 and action = $2"#,
            self.org.uuid(),
            action,
        )
        .fetch_one(&mut *tx)
        .await
        .unwrap()
    }

    pub async fn assert_consistent(&self) {
        let found = crate::verify(&self.db, None).await.unwrap();
        assert_eq!(found.differences, []);
    }
}
