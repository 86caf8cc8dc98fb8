//! Pruned: the places of events that retention took away, as the log itself says.
//!
//! Their hashes stay, so that every proof and every signed head still comes out. Each removal is an
//! event of its own that names the places and is never removed, so a missing event that none of
//! them names is one that somebody else took.

use ralex_kernel::OrgId;
use serde::Deserialize;
use sqlx::PgConnection;
use uuid::Uuid;

/// Which events are gone, first and last of each range, in order and apart from each other.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Pruned {
    ranges: Vec<(u64, u64)>,
    /// The event that told of the last removal.
    pub newest: Option<Uuid>,
}

#[derive(Deserialize)]
struct Record {
    detail: Detail,
}

#[derive(Deserialize)]
struct Detail {
    ranges: Vec<(u64, u64)>,
}

impl Pruned {
    fn of(mut ranges: Vec<(u64, u64)>, newest: Option<Uuid>) -> Self {
        ranges.sort_unstable();
        let mut joined: Vec<(u64, u64)> = Vec::with_capacity(ranges.len());
        for (first, last) in ranges {
            match joined.last_mut() {
                Some(before) if first <= before.1.saturating_add(1) => {
                    before.1 = before.1.max(last);
                }
                Some(_) | None => joined.push((first, last)),
            }
        }
        Self { ranges: joined, newest }
    }

    pub fn has(&self, index: u64) -> bool {
        let after = self.ranges.partition_point(|(first, _)| *first <= index);
        after.checked_sub(1).and_then(|at| self.ranges.get(at)).is_some_and(|it| index <= it.1)
    }

    /// How many from the first place on and before the second.
    pub fn count_within(&self, from: i64, before: i64) -> i64 {
        let whole = |place: u64| i64::try_from(place).unwrap_or(i64::MAX);
        let within = |(first, last): &(u64, u64)| {
            (whole(last.saturating_add(1)).min(before) - whole(*first).max(from)).max(0)
        };
        self.ranges.iter().map(within).sum()
    }

    pub fn count(&self) -> u64 {
        self.ranges.iter().map(|(first, last)| last - first + 1).sum()
    }
}

/// Everything that was pruned by now.
pub(crate) async fn pruned(conn: &mut PgConnection, org: OrgId) -> Result<Pruned, sqlx::Error> {
    let rows = sqlx::query!(
        "select id, leaf from audit_event
         where org_id = $1 and action = 'audit.pruned' order by id",
        org as _
    )
    .fetch_all(conn)
    .await?;
    let newest = rows.last().map(|row| row.id);
    // One that was altered names nothing, and shows as altered.
    let read = rows.iter().filter_map(|row| serde_json::from_slice::<Record>(&row.leaf).ok());
    let ranges = read.flat_map(|record| record.detail.ranges);
    Ok(Pruned::of(ranges.filter(|(first, last)| first <= last).collect(), newest))
}

/// The event that told of the last removal.
pub(crate) async fn newest(
    conn: &mut PgConnection,
    org: OrgId,
) -> Result<Option<Uuid>, sqlx::Error> {
    sqlx::query_scalar!(
        "select id from audit_event where org_id = $1 and action = 'audit.pruned'
         order by id desc limit 1",
        org as _
    )
    .fetch_optional(conn)
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_pruned_where_some_range_holds_it() {
        let pruned = Pruned::of(vec![(8, 9), (0, 2), (3, 4), (9, 12)], None);
        let places: Vec<u64> = (0..15).filter(|index| pruned.has(*index)).collect();
        assert_eq!(places, [0, 1, 2, 3, 4, 8, 9, 10, 11, 12]);
        assert_eq!(pruned.count(), 10);
        let parts = [(0, 15), (2, 9), (5, 8), (12, 40)];
        let counts = parts.map(|(from, before)| pruned.count_within(from, before));
        assert_eq!(counts, [10, 4, 0, 1]);
        assert!(!Pruned::default().has(0));
    }
}
