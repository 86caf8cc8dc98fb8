//! A vault of its own for every test: an organisation, a provider, a seal, a database.

use std::sync::Arc;

use ralex_access::{Access, Policies, Scope};
use ralex_api::vault::{NewSecret, NewSecretVersion, SecretInfo};
use ralex_kernel::{Clock, DeploymentId, Name, OrgId, Problem, ProviderId, Secret, SecretId};
use ralex_store::testing::Database;
use tempfile::TempDir;

use crate::{OpenError, Seal, Vault};

pub(crate) const ORIGIN: &str = "https://api.example.com";

pub(crate) struct World {
    pub vault: Vault,
    pub access: Arc<Access>,
    pub deployment: DeploymentId,
    pub org: OrgId,
    pub provider: ProviderId,
    pub folder: TempDir,
    pub database: Database,
}

impl World {
    /// An organisation with the provider `upstream` at [`ORIGIN`].
    pub async fn new() -> Self {
        let database = Database::fresh().await;
        let (org, provider) = (add_org(&database).await, ProviderId::generate());
        add_provider(&database, org, provider, "upstream").await;
        let access = access(&database).await;
        let (folder, deployment) = (tempfile::tempdir().unwrap(), DeploymentId::generate());
        let seal = Seal::in_folder(folder.path());
        let vault = Vault::open(database.db(), access.clone(), deployment, seal).await.unwrap();
        Self { vault, access, deployment, org, provider, folder, database }
    }

    pub fn scope(&self) -> Scope {
        Access::internal(self.org)
    }

    /// Another process on the same database, with a seal of its own.
    pub async fn open(&self, seal: Seal) -> Result<Vault, OpenError> {
        Vault::open(self.database.db(), self.access.clone(), self.deployment, seal).await
    }

    pub async fn enter(&self, name: &str, value: &str) -> Result<SecretInfo, Problem> {
        let name = name.parse().unwrap();
        let new = new_secret(name, "upstream", value);
        self.vault.create(&self.scope(), new).await
    }

    pub async fn replace(&self, id: SecretId, value: &str) -> Result<SecretInfo, Problem> {
        self.vault.rotate(&self.scope(), id, NewSecretVersion { value: secret(value) }).await
    }

    /// What a call to the provider at `origin` would send.
    pub async fn used(&self, origin: &str) -> Result<Option<String>, Problem> {
        let key = self.vault.locate(self.org, self.provider, origin).await?;
        key.map(|key| self.vault.open_key(&key).map(|key| key.expose().to_owned())).transpose()
    }

    /// Moves the provider, as `routing` does, and tells the nodes.
    pub async fn move_provider(&self, base_url: &str) {
        sqlx::query!("update provider set base_url = $1", base_url)
            .execute(&mut self.database.owner().await)
            .await
            .unwrap();
        self.touch().await;
    }

    /// Makes every node read the rows anew, as after a change.
    pub async fn touch(&self) {
        let tx = self.database.db().tenant(self.org).await.unwrap();
        self.access.commit(tx, self.org).await.unwrap();
    }

    /// The actions in the audit log, the oldest first.
    pub async fn actions(&self) -> Vec<String> {
        sqlx::query_scalar!("select action from audit_event order by id")
            .fetch_all(&mut self.database.owner().await)
            .await
            .unwrap()
    }
}

pub(crate) fn new_secret(name: Name, provider: &str, value: &str) -> NewSecret {
    NewSecret {
        name,
        provider: provider.to_owned(),
        value: secret(value),
        weight: None,
        requests_per_minute: None,
        tokens_per_minute: None,
    }
}

pub(crate) fn secret(value: &str) -> Secret {
    Secret::new(value.to_owned())
}

pub(crate) async fn access(database: &Database) -> Arc<Access> {
    let policies = Policies::load(None).unwrap();
    Arc::new(Access::open(database.db(), policies, Clock::system()).await.unwrap())
}

pub(crate) async fn add_org(database: &Database) -> OrgId {
    let org = OrgId::generate();
    let mut owner = database.owner().await;
    sqlx::query!(
        "insert into org (id, slug, name) values ($1, $2, 'Org')",
        org as _,
        org.to_string()
    )
    .execute(&mut owner)
    .await
    .unwrap();
    sqlx::query!("insert into policy_version (org_id) values ($1)", org as _)
        .execute(&mut owner)
        .await
        .unwrap();
    org
}

pub(crate) async fn add_provider(database: &Database, org: OrgId, id: ProviderId, slug: &str) {
    sqlx::query!(
        "insert into provider (org_id, id, slug, kind, base_url)
         values ($1, $2, $3, 'openai_compatible', $4)",
        org as _,
        id as _,
        slug,
        format!("{ORIGIN}/v1"),
    )
    .execute(&mut database.owner().await)
    .await
    .unwrap();
}
