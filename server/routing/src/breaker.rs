//! Circuit breakers: what fails is left alone for a while, and then tried with care.
//!
//! A call goes to a [`Place`]: a model of a provider, with a key. Each of the three has a circuit
//! of its own, since each fails in its own way: a provider goes away, a model is overloaded or
//! withdrawn, a key is revoked or over its limit. A circuit opens when enough of the calls of a
//! rolling window failed, at once where a provider says how long it wants to be left alone, and
//! lets a single probe through when its time is over. What one node learns the others know within
//! a second (`share.rs`).
//!
//! What always holds: a mistake of the caller never counts against anyone; a probe that is never
//! reported holds nobody up; the breakers decide in memory and never wait.

mod circuit;
mod share;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::{Mutex, RwLock};
use ralex_kernel::{ModelId, OrgId, ProviderId, SecretId};
use tokio::sync::mpsc;
use uuid::Uuid;

pub use circuit::State;
use circuit::{Blame, Circuit, Turn};

/// Where a call goes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Place {
    pub org: OrgId,
    pub provider: ProviderId,
    pub model: ModelId,
    pub key: Option<SecretId>,
}

/// What a circuit guards.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Part {
    Provider(ProviderId),
    Model(ModelId),
    Key(SecretId),
}

/// Whether a call may go to a place now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    Open,
    /// As the one probe that tells whether the place has recovered.
    Probe,
    /// Not before this time has passed.
    Refused {
        wait: Duration,
    },
}

/// How a call of a place ended, as far as the place is to blame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Success,
    /// An error of the server, or no answer in time.
    Failing,
    /// No connection at all.
    Unreachable,
    /// Too many calls; and how long the provider wants none.
    Limited {
        wait: Option<Duration>,
    },
    /// The key is not known, or has no credit.
    KeyRefused,
    /// The key may not do this.
    KeyForbidden,
    /// The provider does not know the model.
    ModelAbsent,
    /// Nothing is learned: the caller made a mistake or hung up.
    Neutral,
}

/// When circuits open, and for how long.
#[derive(Clone, Copy, Debug)]
pub struct BreakerSettings {
    /// Failures within the window before a circuit may open.
    pub failures: u32,
    /// How many of a hundred calls must have failed.
    pub percent: u32,
    pub window: Duration,
    /// How long it stays open the first time; each further time in a row twice as long, up to
    /// eight times.
    pub open: Duration,
}

impl Default for BreakerSettings {
    fn default() -> Self {
        Self {
            failures: 5,
            percent: 50,
            window: Duration::from_secs(30),
            open: Duration::from_secs(10),
        }
    }
}

/// A circuit that is not closed, for those who look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    pub part: Part,
    pub state: State,
    /// Until the next probe; nothing where one may go now.
    pub wait: Duration,
    /// How often in a row it has opened.
    pub openings: u32,
    pub reason: &'static str,
}

/// All circuits of this process. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Breakers(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    settings: RwLock<BreakerSettings>,
    circuits: Mutex<HashMap<(OrgId, Part), Circuit>>,
    changes: mpsc::UnboundedSender<share::Change>,
    /// Taken by the job that shares them.
    unshared: Mutex<Option<mpsc::UnboundedReceiver<share::Change>>>,
}

impl Default for Breakers {
    fn default() -> Self {
        Self::new(BreakerSettings::default())
    }
}

impl Breakers {
    pub fn new(settings: BreakerSettings) -> Self {
        let (changes, unshared) = mpsc::unbounded_channel();
        Self(Arc::new(Inner {
            settings: RwLock::new(settings),
            circuits: Mutex::default(),
            changes,
            unshared: Mutex::new(Some(unshared)),
        }))
    }

    pub fn configure(&self, settings: BreakerSettings) {
        *self.0.settings.write() = settings;
    }

    /// Asks to call a place now. Where it is admitted as a probe, [`Breakers::report`] is to
    /// follow; until then, and for a while at most, no other probe goes there.
    pub fn admit(&self, place: &Place) -> Admission {
        self.admit_at(place, Instant::now())
    }

    /// Whether a call would be let through, without taking the place of a probe.
    pub fn state(&self, place: &Place) -> State {
        let (now, circuits) = (Instant::now(), self.0.circuits.lock());
        let states = parts(place).into_iter().flatten();
        let states = states.filter_map(|part| circuits.get(&(place.org, part)));
        states.map(|circuit| circuit.state(now)).max().unwrap_or(State::Closed)
    }

    /// Learns how a call of a place ended.
    pub fn report(&self, place: &Place, verdict: Verdict) {
        self.report_at(place, verdict, Instant::now());
    }

    /// The circuits of an organisation that are not closed.
    pub fn standing(&self, org: OrgId) -> Vec<Standing> {
        let (now, circuits) = (Instant::now(), self.0.circuits.lock());
        let ours = circuits.iter().filter(|((of, _), _)| *of == org);
        ours.filter_map(|((_, part), circuit)| circuit.standing(*part, now)).collect()
    }

    fn admit_at(&self, place: &Place, now: Instant) -> Admission {
        let mut circuits = self.0.circuits.lock();
        let parts = || parts(place).into_iter().flatten().map(|part| (place.org, part));
        let turns = parts().filter_map(|key| Some(circuits.get(&key)?.turn(now)));
        let (mut wait, mut probes) = (Duration::ZERO, false);
        for turn in turns {
            match turn {
                Turn::Free => {}
                Turn::Probe => probes = true,
                Turn::Wait(longer) => wait = wait.max(longer),
            }
        }
        if !wait.is_zero() {
            return Admission::Refused { wait };
        }
        if !probes {
            return Admission::Open;
        }
        for key in parts() {
            if let Some(circuit) = circuits.get_mut(&key) {
                circuit.begin_probe(now);
            }
        }
        Admission::Probe
    }

    fn report_at(&self, place: &Place, verdict: Verdict, now: Instant) {
        let settings = *self.0.settings.read();
        let mut circuits = self.0.circuits.lock();
        for part in parts(place).into_iter().flatten() {
            let blame = blame(verdict, part, place.key.is_some());
            let key = (place.org, part);
            // What never failed needs no circuit for its first success; one is made to count all.
            let circuit = circuits.entry(key).or_insert_with(|| Circuit::new(now));
            if circuit.learn(blame, &settings, now) {
                self.tell(place.org, part, circuit, now);
            }
        }
    }

    fn tell(&self, org: OrgId, part: Part, circuit: &Circuit, now: Instant) {
        let standing = circuit.standing(part, now);
        let (kind, id) = part.name();
        let label = if standing.is_some() { "open" } else { "closed" };
        metrics::counter!("ralex_circuit_changes_total", "kind" => kind, "to" => label)
            .increment(1);
        if let Some(standing) = &standing {
            tracing::warn!(
                circuit.kind = kind, circuit.id = %id,
                "the circuit of the {kind} {id} opened: {}", standing.reason
            );
        } else {
            tracing::info!(circuit.kind = kind, circuit.id = %id, "the circuit of the {kind} {id} closed");
        }
        // Nobody listens where nothing is shared, as in tests of one node.
        self.0.changes.send(share::Change { org, part, standing }).ok();
    }
}

impl Part {
    /// As the table and metrics say it.
    pub const fn name(self) -> (&'static str, Uuid) {
        match self {
            Self::Provider(id) => ("provider", id.uuid()),
            Self::Model(id) => ("model", id.uuid()),
            Self::Key(id) => ("key", id.uuid()),
        }
    }

    fn parse(kind: &str, id: Uuid) -> Option<Self> {
        match kind {
            "provider" => Some(Self::Provider(id.into())),
            "model" => Some(Self::Model(id.into())),
            "key" => Some(Self::Key(id.into())),
            _ => None,
        }
    }
}

fn parts(place: &Place) -> [Option<Part>; 3] {
    [Some(Part::Provider(place.provider)), Some(Part::Model(place.model)), place.key.map(Part::Key)]
}

/// What a verdict says about one part. Where there is no key, its model answers for its limits.
const fn blame(verdict: Verdict, part: Part, keyed: bool) -> Blame {
    let key_or_model = matches!((part, keyed), (Part::Key(_), _) | (Part::Model(_), false));
    match verdict {
        Verdict::Success => Blame::Praise,
        Verdict::Unreachable => match part {
            Part::Provider(_) => Blame::Count("it cannot be reached"),
            Part::Model(_) | Part::Key(_) => Blame::None,
        },
        Verdict::Failing => match part {
            Part::Provider(_) | Part::Model(_) => Blame::Count("too many of its calls fail"),
            Part::Key(_) => Blame::None,
        },
        Verdict::Limited { wait: Some(wait) } if key_or_model => {
            Blame::LeaveAlone(wait, "it allows no more calls for now")
        }
        Verdict::Limited { wait: None } if key_or_model => {
            Blame::Count("it allows no more calls for now")
        }
        Verdict::KeyRefused if key_or_model => Blame::Open("the provider refuses it"),
        Verdict::KeyForbidden if key_or_model => Blame::Count("the provider forbids it too often"),
        Verdict::ModelAbsent => match part {
            Part::Model(_) => Blame::Count("the provider does not know it"),
            Part::Provider(_) | Part::Key(_) => Blame::None,
        },
        Verdict::Neutral
        | Verdict::Limited { .. }
        | Verdict::KeyRefused
        | Verdict::KeyForbidden => Blame::None,
    }
}
