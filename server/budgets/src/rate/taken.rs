//! What a call has taken of rate limits, until it is known what it used.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use ralex_api::rate_limits::Measure;

use super::known::{Demand, Limit};
use super::window::Windows;

/// Goes back when it is dropped without having been [`Taken::settle`]d.
pub struct Taken {
    windows: Arc<Mutex<Windows>>,
    parts: Vec<Part>,
}

/// What was taken of one limit in one slot.
#[derive(Debug)]
pub(crate) struct Part {
    limit: Arc<Limit>,
    slot: i64,
    units: u64,
}

impl Part {
    pub fn of(demand: &Demand, slot: i64) -> Self {
        Self { limit: Arc::clone(&demand.limit), slot, units: demand.units }
    }
}

/// How a limit stands, for who wants to know before they are refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    pub measure: Measure,
    pub amount: u64,
    pub left: u64,
    /// Until all of it is left again, at most.
    pub full_after: Duration,
}

impl Taken {
    pub(crate) fn new(windows: Arc<Mutex<Windows>>, parts: Vec<Part>) -> Self {
        Self { windows, parts }
    }

    /// Takes over what was taken for a further try.
    pub fn add(&mut self, mut more: Self) {
        self.parts.append(&mut more.parts);
    }

    /// Says how much was really used of each limit.
    pub fn settle(mut self, used: impl Fn(&Limit) -> u64) {
        let parts = std::mem::take(&mut self.parts);
        let mut windows = self.windows.lock();
        for (at, part) in parts.iter().enumerate() {
            let same = |other: &&Part| other.limit.key() == part.limit.key();
            let before: u64 = parts.iter().take(at).filter(same).map(|other| other.units).sum();
            let left = used(&part.limit).saturating_sub(before);
            let is_last = !parts.iter().skip(at + 1).any(|other| same(&other));
            // What a provider reports beyond all that was taken counts too.
            let is = if is_last { left } else { left.min(part.units) };
            windows.correct(part.limit.key(), part.slot, (part.units, is));
        }
    }

    /// How the limit of each measure stands that has least left of it.
    pub fn standing(&self) -> Vec<Standing> {
        let windows = self.windows.lock();
        let mut told: Vec<Standing> = Vec::new();
        for Part { limit, .. } in &self.parts {
            let (left, full_after) = windows.standing(limit);
            let one = Standing { measure: limit.measure, amount: limit.amount, left, full_after };
            match told.iter_mut().find(|other| other.measure == one.measure) {
                Some(other) if one.left < other.left => *other = one,
                Some(_) => {}
                None => told.push(one),
            }
        }
        told
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        if self.parts.is_empty() {
            return;
        }
        let mut windows = self.windows.lock();
        for part in &self.parts {
            windows.correct(part.limit.key(), part.slot, (part.units, 0));
        }
    }
}
