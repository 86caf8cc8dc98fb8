//! An organisation whose calls a test writes itself.

use chrono::{DateTime, TimeDelta, Utc};
use ralex_access::{Access, Scope};
use ralex_api::usage::{Usage as Report, UsageQuery};
use ralex_kernel::{Clock, OrgId};
use ralex_store::testing::Database;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::Usage;

pub(crate) struct World {
    pub database: Database,
    pub org: OrgId,
    pub usage: Usage,
}

/// A call as a test wants it.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub state: &'static str,
    pub model: &'static str,
    pub provider: &'static str,
    pub task_type: Option<&'static str>,
    pub purpose: Option<&'static str>,
    pub team: Option<Uuid>,
    pub project: Option<Uuid>,
    pub user: Option<Uuid>,
    pub token: Option<Uuid>,
    pub tags: Vec<String>,
    pub cost: i64,
    pub started_at: DateTime<Utc>,
}

impl Default for Call {
    fn default() -> Self {
        Self {
            state: "success",
            model: "gpt-test",
            provider: "openai",
            task_type: None,
            purpose: None,
            team: None,
            project: None,
            user: None,
            token: None,
            tags: Vec::new(),
            cost: 1_000,
            started_at: Utc::now() - TimeDelta::minutes(1),
        }
    }
}

/// Writes a call and returns its id.
pub(crate) async fn write(conn: &mut PgConnection, org: OrgId, call: &Call) -> Uuid {
    let id = Uuid::now_v7();
    sqlx::query!(
        "insert into call (org_id, id, node_id, user_id, token_id, team_id, project_id, model,
             provider, upstream_model, dialect, streamed, state, input_price, output_price,
             cache_read_price, cache_write_price, held, budget_ids, budget_starts, cost,
             input_tokens, cache_read_tokens, output_tokens, started_at, settled_at, task_type,
             purpose, tags, duration_ms)
         values ($1, $2, $2, $3, $4, $5, $6, $7, $8, $7, 'openai_chat', false, $9, 0, 0, 0, 0, 0,
             '{}', '{}', $10, 7, 3, 5, $11, case when $9 = 'open' then null else now() end, $12,
             $13, $14, 250)",
        org as _,
        id,
        call.user,
        call.token,
        call.team,
        call.project,
        call.model,
        call.provider,
        call.state,
        call.cost,
        call.started_at,
        call.task_type,
        call.purpose,
        &call.tags,
    )
    .execute(conn)
    .await
    .unwrap();
    id
}

/// Ends a call, as a settlement does.
pub(crate) async fn settle(conn: &mut PgConnection, id: Uuid, state: &str, model: &str, cost: i64) {
    sqlx::query!(
        "update call set state = $2, model = $3, cost = $4, settled_at = now() where id = $1",
        id,
        state,
        model,
        cost,
    )
    .execute(conn)
    .await
    .unwrap();
}

impl World {
    pub async fn new() -> Self {
        let database = Database::fresh().await;
        let org = OrgId::generate();
        let mut owner = database.owner().await;
        for (id, slug) in [(org, "acme"), (OrgId::generate(), "other")] {
            sqlx::query!("insert into org (id, slug, name) values ($1, $2, $2)", id as _, slug)
                .execute(&mut owner)
                .await
                .unwrap();
        }
        let usage = Usage::new(database.db(), Clock::system());
        Self { database, org, usage }
    }

    pub fn scope(&self) -> Scope {
        Access::internal(self.org)
    }

    pub async fn write(&self, call: Call) -> Uuid {
        write(&mut self.database.owner().await, self.org, &call).await
    }

    pub async fn fold(&self) -> u64 {
        crate::fold(&self.database.db()).await.unwrap()
    }

    /// Folds until all is summed up: transactions of other tests that end at the very moment at which
    /// they are looked at may leave something for the next round.
    pub async fn fold_all(&self) {
        let mut owner = self.database.owner().await;
        for _ in 0..1_000 {
            self.fold().await;
            let left = sqlx::query_scalar!(
                r#"select exists (select from call c where c.settled_xid >= u.xid) as "left!"
                   from usage_cursor u"#
            );
            if !left.fetch_one(&mut owner).await.unwrap() {
                return;
            }
        }
        panic!("there is always something left to sum up");
    }

    pub async fn report(&self, query: &UsageQuery) -> Report {
        self.usage.report(&self.scope(), query).await.unwrap()
    }

    pub async fn execute(&self, statement: &'static str) {
        sqlx::raw_sql(statement).execute(&mut self.database.owner().await).await.unwrap();
    }

    /// That no sum differs from its calls.
    pub async fn assert_exact(&self) {
        assert_eq!(crate::verify(&self.database.db(), None).await.unwrap(), []);
    }
}
