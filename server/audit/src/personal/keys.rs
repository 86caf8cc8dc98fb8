//! People's keys for those who write: from memory where they are known, and made where there is
//! none yet.

use std::collections::{BTreeSet, HashMap};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use ralex_kernel::OrgId;
use sqlx::PgConnection;
use uuid::Uuid;

use super::{Keeper, NotOpened, Owner, SubjectKey, unsealed};

/// As long as the vault keeps organisations' keys.
const FRESH: Duration = Duration::from_secs(50);
const MOST: usize = 20_000;

struct Known {
    id: Uuid,
    key: SubjectKey,
    version: i64,
    since: Instant,
}

static KNOWN: Mutex<Option<HashMap<Owner, Known>>> = Mutex::new(None);

type Found = HashMap<Owner, (Uuid, SubjectKey)>;

/// Drops, and so wipes, keys that were not used lately; whoever keeps them calls it now and then.
pub fn forget_old_keys() {
    if let Some(known) = KNOWN.lock().as_mut() {
        known.retain(|_, known| known.since.elapsed() < FRESH);
    }
}

/// The key of each. In order, so that two who make the same ones do not wait for each other.
pub(super) async fn of(
    conn: &mut PgConnection,
    keeper: &dyn Keeper,
    owners: BTreeSet<Owner>,
) -> Result<Found, sqlx::Error> {
    let mut found = known(keeper, &owners);
    let missing = |found: &Found| -> Vec<Owner> {
        owners.iter().filter(|owner| !found.contains_key(owner)).copied().collect()
    };
    let unknown = missing(&found);
    if unknown.is_empty() {
        return Ok(found);
    }
    read(conn, keeper, &unknown, &mut found).await?;
    let unmade = missing(&found);
    if !unmade.is_empty() {
        make(conn, keeper, &unmade).await?;
        // Somebody else may have been first; what stands there now counts for both.
        read(conn, keeper, &unmade, &mut found).await?;
    }
    Ok(found)
}

fn known(keeper: &dyn Keeper, owners: &BTreeSet<Owner>) -> Found {
    let guard = KNOWN.lock();
    let Some(known) = guard.as_ref() else { return Found::new() };
    let fresh = |owner: &Owner, known: &Known| {
        known.since.elapsed() < FRESH
            && known.version == keeper.version(OrgId::from_uuid(owner.org))
    };
    owners
        .iter()
        .filter_map(|owner| Some((*owner, known.get(owner).filter(|known| fresh(owner, known))?)))
        .map(|(owner, known)| (owner, (known.id, known.key.clone())))
        .collect()
}

fn columns(owners: &[Owner]) -> (Vec<Uuid>, Vec<&'static str>, Vec<Uuid>) {
    let mut columns = (Vec::new(), Vec::new(), Vec::new());
    for owner in owners {
        columns.0.push(owner.org);
        columns.1.push(owner.kind);
        columns.2.push(owner.subject);
    }
    columns
}

async fn read(
    conn: &mut PgConnection,
    keeper: &dyn Keeper,
    owners: &[Owner],
    found: &mut Found,
) -> Result<(), sqlx::Error> {
    let (orgs, kinds, subjects) = columns(owners);
    // Before the rows are read, so that a change in between makes them old, not wrong.
    let versions: HashMap<Uuid, i64> =
        orgs.iter().map(|org| (*org, keeper.version(OrgId::from_uuid(*org)))).collect();
    // What this transaction made itself may never be there; it is not remembered.
    let rows = sqlx::query!(
        r#"select k.org_id, k.id, k.kind, k.subject, k.wrapped as "wrapped!",
                  k.created_at < transaction_timestamp() as "settled!"
           from unnest($1::uuid[], $2::text[], $3::uuid[]) as w (org_id, kind, subject)
           join audit_subject_key k on k.org_id = w.org_id and k.kind = w.kind
               and k.subject = w.subject and k.destroyed_at is null"#,
        &orgs,
        &kinds as _,
        &subjects,
    )
    .fetch_all(conn)
    .await?;
    for row in rows {
        let kind = if row.kind == "user" { "user" } else { "contact" };
        let owner = Owner { org: row.org_id, kind, subject: row.subject };
        let key = keeper.open(OrgId::from_uuid(row.org_id), row.id, &row.wrapped);
        let key = key.map_err(unsealed)?;
        if row.settled {
            let version = versions.get(&row.org_id).copied().unwrap_or_default();
            remember(owner, Known { id: row.id, key: key.clone(), version, since: Instant::now() });
        }
        found.insert(owner, (row.id, key));
    }
    Ok(())
}

fn remember(owner: Owner, known: Known) {
    let mut guard = KNOWN.lock();
    let all = guard.get_or_insert_with(HashMap::new);
    if all.len() >= MOST {
        all.clear();
    }
    all.insert(owner, known);
}

async fn make(
    conn: &mut PgConnection,
    keeper: &dyn Keeper,
    owners: &[Owner],
) -> Result<(), sqlx::Error> {
    let (orgs, kinds, subjects) = columns(owners);
    let (mut ids, mut wrapped, mut fingerprints) = (Vec::new(), Vec::new(), Vec::new());
    for owner in owners {
        let id = Uuid::now_v7();
        let made = keeper.make(OrgId::from_uuid(owner.org), id);
        let (_, sealed, fingerprint) = made.map_err(|error: NotOpened| unsealed(error))?;
        ids.push(id);
        wrapped.push(sealed);
        fingerprints.push(fingerprint);
    }
    sqlx::query!(
        "insert into audit_subject_key (org_id, id, kind, subject, wrapped, fingerprint)
         select * from unnest($1::uuid[], $2::uuid[], $3::text[], $4::uuid[], $5::bytea[], $6::text[])
         on conflict (org_id, kind, subject) where destroyed_at is null do nothing",
        &orgs,
        &ids,
        &kinds as _,
        &subjects,
        &wrapped,
        &fingerprints,
    )
    .execute(conn)
    .await?;
    Ok(())
}
