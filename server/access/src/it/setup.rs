//! An organisation with people, and a clock that a test sets.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use parking_lot::Mutex;
use ralex_api::access::RoleName;
use ralex_kernel::{
    Caller, Clock, Credential, OrgId, Problem, ProjectId, RequestId, ScopePath, SessionId, Subject,
    TeamId, UserId,
};
use ralex_store::testing::Database;
use sqlx::Connection;

use crate::{Access, Limits, Policies, Scope, Wanted};

/// One node beside a database of its own.
pub struct Setup {
    pub database: Database,
    pub access: Access,
    pub org: OrgId,
    pub owner: UserId,
    time: Arc<Mutex<DateTime<Utc>>>,
    uptime: Arc<AtomicU64>,
}

impl Setup {
    /// An organisation `acme` with one owner.
    pub async fn new() -> Self {
        let database = Database::fresh().await;
        let time = Arc::new(Mutex::new(DateTime::from_timestamp(1_790_000_000, 0).unwrap()));
        let uptime = Arc::new(AtomicU64::new(0));
        let access = node(&database, &time, &uptime).await;
        let mut setup = Self {
            database,
            access,
            org: OrgId::generate(),
            owner: UserId::generate(),
            time,
            uptime,
        };
        setup.org = setup.add_org("acme").await;
        setup.owner = setup.member_as("owner", ScopePath::Org).await;
        setup
    }

    /// Another node on the same database.
    pub async fn other_node(&self) -> Access {
        node(&self.database, &self.time, &self.uptime).await
    }

    pub fn pass(&self, time: TimeDelta) {
        *self.time.lock() += time;
    }

    /// Lets the time pass that nobody sets.
    pub fn run_for(&self, time: Duration) {
        self.uptime.fetch_add(u64::try_from(time.as_millis()).unwrap(), Ordering::SeqCst);
    }

    pub fn now(&self) -> DateTime<Utc> {
        *self.time.lock()
    }

    pub async fn add_org(&self, slug: &str) -> OrgId {
        let org = OrgId::generate();
        let mut owner = self.database.owner().await;
        sqlx::query!("insert into org (id, slug, name) values ($1, $2, $2)", org as _, slug)
            .execute(&mut owner)
            .await
            .unwrap();
        owner.close().await.unwrap();
        let tx = self.database.db().tenant(org).await.unwrap();
        self.access.commit(tx, org).await.unwrap();
        org
    }

    /// A person in the organisation who holds nothing.
    pub async fn member(&self) -> UserId {
        let user = UserId::generate();
        let email = format!("{user}@example.com");
        let mut tx = self.database.db().system("a test").await.unwrap();
        sqlx::query!(
            "insert into app_user (id, email, email_key, name, password_hash)
            values ($1, $2, $2, 'Ann', 'none')",
            user as _,
            email,
        )
        .execute(&mut *tx)
        .await
        .unwrap();
        sqlx::query!(
            "insert into membership (org_id, user_id) values ($1, $2)",
            self.org as _,
            user as _
        )
        .execute(&mut *tx)
        .await
        .unwrap();
        self.access.commit(tx, self.org).await.unwrap();
        user
    }

    pub async fn member_as(&self, role: &str, at: ScopePath) -> UserId {
        let user = self.member().await;
        self.bind(&Access::internal(self.org), user, role, at).await.unwrap();
        user
    }

    pub async fn bind(
        &self,
        scope: &Scope,
        user: UserId,
        role: &str,
        at: ScopePath,
    ) -> Result<ralex_kernel::BindingId, Problem> {
        let mut tx = self.database.db().tenant(self.org).await.unwrap();
        let role = RoleName(role.to_owned());
        let id = self.access.bind(&mut tx, scope, Wanted::role(user, role, at)).await?;
        self.access.commit(tx, self.org).await?;
        Ok(id)
    }

    /// Gives somebody a passkey that nobody signs with.
    pub async fn passkey(&self, user: UserId) {
        let mut tx = self.database.db().system("a test").await.unwrap();
        let credential = user.uuid();
        sqlx::query!(
            "insert into passkey (id, user_id, credential_id, credential, name, created_at)
             values ($1, $1, $2, '{}', 'phone', now())",
            user as _,
            credential.as_bytes().as_slice(),
        )
        .execute(&mut *tx)
        .await
        .unwrap();
        tx.commit().await.unwrap();
    }

    /// Lets nobody in whom the organisation does not want now.
    pub async fn suspend(&self, user: UserId) {
        let mut tx = self.database.db().tenant(self.org).await.unwrap();
        sqlx::query!(
            "update membership set suspended_at = now(), suspended_by = '{person}' where org_id = $1 and user_id = $2",
            self.org as _,
            user as _,
        )
        .execute(&mut *tx)
        .await
        .unwrap();
        self.access.commit(tx, self.org).await.unwrap();
    }

    /// Has somebody be in all their groups for so long.
    pub async fn joined(&self, user: UserId, ago: TimeDelta) {
        let mut owner = self.database.owner().await;
        sqlx::query!(
            "update group_member set added_at = $3 where org_id = $1 and user_id = $2",
            self.org as _,
            user as _,
            self.now() - ago,
        )
        .execute(&mut owner)
        .await
        .unwrap();
        owner.close().await.unwrap();
    }

    pub async fn team(&self, slug: &str) -> TeamId {
        let team = TeamId::generate();
        let mut tx = self.database.db().tenant(self.org).await.unwrap();
        sqlx::query!(
            "insert into team (org_id, id, slug, name) values ($1, $2, $3, $3)",
            self.org as _,
            team as _,
            slug,
        )
        .execute(&mut *tx)
        .await
        .unwrap();
        self.access.commit(tx, self.org).await.unwrap();
        team
    }

    pub async fn project(&self, team: TeamId, slug: &str) -> ProjectId {
        let project = ProjectId::generate();
        let mut tx = self.database.db().tenant(self.org).await.unwrap();
        sqlx::query!(
            "insert into project (org_id, id, team_id, slug, name) values ($1, $2, $3, $4, $4)",
            self.org as _,
            project as _,
            team as _,
            slug,
        )
        .execute(&mut *tx)
        .await
        .unwrap();
        self.access.commit(tx, self.org).await.unwrap();
        project
    }
}

pub fn person(user: UserId) -> Caller {
    Caller {
        subject: Subject::User(user),
        credential: Credential::Session(SessionId::generate()),
        second_factor: false,
        sign_on: None,
        by_device: false,
        narrowed: None,
        models: None,
        request: RequestId::generate(),
        address: None,
    }
}

async fn node(
    database: &Database,
    time: &Arc<Mutex<DateTime<Utc>>>,
    uptime: &Arc<AtomicU64>,
) -> Access {
    let (time, uptime) = (Arc::clone(time), Arc::clone(uptime));
    let clock = Clock::from_fn(move || *time.lock());
    let uptime = move || Duration::from_millis(uptime.load(Ordering::SeqCst));
    let limits = Limits {
        poll_every: Duration::from_millis(20),
        recheck_one_in: 1,
        uptime: Arc::new(uptime),
        ..Limits::default()
    };
    let policies = Policies::load(None).unwrap();
    Access::open_with(database.db(), policies, clock, limits).await.unwrap()
}
