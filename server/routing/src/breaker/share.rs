//! What one node learns, told to the others by a table that each reads once a second.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::pin;
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use ralex_kernel::{NodeId, OrgId};
use ralex_store::Db;
use sqlx::PgConnection;
use tokio::time::{MissedTickBehavior, interval};
use tracing::warn;
use uuid::Uuid;

use super::circuit::Circuit;
use super::{Breakers, Part, Standing};

/// How soon every node knows.
const PACE: Duration = Duration::from_secs(1);
/// Transactions that began earlier may commit later; their rows are read again.
const OVERLAP: TimeDelta = TimeDelta::seconds(5);
/// What other nodes' circuits opened for.
const ELSEWHERE: &str = "calls of another node failed";

/// A circuit that opened, or closed.
#[derive(Clone, Debug)]
pub(super) struct Change {
    pub org: OrgId,
    pub part: Part,
    pub standing: Option<Standing>,
}

impl Breakers {
    /// Tells other nodes of this one's circuits and learns of theirs, until `shutdown`.
    pub async fn run(&self, db: &Db, node: NodeId, shutdown: impl Future<Output = ()>) {
        let Some(mut changes) = self.0.unshared.lock().take() else { return };
        let mut shutdown = pin!(shutdown);
        let mut ticks = interval(PACE);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut pending = Vec::new();
        let mut since = DateTime::<Utc>::UNIX_EPOCH;
        loop {
            tokio::select! {
                () = &mut shutdown => return,
                _ = ticks.tick() => {}
                Some(change) = changes.recv() => pending.push(change),
            }
            while let Ok(change) = changes.try_recv() {
                pending.push(change);
            }
            match self.exchange(db, node, &pending, since).await {
                Ok(newest) => {
                    pending.clear();
                    since = newest;
                }
                // The breakers work on by what this node sees itself.
                Err(error) => warn!(%error, "circuits could not be shared: {error}"),
            }
        }
    }

    async fn exchange(
        &self,
        db: &Db,
        node: NodeId,
        changes: &[Change],
        since: DateTime<Utc>,
    ) -> Result<DateTime<Utc>, ralex_store::Error> {
        let mut tx = db.system("share the circuits of this node").await?;
        if !changes.is_empty() {
            write(&mut tx, node, changes).await?;
        }
        let rows = read(&mut tx, node, since - OVERLAP).await?;
        tx.commit().await?;
        let newest = rows.iter().map(|row| row.changed_at).max().unwrap_or(since).max(since);
        let now = Instant::now();
        let mut circuits = self.0.circuits.lock();
        for row in rows {
            let Some(part) = Part::parse(&row.kind, row.part_id) else { continue };
            let circuit = circuits.entry((row.org_id, part)).or_insert_with(|| Circuit::new(now));
            let open = row.state == "open";
            let openings = u32::try_from(row.openings).unwrap_or(0);
            match Duration::try_from_secs_f64(row.seconds_left) {
                Ok(left) if open && !left.is_zero() => {
                    circuit.follow(Some((left, openings, ELSEWHERE)), now);
                }
                // Its time is over: this node probes by itself.
                Ok(_) | Err(_) if open => {}
                Ok(_) | Err(_) => circuit.follow(None, now),
            }
        }
        Ok(newest)
    }
}

/// The last change of each circuit counts.
async fn write(
    conn: &mut PgConnection,
    node: NodeId,
    changes: &[Change],
) -> Result<(), sqlx::Error> {
    let last: BTreeMap<(OrgId, &str, Uuid), &Change> = changes
        .iter()
        .map(|change| {
            let (kind, id) = change.part.name();
            ((change.org, kind, id), change)
        })
        .collect();
    let standing = || last.values().map(|change| change.standing.as_ref());
    sqlx::query!(
        "insert into circuit as c (org_id, kind, part_id, state, until, openings, reason, node_id,
             changed_at)
         select k.org_id, k.kind, k.part_id, k.state, now() + make_interval(secs => k.wait),
             k.openings, k.reason, $8, now()
         from unnest($1::uuid[], $2::text[], $3::uuid[], $4::text[], $5::float8[], $6::int[],
             $7::text[]) as k (org_id, kind, part_id, state, wait, openings, reason)
         -- An organisation may have been deleted meanwhile.
         join org o on o.id = k.org_id
         on conflict (org_id, kind, part_id) do update
         set state = excluded.state, until = excluded.until, openings = excluded.openings,
             reason = excluded.reason, node_id = excluded.node_id, changed_at = now()",
        &last.keys().map(|key| key.0.uuid()).collect::<Vec<_>>(),
        &last.keys().map(|key| key.1).collect::<Vec<_>>() as _,
        &last.keys().map(|key| key.2).collect::<Vec<_>>(),
        &standing().map(|it| if it.is_some() { "open" } else { "closed" }).collect::<Vec<_>>() as _,
        &standing().map(|it| it.map_or(0.0, |it| it.wait.as_secs_f64())).collect::<Vec<_>>(),
        &standing()
            .map(|it| it.map_or(0, |it| i32::try_from(it.openings).unwrap_or(i32::MAX)))
            .collect::<Vec<_>>(),
        &standing().map(|it| it.map_or("it recovered", |it| it.reason)).collect::<Vec<_>>() as _,
        node as _,
    )
    .execute(conn)
    .await?;
    Ok(())
}

struct Row {
    org_id: OrgId,
    kind: String,
    part_id: Uuid,
    state: String,
    seconds_left: f64,
    openings: i32,
    changed_at: DateTime<Utc>,
}

async fn read(
    conn: &mut PgConnection,
    node: NodeId,
    since: DateTime<Utc>,
) -> Result<Vec<Row>, sqlx::Error> {
    sqlx::query_as!(
        Row,
        r#"select org_id as "org_id: OrgId", kind, part_id, state,
               extract(epoch from until - now())::float8 as "seconds_left!", openings, changed_at
           from circuit
           where changed_at > $1 and node_id <> $2
           order by changed_at"#,
        since,
        node as _,
    )
    .fetch_all(conn)
    .await
}
