//! Personal values: committed to in leaves, and kept beside them under a key of the person's own.
//!
//! What always holds: a value stands in no table readable, and a key that was destroyed opens
//! nothing any more, here or on another node: whoever reads asks the database for the key each
//! time. Whoever writes may use a key for some seconds longer; what it seals then is lost, which is
//! what destroying it is for.

pub(crate) mod commitment;
mod keys;
mod reveal;

use std::fmt;
use std::sync::{Arc, OnceLock};

use ralex_kernel::{Email, OrgId};
use sqlx::PgConnection;
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::event::Whose;
pub use keys::forget_old_keys;
pub use reveal::{Revealed, revealed};

/// The key of one person in one organisation.
pub type SubjectKey = Zeroizing<[u8; 32]>;

/// Something that is sealed is not what it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("what is sealed cannot be opened")]
pub struct NotOpened;

/// Which row of which key something is sealed for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spot {
    pub org: OrgId,
    pub key: Uuid,
    pub event: Uuid,
    pub place: i16,
}

/// Whoever keeps what seals people's keys: the vault.
pub trait Keeper: Send + Sync {
    /// A key that was never there, as it is stored, and what it is known by.
    fn make(&self, org: OrgId, id: Uuid) -> Result<(SubjectKey, Vec<u8>, String), NotOpened>;
    fn open(&self, org: OrgId, id: Uuid, wrapped: &[u8]) -> Result<SubjectKey, NotOpened>;
    fn seal(&self, key: &SubjectKey, spot: Spot, plain: &[u8]) -> Result<Vec<u8>, NotOpened>;
    fn unseal(
        &self,
        key: &SubjectKey,
        spot: Spot,
        sealed: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, NotOpened>;
    /// What an e-mail address is called where it must not be read.
    fn contact(&self, org: OrgId, email: &Email) -> Result<Uuid, NotOpened>;
    /// Grows with every change of what nodes may hold in memory of an organisation.
    fn version(&self, org: OrgId) -> i64;
}

/// A process is of one deployment and opens one vault, whoever records there.
static KEEPER: OnceLock<Arc<dyn Keeper>> = OnceLock::new();

/// Lets the log of this process keep personal values. The first one stays.
pub fn keep_with(keeper: Arc<dyn Keeper>) {
    KEEPER.set(keeper).ok();
}

pub(crate) fn keeper() -> Result<&'static dyn Keeper, sqlx::Error> {
    let missing = "an event with personal values cannot be recorded before the vault is open";
    KEEPER.get().map(|keeper| &**keeper).ok_or_else(|| sqlx::Error::Encode(missing.into()))
}

/// What the queries call whose a value is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Owner {
    pub org: Uuid,
    pub kind: &'static str,
    pub subject: Uuid,
}

/// The names of a person's keys in the tables: by id, and by e-mail address.
pub fn names_of(org: OrgId, email: &Email) -> Result<Uuid, sqlx::Error> {
    keeper()?.contact(org, email).map_err(unsealed)
}

/// A value that an event commits to.
pub(crate) struct Hidden {
    pub org: OrgId,
    pub event: Uuid,
    pub place: i16,
    pub whose: Whose,
    /// The disclosure.
    pub plain: Zeroizing<String>,
}

impl fmt::Debug for Hidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Hidden({} of {})", self.place, self.event)
    }
}

/// Sealed values, turned by a quarter.
#[derive(Debug, Default)]
pub struct SealedColumns {
    pub org: Vec<Uuid>,
    pub event: Vec<Uuid>,
    pub place: Vec<i16>,
    pub key: Vec<Uuid>,
    pub sealed: Vec<Vec<u8>>,
}

/// Seals values under their people's keys, which are made where there is none yet.
pub(crate) async fn seal(
    conn: &mut PgConnection,
    hidden: &[Hidden],
) -> Result<SealedColumns, sqlx::Error> {
    let mut columns = SealedColumns::default();
    if hidden.is_empty() {
        return Ok(columns);
    }
    let keeper = keeper()?;
    let owners = hidden.iter().map(|it| owner(keeper, it)).collect::<Result<Vec<_>, _>>()?;
    let keys = keys::of(conn, keeper, owners.iter().copied().collect()).await?;
    for (it, owner) in hidden.iter().zip(&owners) {
        let (key, secret) = keys.get(owner).ok_or_else(|| unsealed(NotOpened))?;
        let spot = Spot { org: it.org, key: *key, event: it.event, place: it.place };
        let sealed = keeper.seal(secret, spot, it.plain.as_bytes()).map_err(unsealed)?;
        columns.org.push(it.org.uuid());
        columns.event.push(it.event);
        columns.place.push(it.place);
        columns.key.push(*key);
        columns.sealed.push(sealed);
    }
    Ok(columns)
}

fn owner(keeper: &dyn Keeper, hidden: &Hidden) -> Result<Owner, sqlx::Error> {
    let org = hidden.org.uuid();
    Ok(match &hidden.whose {
        Whose::User(user) => Owner { org, kind: "user", subject: user.uuid() },
        Whose::Contact(email) => {
            let subject = keeper.contact(hidden.org, email).map_err(unsealed)?;
            Owner { org, kind: "contact", subject }
        }
    })
}

/// Writes sealed values down.
pub(crate) async fn insert(
    conn: &mut PgConnection,
    columns: &SealedColumns,
) -> Result<(), sqlx::Error> {
    if columns.event.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        "insert into audit_disclosure (org_id, event_id, place, key_id, sealed)
         select * from unnest($1::uuid[], $2::uuid[], $3::smallint[], $4::uuid[], $5::bytea[])",
        &columns.org,
        &columns.event,
        &columns.place,
        &columns.key,
        &columns.sealed,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// A value that cannot be sealed must fail the transaction that its event tells of.
pub(crate) fn unsealed(error: NotOpened) -> sqlx::Error {
    sqlx::Error::Encode(Box::new(error))
}

/// A keeper for tests of crates below the vault.
#[cfg(any(test, feature = "testing"))]
pub mod testing;
