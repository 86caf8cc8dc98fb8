//! The transaction below which nothing can commit any more: what was written by those before it is
//! complete, and a reader that keeps a cursor over transactions may pass it.
//!
//! `PostgreSQL` counts transactions across all databases of a server. Taking its oldest running one
//! for the horizon would let a long transaction of a neighbour's database, a backup for instance,
//! hold every such reader back until it ends; those are known to be others' and passed over.

use crate::System;

/// Where the transactions stand.
#[derive(Clone, Copy, Debug)]
pub struct Horizon {
    /// Below this number every transaction of this database has ended.
    pub settled: i64,
    /// The number that none has reached yet.
    pub next: i64,
}

/// Looks at most. Each is three short statements.
const LOOKS: usize = 5;

/// Below which number every transaction of this database has ended.
///
/// A transaction that ends while it is looked for cannot be told from one of this database that
/// still runs; one more look does not meet it any more.
pub async fn horizon(tx: &mut System) -> Result<Horizon, sqlx::Error> {
    let mut seen = look(tx).await?;
    for _ in 1..LOOKS {
        let Seen::Ended(_) = seen else { break };
        seen = look(tx).await?;
    }
    Ok(match seen {
        Seen::Sure(horizon) | Seen::Ended(horizon) => horizon,
    })
}

/// What one look tells; both hold, but after an end there may be more to know.
enum Seen {
    Sure(Horizon),
    /// The oldest transaction that may be ours ended meanwhile.
    Ended(Horizon),
}

/// Looks in this order: the snapshot, then who is connected elsewhere, then who holds which
/// number. A transaction that runs from the first look to the last is one process all the while,
/// so what the second look said of that process is true of the transaction.
async fn look(tx: &mut System) -> Result<Seen, sqlx::Error> {
    let snapshot = sqlx::query!(
        r#"select pg_snapshot_xmax(pg_current_snapshot())::text::bigint as "next!",
                  array(select xid::text::bigint
                        from pg_snapshot_xip(pg_current_snapshot()) as xid) as "running!""#
    )
    .fetch_one(&mut **tx)
    .await?;
    let next = snapshot.next;
    if snapshot.running.is_empty() {
        return Ok(Seen::Sure(Horizon { settled: next, next }));
    }
    let elsewhere = connected_elsewhere(tx).await?;
    let oldest = sqlx::query!(
        r#"select running.xid as "xid!", l.transactionid is not null as "runs!"
           from unnest($1::bigint[]) as running (xid)
           left join pg_locks l
               on l.locktype = 'transactionid' and l.mode = 'ExclusiveLock' and l.granted
              and l.transactionid = running.xid::text::xid8::xid
           where l.pid is null or l.pid <> all($2)
           order by running.xid
           limit 1"#,
        &snapshot.running,
        &elsewhere,
    )
    .fetch_optional(&mut **tx)
    .await?;
    Ok(match oldest {
        None => Seen::Sure(Horizon { settled: next, next }),
        Some(oldest) if oldest.runs => Seen::Sure(Horizon { settled: oldest.xid, next }),
        Some(oldest) => Seen::Ended(Horizon { settled: oldest.xid, next }),
    })
}

/// Which database a process is connected to is shown to every role, unlike what it does.
async fn connected_elsewhere(tx: &mut System) -> Result<Vec<i32>, sqlx::Error> {
    sqlx::query_scalar!(
        r#"select pid as "pid!" from pg_stat_activity
           where datname <> current_database() and pid is not null"#
    )
    .fetch_all(&mut **tx)
    .await
}
