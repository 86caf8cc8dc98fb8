//! An organisation with people and a team, and its approvals.

use std::sync::Arc;

use chrono::{TimeDelta, Utc};
use ralex_access::{Access, Permission, Policies, Scope, Wanted};
use ralex_api::access::RoleName;
use ralex_api::approvals::{Approval, ApprovalKind, ApprovalsQuery, Excerpt};
use ralex_api::guardrails::{Action, Direction, Noted};
use ralex_approvals::{Answer, Approvals, Question};
use ralex_kernel::{
    ApprovalId, CallId, Caller, Clock, Credential, OrgId, Problem, RequestId, ScopePath, SessionId,
    Subject, TeamId, TokenId, UserId,
};
use ralex_store::testing::Database;
use zeroize::Zeroizing;

pub struct World {
    pub database: Database,
    pub access: Arc<Access>,
    pub approvals: Approvals,
    pub org: OrgId,
    team: TeamId,
}

impl World {
    pub async fn new() -> Self {
        ralex_audit::personal::testing::keep();
        let database = Database::fresh().await;
        let policies = Policies::load(None).unwrap();
        let access = Access::open(database.db(), policies, Clock::system()).await.unwrap();
        let access = Arc::new(access);
        let key = Zeroizing::new([7; 32]);
        let approvals = Approvals::new(database.db(), Arc::clone(&access), key);
        let (org, team) = (OrgId::generate(), TeamId::generate());
        let world = Self { database, access, approvals, org, team };
        world.add_org(org).await;
        let mut tx = world.database.db().tenant(org).await.unwrap();
        sqlx::query!(
            "insert into team (org_id, id, slug, name) values ($1, $2, 'blue', 'Blue')",
            org as _,
            team as _,
        )
        .execute(&mut *tx)
        .await
        .unwrap();
        world.access.commit(tx, org).await.unwrap();
        world
    }

    async fn add_org(&self, org: OrgId) {
        let mut owner = self.database.owner().await;
        sqlx::query!(
            "insert into org (id, slug, name) values ($1, $2, 'Org')",
            org as _,
            format!("o{org}"),
        )
        .execute(&mut owner)
        .await
        .unwrap();
        let tx = self.database.db().tenant(org).await.unwrap();
        self.access.commit(tx, org).await.unwrap();
    }

    pub async fn other_org(&self) -> OrgId {
        let org = OrgId::generate();
        self.add_org(org).await;
        org
    }

    pub fn scope(&self) -> Scope {
        Access::internal(self.org)
    }

    pub const fn at_team(&self) -> ScopePath {
        ScopePath::Team { team: self.team }
    }

    pub async fn member(&self, role: &str) -> Caller {
        self.member_at(role, ScopePath::Org).await
    }

    pub async fn member_at(&self, role: &str, at: ScopePath) -> Caller {
        let user = UserId::generate();
        let mut tx = self.database.db().system("a test").await.unwrap();
        sqlx::query!(
            "insert into app_user (id, email, email_key, name, password_hash)
            values ($1, $2, $2, 'Ann', 'none')",
            user as _,
            format!("{user}@example.com"),
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
        let mut tx = self.database.db().tenant(self.org).await.unwrap();
        let role = RoleName(role.to_owned());
        self.access.bind(&mut tx, &self.scope(), Wanted::role(user, role, at)).await.unwrap();
        self.access.commit(tx, self.org).await.unwrap();
        person(user)
    }

    /// A token of the team that somebody has made.
    pub async fn token(&self, maker: &Caller) -> Caller {
        let token = TokenId::generate();
        let mut tx = self.database.db().tenant(self.org).await.unwrap();
        sqlx::query!(
            "insert into token (org_id, id, team_id, name, digest, last_four, created_by)
             values ($1, $2, $3, 'ci', $4, 'abcd', $5)",
            self.org as _,
            token as _,
            self.team as _,
            token.to_string().into_bytes(),
            maker.subject.user() as _,
        )
        .execute(&mut *tx)
        .await
        .unwrap();
        self.access.commit(tx, self.org).await.unwrap();
        Caller {
            subject: Subject::Token { token, org: self.org, scope: self.at_team() },
            credential: Credential::TeamToken(token),
            second_factor: false,
            sign_on: None,
            by_device: false,
            narrowed: None,
            models: None,
            request: RequestId::generate(),
            address: None,
        }
    }

    pub async fn ask(&self, asker: &Caller, content: &str) -> Answer {
        self.ask_at(asker, content, ScopePath::Org, CallId::generate()).await.unwrap()
    }

    pub async fn ask_at(
        &self,
        asker: &Caller,
        content: &str,
        at: ScopePath,
        call: CallId,
    ) -> Result<Answer, Problem> {
        let rules = [Noted {
            rule: "pii.iban".to_owned(),
            name: "Bank account".to_owned(),
            action: Action::Ask,
            direction: Direction::In,
            guardrail: None,
            count: 2,
            approval: None,
        }];
        let excerpts = [Excerpt {
            rule: "pii.iban".to_owned(),
            path: "messages[0].content".to_owned(),
            text: "pay to [iban] today".to_owned(),
        }];
        let question = Question {
            kind: ApprovalKind::Call,
            asker,
            org: self.org,
            at,
            call,
            model: "scripted",
            dialect: "openai_chat",
            size: content.len() as u64,
            rules: &rules,
            excerpts: &excerpts,
            content: &[content.as_bytes()],
        };
        self.approvals.ask(&question).await
    }

    pub async fn find(&self, by: &Caller, id: ApprovalId) -> Approval {
        self.approvals.read(by, self.org, id).await.unwrap()
    }

    /// What another server of the same deployment has.
    pub fn another_server(&self) -> Approvals {
        Approvals::new(self.database.db(), Arc::clone(&self.access), Zeroizing::new([7; 32]))
    }

    /// Takes away all that somebody holds.
    pub async fn take_rights(&self, from: &Caller) {
        let mut tx = self.database.db().tenant(self.org).await.unwrap();
        let user = from.subject.user().unwrap();
        self.access.unbind_all(&mut tx, &self.scope(), user).await.unwrap();
        self.access.commit(tx, self.org).await.unwrap();
    }

    /// How many wait that they may decide about.
    pub async fn waiting(&self, by: &Caller) -> u64 {
        let reach = self.access.reach(by, self.org, Permission::ApprovalDecide).await.unwrap();
        self.approvals.waiting(by, &reach).await.unwrap()
    }

    pub async fn list(&self, by: &Caller, query: ApprovalsQuery) -> Vec<Approval> {
        let reach = self.access.reach(by, self.org, Permission::ApprovalRead).await.unwrap();
        self.approvals.list(by, &reach, &query).await.unwrap().items
    }

    /// Ends its time without waiting for it.
    pub async fn let_expire(&self, id: ApprovalId) {
        let past = Utc::now() - TimeDelta::seconds(1);
        sqlx::query!("update approval set expires_at = $2 where id = $1", id as _, past)
            .execute(&mut self.database.owner().await)
            .await
            .unwrap();
    }

    /// What was recorded of approvals, in order.
    pub async fn actions(&self) -> Vec<String> {
        sqlx::query_scalar!(
            "select action from audit_event where action like 'approval.%' order by id"
        )
        .fetch_all(&mut self.database.owner().await)
        .await
        .unwrap()
    }

    pub async fn excerpts_stored(&self) -> i64 {
        sqlx::query_scalar!(
            r#"select count(*) as "count!" from approval where excerpts is not null"#
        )
        .fetch_one(&mut self.database.owner().await)
        .await
        .unwrap()
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

/// The approval that an answer waits for.
pub fn pending(answer: Answer) -> ApprovalId {
    match answer {
        Answer::Pending { id, .. } => id,
        Answer::Approved(_) | Answer::Denied { .. } => panic!("{answer:?} does not wait"),
    }
}
