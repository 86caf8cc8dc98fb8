//! Opening: the seal meets the database, once a start.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::RwLock;
use ralex_access::Access;
use ralex_kernel::{DeploymentId, OrgId, Problem};
use ralex_store::Db;
use sqlx::PgConnection;
use tracing::info;
use zeroize::Zeroizing;

use crate::cipher::{Integrity, KEY};
use crate::error::{OpenError, broken_key};
use crate::keys::{OrgKey, RootKey};
use crate::personal::{PERSONAL_KEY, PersonalKeys};
use crate::seal::Seal;
use crate::sql::keys as sql;
use crate::{Inner, Vault, ring};

impl Vault {
    /// Opens the vault, and makes seal and root key if this is the deployment's first start.
    ///
    /// Where the seal is missing or wrong for what the database holds, nothing is written.
    pub async fn open(
        db: Db,
        access: Arc<Access>,
        deployment: DeploymentId,
        seal: Seal,
    ) -> Result<Self, OpenError> {
        let root = open_root(&db, deployment, &seal).await?;
        let vault = Self(Arc::new(Inner {
            db,
            access,
            deployment,
            root,
            rings: RwLock::new(HashMap::new()),
            loading: tokio::sync::Mutex::new(()),
        }));
        ring::forget_the_old(Arc::downgrade(&vault.0));
        let key = vault.internal_key(PERSONAL_KEY).await;
        let key = key.map_err(|problem| OpenError::Keys(problem.detail))?;
        let access = Arc::clone(&vault.0.access);
        ralex_audit::personal::keep_with(Arc::new(PersonalKeys { key, access }));
        Ok(vault)
    }

    /// A key of the deployment itself, made on first use and the same for ever: the seed that
    /// signs the audit log, the digest key of tokens.
    pub async fn internal_key(&self, name: &str) -> Result<Zeroizing<[u8; KEY]>, Problem> {
        let Inner { db, root, deployment, .. } = &*self.0;
        let broken = |error| broken_key(name, error);
        let mut tx = db.system("keys of the deployment").await?;
        if let Some(sealed) = sql::value(&mut tx, name).await.map_err(ralex_store::problem)? {
            return root.value(*deployment, name, &sealed).map_err(broken);
        }
        let (_, sealed) = root.new_value(*deployment, name).map_err(broken)?;
        // Another process may be first; what stands there afterwards counts for both.
        let stored = async {
            sql::insert_value(&mut tx, name, root.version, &sealed).await?;
            let stored = sql::value(&mut tx, name).await?;
            tx.commit().await?;
            Ok(stored)
        };
        let stored = stored.await.map_err(ralex_store::problem)?;
        let stored = stored.ok_or_else(|| broken(Integrity))?;
        root.value(*deployment, name, &stored).map_err(broken)
    }
}

impl Inner {
    /// The organisation's newest key, made on first use.
    pub(crate) async fn newest_org_key(
        &self,
        conn: &mut PgConnection,
        org: OrgId,
    ) -> Result<OrgKey, Problem> {
        let problem = ralex_store::problem;
        let broken = |error| broken_key("an organisation's key", error);
        if let Some(stored) = sql::newest_org_key(conn, org).await.map_err(problem)? {
            return self.org_key(org, &stored).map_err(broken);
        }
        let (_, wrapped) = self.root.new_org_key(self.deployment, org, 1).map_err(broken)?;
        // Another transaction may be first; what stands there afterwards counts for both.
        sql::insert_org_key(conn, org, 1, self.root.version, &wrapped).await.map_err(problem)?;
        let stored = sql::newest_org_key(conn, org).await.map_err(problem)?;
        self.org_key(org, &stored.ok_or_else(|| broken(Integrity))?).map_err(broken)
    }

    pub(crate) fn org_key(
        &self,
        org: OrgId,
        stored: &sql::WrappedOrgKey,
    ) -> Result<OrgKey, Integrity> {
        self.root.org_key(self.deployment, org, stored.version, &stored.wrapped)
    }
}

async fn open_root(db: &Db, deployment: DeploymentId, seal: &Seal) -> Result<RootKey, OpenError> {
    let mut tx = db.system("opening the vault").await?;
    // Two nodes may start on an empty database at once: only the first may make a seal.
    sql::lock_root(&mut tx).await?;
    if let Some(stored) = sql::root_key(&mut tx).await? {
        let place = seal.place();
        let Some(key) = seal.read()? else { return Err(OpenError::SealMissing { place }) };
        return RootKey::unwrap(&key, deployment, &stored)
            .map_err(|Integrity| OpenError::SealWrong { place });
    }
    let key = seal.read_or_create()?;
    let (root, wrapped) = RootKey::generate(&key, deployment)
        .map_err(|Integrity| OpenError::SealWrong { place: seal.place() })?;
    sql::insert_root_key(&mut tx, &wrapped).await?;
    tx.commit().await?;
    info!("the vault has a new root key, sealed with {}; back that up", seal.place());
    Ok(root)
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;
    use ralex_kernel::Secret;
    use ralex_store::testing::Database;

    use super::*;
    use crate::testing::{World, access};

    /// Everything that a refused start could have written.
    async fn root_rows(database: &Database) -> Vec<Vec<u8>> {
        sqlx::query_scalar!("select wrapped from root_key order by version")
            .fetch_all(&mut database.owner().await)
            .await
            .unwrap()
    }

    #[tokio::test]
    async fn the_next_start_opens_what_the_first_one_made() {
        let world = World::new().await;
        let key = world.vault.internal_key("audit_seed").await.unwrap();
        let again = world.open(Seal::in_folder(world.folder.path())).await.unwrap();
        assert_eq!(again.internal_key("audit_seed").await.unwrap(), key);
        assert_ne!(again.internal_key("token_pepper").await.unwrap(), key);
        let bytes = std::fs::read(world.folder.path().join("seal.key")).unwrap();
        let given = Secret::new(STANDARD.encode(bytes));
        let given = world.open(Seal::from_base64(&given).unwrap()).await.unwrap();
        assert_eq!(given.internal_key("audit_seed").await.unwrap(), key);
    }

    #[tokio::test]
    async fn a_missing_seal_is_never_replaced() {
        let world = World::new().await;
        let before = root_rows(&world.database).await;
        let empty = tempfile::tempdir().unwrap();
        let refused = world.open(Seal::in_folder(empty.path())).await.unwrap_err();
        assert!(matches!(refused, OpenError::SealMissing { .. }), "{refused}");
        assert!(refused.to_string().contains("seal.key"), "{refused}");
        assert_eq!(std::fs::read_dir(empty.path()).unwrap().count(), 0);
        assert_eq!(root_rows(&world.database).await, before);
    }

    #[tokio::test]
    async fn a_wrong_seal_or_deployment_opens_nothing_and_changes_nothing() {
        let world = World::new().await;
        let before = root_rows(&world.database).await;
        let wrong = Seal::from_base64(&Secret::new(STANDARD.encode([7; KEY]))).unwrap();
        let refused = world.open(wrong).await.unwrap_err();
        assert!(matches!(refused, OpenError::SealWrong { .. }), "{refused}");
        let right = Seal::in_folder(world.folder.path());
        let (db, other) = (world.database.db(), DeploymentId::generate());
        let refused = Vault::open(db, world.access.clone(), other, right).await.unwrap_err();
        assert!(matches!(refused, OpenError::SealWrong { .. }), "{refused}");
        assert_eq!(root_rows(&world.database).await, before);
    }

    #[tokio::test]
    async fn of_two_nodes_that_start_first_at_once_only_one_makes_a_seal() {
        let database = Database::fresh().await;
        let access = access(&database).await;
        let deployment = DeploymentId::generate();
        let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
        let open = |folder: &tempfile::TempDir| {
            Vault::open(database.db(), access.clone(), deployment, Seal::in_folder(folder.path()))
        };
        let (one, other) = tokio::join!(open(&folders[0]), open(&folders[1]));
        assert!(one.is_ok() ^ other.is_ok());
        let refused = one.err().or(other.err()).unwrap();
        assert!(matches!(refused, OpenError::SealMissing { .. }), "{refused}");
        let files = folders.iter().map(|f| std::fs::read_dir(f.path()).unwrap().count());
        assert_eq!(files.sum::<usize>(), 1);
    }

    #[tokio::test]
    async fn all_who_ask_first_get_the_same_key_of_the_deployment() {
        let world = World::new().await;
        let ask = || world.vault.internal_key("token_pepper");
        let (a, b, c, d) = tokio::join!(ask(), ask(), ask(), ask());
        let first = a.unwrap();
        assert!([b, c, d].into_iter().all(|other| other.unwrap() == first));
    }
}
