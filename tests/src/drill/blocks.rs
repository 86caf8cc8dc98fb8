//! Which refusals were false, by what the database knew when each of them was committed.
//!
//! A call is refused falsely where, on all of its budgets, limit - spent - held would have covered
//! its worst case. What living nodes had in hand does not excuse a refusal: they could have given it
//! back. What nodes had in hand that were dead, or stood still, does: they may have spent it, which
//! nobody can know before they are back or given up.

use std::collections::HashMap;

use ralex_kernel::Money;
use serde::Deserialize;
use sqlx::{PgConnection, Row};

/// Written in the transaction that refuses a call, when all else of it is written and the budgets
/// are still locked: what each hard budget of the call had left beside what is spent and held, and
/// what every node had in hand of it.
pub const TRIGGER: &str = "
    create schema drill;
    create table drill.refused (call_id uuid primary key, at timestamptz not null, rooms jsonb);
    create function drill.note() returns trigger language plpgsql security definer
        set search_path = public as $$
    begin
        insert into drill.refused
        select new.id, clock_timestamp(), jsonb_agg(jsonb_build_object(
            'free', p.spend_limit - p.spent - p.overrun - p.held,
            'leases', (select coalesce(jsonb_object_agg(l.node_id, l.amount), '{}')
                       from budget_lease l
                       where l.org_id = p.org_id and l.budget_id = p.budget_id
                         and l.starts_at = p.starts_at)))
        from budget b
        join budget_period p on p.org_id = b.org_id and p.budget_id = b.id
        where b.org_id = new.org_id and p.hard and p.ends_at > now()
          and (b.team_id is null or b.team_id = new.team_id)
          and (b.project_id is null or b.project_id = new.project_id)
          and (b.token_id is null or b.token_id = new.token_id)
        having count(*) > 0
        on conflict do nothing;
        return null;
    end $$;
    create constraint trigger drill_refused after insert on call
        deferrable initially deferred for each row
        when (new.state = 'refused' and new.problem = 'budget_exhausted')
        execute function drill.note();";

/// What was left of one budget.
#[derive(Clone, Debug, Deserialize)]
struct Room {
    free: i64,
    leases: HashMap<String, i64>,
}

/// What was left when each call was refused, and which nodes were there.
#[derive(Debug, Default)]
pub struct Blocks {
    /// By call: when, in milliseconds since 1970, and of each budget.
    rooms: HashMap<String, (i64, Vec<Room>)>,
    /// Of each node: from when until when it stood still or was dead.
    pub lives: HashMap<String, Vec<(i64, i64)>>,
}

/// What a refusal was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// There was not enough.
    Right,
    /// There was enough, but only with what dead nodes had in hand.
    HeldByTheDead,
    False {
        room: Money,
    },
    /// Nothing was noted of it.
    Unknown,
}

impl Blocks {
    /// # Errors
    /// Where the database refuses.
    pub async fn read(conn: &mut PgConnection) -> anyhow::Result<Self> {
        let sql = "select call_id::text, (extract(epoch from at) * 1000)::bigint, rooms::text
                   from drill.refused";
        let mut blocks = Self::default();
        for row in sqlx::raw_sql(sql).fetch_all(&mut *conn).await? {
            let rooms: String = row.try_get(2)?;
            blocks.rooms.insert(row.try_get(0)?, (row.try_get(1)?, serde_json::from_str(&rooms)?));
        }
        Ok(blocks)
    }

    /// Whether a call that needed so much was refused rightly.
    pub fn judge(&self, call: &str, needed: Money) -> Verdict {
        let Some((at, rooms)) = self.rooms.get(call) else { return Verdict::Unknown };
        let least = |room: &dyn Fn(&Room) -> i64| rooms.iter().map(room).min().unwrap_or(i64::MIN);
        if least(&|room| room.free) < needed.as_nanos() {
            return Verdict::Right;
        }
        let dead = |room: &Room| -> i64 {
            let leases = room.leases.iter().filter(|(node, _)| self.is_gone(node, *at));
            leases.map(|(_, amount)| amount).sum()
        };
        let room = least(&|room| room.free - dead(room));
        if room < needed.as_nanos() {
            return Verdict::HeldByTheDead;
        }
        Verdict::False { room: Money::nanos(room) }
    }

    /// A node that never was ready holds nothing.
    fn is_gone(&self, node: &str, at: i64) -> bool {
        let mut gone = self.lives.get(node).into_iter().flatten();
        gone.any(|(from, to)| (*from..*to).contains(&at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blocks(free: i64, lease: i64) -> Blocks {
        let room = Room { free, leases: HashMap::from([("n1".to_owned(), lease)]) };
        let wide = Room { free: 100, leases: HashMap::new() };
        Blocks {
            rooms: HashMap::from([("c1".to_owned(), (50, vec![wide, room]))]),
            lives: HashMap::from([("n1".to_owned(), vec![(40, 60)])]),
        }
    }

    #[test]
    fn what_is_not_there_is_refused_rightly() {
        assert_eq!(blocks(9, 0).judge("c1", Money::nanos(10)), Verdict::Right);
        assert_eq!(blocks(9, 0).judge("c2", Money::nanos(10)), Verdict::Unknown);
    }

    #[test]
    fn what_a_living_node_has_in_hand_excuses_nothing() {
        let mut blocks = blocks(10, 5);
        assert_eq!(blocks.judge("c1", Money::nanos(10)), Verdict::HeldByTheDead);
        blocks.lives.insert("n1".to_owned(), vec![(60, 70)]);
        let room = Money::nanos(10);
        assert_eq!(blocks.judge("c1", room), Verdict::False { room });
    }
}
