//! The keys that sign: which there are, and how another one takes over.
//!
//! A seed never lies in the database readable: who opens the log brings [`Seeds`]. The public
//! halves stand in a table and, from the moment of a change on, in every organisation's log: the
//! change is an event in the tree, and the first head that holds it is signed by both keys. So a
//! verifier that trusts an earlier key is led to the newest one, and a key that was stolen after
//! it was replaced signs nothing that a verifier takes.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use ralex_kernel::{Clock, Code, DeploymentId, OrgId, Problem};
use ralex_store::{Db, Error, problem};
use sqlx::PgConnection;
use zeroize::Zeroizing;

use crate::checkpoint::Signer;
use crate::event::LogEvent;
use crate::service::Audit;
use crate::witness::Witnesses;
use crate::{Author, Entry, Event, record_all};

/// Where the seeds of the signing keys are kept.
pub trait Seeds: Send + Sync {
    /// The seed of that version, made when it is first asked for and the same ever after.
    fn seed(&self, version: u32) -> BoxFuture<'_, Result<Zeroizing<[u8; 32]>, Problem>>;
}

/// A change of keys that was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rotated {
    pub version: u32,
    pub from: String,
    pub to: String,
    /// In how many logs it is recorded.
    pub orgs: usize,
}

impl Audit {
    /// Opens the log of a deployment, and gives it its first key if it has none.
    pub async fn open(
        db: Db,
        deployment: DeploymentId,
        seeds: Arc<dyn Seeds>,
        clock: Clock,
        witnesses: Witnesses,
    ) -> Result<Self, Problem> {
        let signer = load(&db, deployment, &*seeds).await?;
        Ok(Self::with(db, signer, clock, Some((deployment, seeds)), witnesses))
    }

    /// Gives the log another key, which signs from now on, on every node within a second.
    pub async fn rotate_key(&self) -> Result<Rotated, Problem> {
        let Some((deployment, seeds)) = self.seeds() else {
            return Err(Problem::new(Code::Internal, "This log was opened without its keys."));
        };
        let before = load(self.db(), *deployment, &**seeds).await?;
        let (from, version) = (before.verifier().to_string(), before.version() + 1);
        let after = before.followed_by(&*seeds.seed(version).await?);
        let to = after.verifier().to_string();
        let mut tx = self.db().system("change the key of the audit log").await?;
        insert_key(&mut tx, version, &to).await.map_err(problem)?;
        let orgs = orgs(&mut tx).await.map_err(problem)?;
        let rotated = Rotated { version, from, to, orgs: orgs.len() };
        let entries = orgs.into_iter().map(|org| {
            let Rotated { version, from, to, .. } = rotated.clone();
            Entry::new(Author::system(org), Event::Log(LogEvent::KeyRotated { version, from, to }))
        });
        record_all(&mut tx, entries.collect()).await.map_err(problem)?;
        tx.commit().await.map_err(problem)?;
        self.use_signer(after);
        Ok(rotated)
    }

    /// Takes up a key that another node has changed to.
    pub(crate) async fn follow_keys(&self) -> Result<(), Problem> {
        let Some((deployment, seeds)) = self.seeds() else { return Ok(()) };
        let mut tx = self.db().system("look for a new key of the audit log").await?;
        let newest = newest_version(&mut tx).await.map_err(problem)?;
        tx.rollback().await.map_err(problem)?;
        if newest > self.signer().version() {
            self.use_signer(load(self.db(), *deployment, &**seeds).await?);
        }
        Ok(())
    }
}

/// The version of the newest key; 0 before there is any.
pub(crate) async fn newest_version(conn: &mut PgConnection) -> Result<u32, sqlx::Error> {
    let newest = sqlx::query_scalar!(r#"select coalesce(max(version), 0) as "v!" from audit_key"#)
        .fetch_one(conn)
        .await?;
    Ok(u32::try_from(newest).unwrap_or(0))
}

async fn load(db: &Db, deployment: DeploymentId, seeds: &dyn Seeds) -> Result<Signer, Problem> {
    let mut signer = Signer::new(deployment, *seeds.seed(1).await?);
    let mut tx = db.system("read the keys of the audit log").await?;
    let first = signer.verifier().to_string();
    sqlx::query!(
        "insert into audit_key (version, verifier) values (1, $1) on conflict do nothing",
        first
    )
    .execute(&mut *tx)
    .await
    .map_err(problem)?;
    let keys = sqlx::query!("select version, verifier from audit_key order by version")
        .fetch_all(&mut *tx)
        .await
        .map_err(problem)?;
    tx.commit().await.map_err(problem)?;
    for key in keys {
        let version = u32::try_from(key.version).unwrap_or(0);
        if version > 1 {
            signer = signer.followed_by(&*seeds.seed(version).await?);
        }
        if signer.version() != version || signer.verifier().to_string() != key.verifier {
            tracing::error!("key {version} of the audit log is not the one that its table names");
            let detail = "A key of the audit log is not the one that its table names: the database \
                          was changed, or restored without the vault that belongs to it.";
            return Err(Problem::new(Code::Internal, detail));
        }
    }
    Ok(signer)
}

async fn insert_key(
    conn: &mut PgConnection,
    version: u32,
    verifier: &str,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "insert into audit_key (version, verifier) values ($1, $2)",
        i32::try_from(version).unwrap_or(i32::MAX),
        verifier
    )
    .execute(conn)
    .await?;
    Ok(())
}

async fn orgs(conn: &mut PgConnection) -> Result<Vec<OrgId>, sqlx::Error> {
    sqlx::query_scalar!(r#"select id as "id: OrgId" from org order by id"#).fetch_all(conn).await
}

/// Whether this node knows the key that must sign. A change of keys and the events that tell of
/// it commit together, so who has seen the events in a tree sees the key as well.
pub(crate) async fn is_current(conn: &mut PgConnection, signer: &Signer) -> Result<bool, Error> {
    Ok(newest_version(conn).await? <= signer.version())
}
