//! One circuit: a rolling window of outcomes, and the state that follows from it.

use std::time::{Duration, Instant};

use super::{BreakerSettings, Part, Standing};

/// How a circuit stands; the later, the worse.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    Closed,
    /// Its time is over: probes find out whether it recovered.
    HalfOpen,
    Open,
}

impl State {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::HalfOpen => "half_open",
            Self::Open => "open",
        }
    }
}

/// What an outcome means for one circuit.
#[derive(Clone, Copy, Debug)]
pub(super) enum Blame {
    Praise,
    None,
    /// A failure, which opens the circuit together with enough others.
    Count(&'static str),
    /// A failure that opens it by itself.
    Open(&'static str),
    /// The provider said for how long it wants no calls.
    LeaveAlone(Duration, &'static str),
}

/// What a circuit says to a call that is about to go out.
#[derive(Clone, Copy, Debug)]
pub(super) enum Turn {
    Free,
    Probe,
    Wait(Duration),
}

const BUCKETS: usize = 10;
/// Successes in a row that close a circuit: one may be luck.
const PROBES: u32 = 2;
/// A probe that nobody reports on for so long has been forgotten.
const FORGOTTEN: Duration = Duration::from_secs(30);
/// No provider is believed that wants to be left alone for longer.
const LONGEST: Duration = Duration::from_mins(5);
/// Doublings of the time that a circuit stays open.
const DOUBLINGS: u32 = 3;

#[derive(Clone, Copy, Debug, Default)]
struct Bucket {
    calls: u32,
    failures: u32,
}

#[derive(Debug)]
pub(super) struct Circuit {
    buckets: [Bucket; BUCKETS],
    /// When the newest bucket began, and which one it is.
    began: Instant,
    newest: usize,
    open: Option<Open>,
    openings: u32,
}

#[derive(Clone, Copy, Debug)]
struct Open {
    until: Instant,
    /// When the probe that is under way went out.
    probe: Option<Instant>,
    passed: u32,
    needed: u32,
    reason: &'static str,
}

impl Circuit {
    pub fn new(now: Instant) -> Self {
        Self {
            buckets: [Bucket::default(); BUCKETS],
            began: now,
            newest: 0,
            open: None,
            openings: 0,
        }
    }

    pub fn state(&self, now: Instant) -> State {
        match &self.open {
            None => State::Closed,
            Some(open) if now < open.until => State::Open,
            Some(_) => State::HalfOpen,
        }
    }

    pub fn standing(&self, part: Part, now: Instant) -> Option<Standing> {
        let open = self.open?;
        Some(Standing {
            part,
            state: self.state(now),
            wait: open.until.saturating_duration_since(now),
            openings: self.openings,
            reason: open.reason,
        })
    }

    pub fn turn(&self, now: Instant) -> Turn {
        let Some(open) = &self.open else { return Turn::Free };
        if now < open.until {
            return Turn::Wait(open.until - now);
        }
        match open.probe {
            Some(began) if now < began + FORGOTTEN => Turn::Wait(Duration::from_secs(1)),
            Some(_) | None => Turn::Probe,
        }
    }

    pub fn begin_probe(&mut self, now: Instant) {
        if let Some(open) = &mut self.open {
            open.probe = Some(now);
        }
    }

    /// Learns an outcome, and says whether the circuit opened or closed by it.
    pub fn learn(&mut self, blame: Blame, settings: &BreakerSettings, now: Instant) -> bool {
        match blame {
            Blame::None => {
                if let Some(open) = &mut self.open {
                    open.probe = None;
                }
                false
            }
            Blame::Praise => self.praise(settings, now),
            Blame::Count(reason) => {
                self.count(true, settings, now);
                let probed = self.open.is_some_and(|open| now >= open.until);
                let enough = self.open.is_none() && self.is_ill(settings);
                (probed || enough) && self.open_for(None, PROBES, reason, settings, now)
            }
            Blame::Open(reason) => {
                self.count(true, settings, now);
                self.open_for(None, PROBES, reason, settings, now)
            }
            Blame::LeaveAlone(wait, reason) => {
                let wait = wait.clamp(Duration::from_secs(1), LONGEST);
                self.open_for(Some(wait), 1, reason, settings, now)
            }
        }
    }

    /// Another node opened it, or closed it.
    pub fn follow(&mut self, open: Option<(Duration, u32, &'static str)>, now: Instant) {
        let Some((wait, openings, reason)) = open else {
            if self.open.is_some() {
                self.close();
            }
            return;
        };
        self.openings = openings;
        let until = now + wait;
        match &mut self.open {
            Some(open) if open.until >= until => {}
            Some(_) | None => {
                self.open = Some(Open { until, probe: None, passed: 0, needed: PROBES, reason });
            }
        }
    }

    fn praise(&mut self, settings: &BreakerSettings, now: Instant) -> bool {
        self.count(false, settings, now);
        let Some(open) = &mut self.open else { return false };
        open.probe = None;
        open.passed += 1;
        let recovered = open.passed >= open.needed;
        if recovered {
            self.close();
        }
        recovered
    }

    fn close(&mut self) {
        self.open = None;
        self.openings = 0;
        self.buckets = [Bucket::default(); BUCKETS];
    }

    /// Opens for as long as told, or ever longer where it opens again and again. A circuit that is
    /// open already is only opened for longer, which is no news unless a probe had failed.
    fn open_for(
        &mut self,
        told: Option<Duration>,
        needed: u32,
        reason: &'static str,
        settings: &BreakerSettings,
        now: Instant,
    ) -> bool {
        let waiting = self.open.is_some_and(|open| now < open.until);
        if waiting && told.is_none() {
            return false;
        }
        let wait = told.unwrap_or_else(|| {
            let doublings = self.openings.min(DOUBLINGS);
            settings.open.saturating_mul(1 << doublings)
        });
        if told.is_none() {
            self.openings = self.openings.saturating_add(1);
        }
        let until = now + wait;
        let known = self.open.filter(|open| open.until >= until);
        self.open = known.or(Some(Open { until, probe: None, passed: 0, needed, reason }));
        !waiting
    }

    fn count(&mut self, failed: bool, settings: &BreakerSettings, now: Instant) {
        let buckets = u32::try_from(BUCKETS).unwrap_or(1);
        let length = (settings.window / buckets).max(Duration::from_millis(1));
        let passed = now.saturating_duration_since(self.began).as_nanos() / length.as_nanos();
        for _ in 0..passed.min(BUCKETS as u128) {
            self.newest = (self.newest + 1) % BUCKETS;
            if let Some(bucket) = self.buckets.get_mut(self.newest) {
                *bucket = Bucket::default();
            }
        }
        if passed > 0 {
            self.began = now;
        }
        if let Some(bucket) = self.buckets.get_mut(self.newest) {
            bucket.calls = bucket.calls.saturating_add(1);
            bucket.failures = bucket.failures.saturating_add(u32::from(failed));
        }
    }

    fn is_ill(&self, settings: &BreakerSettings) -> bool {
        let sum = |value: fn(&Bucket) -> u32| self.buckets.iter().map(value).map(u64::from).sum();
        let (calls, failures): (u64, u64) = (sum(|it| it.calls), sum(|it| it.failures));
        failures >= u64::from(settings.failures.max(1))
            && failures * 100 >= calls * u64::from(settings.percent)
    }
}
