//! The lane of what begins: holds and intents, and further holds for further tries. Whoever is in
//! it waits for it, or is under way by what this node has in hand.

use std::collections::HashSet;
use std::time::Instant;

use ralex_budgets::{
    Batch, Claim, Committed, Ending, Extended, Hold, HoldOutcome, KnownPeriods, Leases, Leasing,
    PeriodKey,
};
use ralex_kernel::{CallId, Code, NodeId, OrgId, Problem};
use ralex_store::{Db, Dedicated, Exclusive};
use tracing::warn;

use super::at_once;
use super::closing::Closes;
use super::entry::{answer, decided, elsewhere, extended, row, unwanted};
use super::waiting::{Asked, Queues, Waiting};
use super::{
    BACKOFF, Closing, Further, LOOKS, Opened, Opening, PATIENCE, Recording, Then, Unrecorded,
    measured, not_answered, not_recorded,
};

/// What a batch did.
enum Written {
    All(Box<All>),
    /// Nothing yet: somebody would be refused money that calls which have ended still hold, or
    /// that this node has in hand of these.
    Nothing(Vec<PeriodKey>),
}

/// What was written, index by index.
struct All {
    answers: Vec<Answer<Opened>>,
    extended: Vec<Answer<Further>>,
}

/// What one of those who wait is told.
enum Answer<T> {
    Now(T),
    /// Nothing yet: nodes were asked for what they have in hand. `last`: none lives that has any.
    Later {
        last: bool,
    },
}

impl All {
    /// Where all are opened, or refused as they were to be.
    fn of(waiting: &Waiting) -> Self {
        let answers = waiting.opens.iter().map(|_| Answer::Now(Ok(()))).collect();
        Self { answers, extended: Vec::new() }
    }
}

pub(super) struct Openings {
    db: Dedicated,
    pool: Db,
    node: NodeId,
    queues: Queues,
    closes: Closes,
    leases: Leases,
    known: KnownPeriods,
}

impl Openings {
    pub fn new(
        (db, node): (&Db, NodeId),
        queues: Queues,
        (closes, leases): (Closes, Leases),
    ) -> Self {
        let (pool, dedicated) = (db.clone(), db.dedicated("open calls"));
        let known = KnownPeriods::default();
        Self { db: dedicated, pool, node, queues, closes, leases, known }
    }

    pub async fn run(mut self) {
        while let Some(mut waiting) = self.queues.gather(&self.leases).await {
            let begun = Instant::now();
            let size = waiting.opens.len() + waiting.extends.len();
            if size == 0 && !self.leases.owe() {
                continue;
            }
            // A connection that falls silent tells nobody; no caller is made to wait for TCP.
            let decided = tokio::time::timeout(PATIENCE, self.decide(&mut waiting)).await;
            match decided.unwrap_or_else(|_| Err(not_recorded())) {
                Ok(all) => {
                    measured("open", begun, size);
                    self.answer(waiting, *all);
                }
                Err(problem) => {
                    self.leases.unsure();
                    let code = problem.code.as_str();
                    metrics::counter!("ralex_writer_failures_total", "lane" => "open").increment(1);
                    warn!(code, "a batch of {size} was not written");
                    self.failed(waiting);
                    tokio::time::sleep(BACKOFF).await;
                }
            }
        }
        self.end().await;
    }

    /// What this node has in hand when all its calls are recorded, goes back; what is not given
    /// back counts as spent once the node has been silent for a while.
    async fn end(self) {
        self.db.close().await;
        if self.leases.are_settled() {
            let given = ralex_budgets::give_back(&self.pool, self.node);
            match tokio::time::timeout(PATIENCE, given).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => warn!(%error, "leases were not given back: {error}"),
                Err(_) => warn!("leases were not given back in time"),
            }
        }
    }

    /// Decides and writes. What has ended gives its money back, and this node what it has in hand,
    /// before anybody is refused for want of it: a caller that has its answer may spend what that
    /// call did not.
    async fn decide(&mut self, waiting: &mut Waiting) -> Result<Box<All>, Problem> {
        let holds: Vec<_> = waiting.holds().cloned().collect();
        if waiting.is_plain() && self.leases.stay(&holds) {
            match at_once::open(&mut self.db, waiting).await {
                Ok(true) => {
                    self.leases.stayed(&holds);
                    return Ok(Box::new(All::of(waiting)));
                }
                Ok(false) => {}
                // The connection may have died long before, and then nothing happened.
                Err(_) => waiting.doubt(),
            }
        }
        let (mut needed, mut last) = (Vec::new(), false);
        loop {
            let leasing = self.leases.leasing(self.node, &holds, &needed);
            match self.write(waiting, (&holds, &leasing), last).await? {
                Written::All(all) => return Ok(all),
                Written::Nothing(short) => {
                    self.leases.not_written(&leasing);
                    (needed, last) = (short, true);
                    if self.closes.any_unwritten() {
                        self.closes.barrier().await;
                    }
                }
            }
        }
    }

    async fn write(
        &mut self,
        waiting: &Waiting,
        (holds, leasing): (&[Hold], &Leasing),
        last: bool,
    ) -> Result<Written, Problem> {
        let mut tx = self.db.begin().await?;
        let there = already_there(&mut tx, &waiting.opens).await?;
        let is_there = |hold: &Hold| there.contains(&(hold.org, hold.call));
        let new: Vec<Hold> = holds.iter().filter(|hold| !is_there(hold)).cloned().collect();
        let extensions: Vec<_> =
            waiting.extends.iter().map(|one| one.extending.extension.clone()).collect();
        let batch = Batch {
            extensions: &extensions,
            holds: &new,
            known: Some(&self.known),
            leasing: Some(leasing),
            ..Batch::default()
        };
        let done = ralex_budgets::commit(&mut tx, &batch).await.map_err(ralex_store::problem)?;
        let short = short(&new, &done);
        if !last && refuses(&done) && (self.closes.any_unwritten() || self.leases.have(&short)) {
            tx.rollback().await.map_err(ralex_store::problem)?;
            return Ok(Written::Nothing(short));
        }
        let held = outcomes(waiting, &there, done.held);
        record(&mut tx, waiting, &held, &done.extended).await?;
        let living = recall(&mut tx, &held, &done.extended).await?;
        tx.commit().await.map_err(ralex_store::problem)?;
        self.known.learn(done.periods);
        self.leases.written(holds.iter(), &done.leases);
        let answers = waiting.opens.iter().zip(held);
        let answers = answers.map(|(asked, held)| held.answer(&asked.opening, &living)).collect();
        let extended = done.extended.into_iter().map(|more| further(more, &living)).collect();
        Ok(Written::All(Box::new(All { answers, extended })))
    }

    fn answer(&mut self, waiting: Waiting, all: All) {
        for (asking, further) in waiting.extends.into_iter().zip(all.extended) {
            match further {
                // Who left meanwhile closes the call, and with it all that it holds.
                Answer::Now(further) => drop(asking.reply.send(further)),
                Answer::Later { last } => self.queues.put_off_more(asking, last),
            }
        }
        for (asked, answer) in waiting.opens.into_iter().zip(all.answers) {
            let answer = match answer {
                Answer::Now(answer) => answer,
                Answer::Later { last } => {
                    self.queues.put_off(asked, last);
                    continue;
                }
            };
            let Asked { opening, reply, .. } = asked;
            let promised = opening.hold.claim == Claim::Promised;
            // A caller that left while its batch was written leaves an open call.
            if reply.send(answer).is_err_and(|answer| answer.is_ok()) && !promised {
                self.closes.close(unwanted(*opening, Ending::Canceled, None));
            }
        }
    }

    /// Turns away those who wait. A commit whose answer was lost may have gone through all the
    /// same, or may yet. So each call that was not sent is closed again at no cost, and looked for
    /// again where there is none; and the record of each that was sent is tried again.
    fn failed(&mut self, waiting: Waiting) {
        for asking in waiting.extends {
            asking.reply.send(Err(None)).ok();
        }
        for Asked { opening, reply, .. } in waiting.opens {
            if opening.hold.claim == Claim::Promised {
                let (next, again) = Recording::new(true);
                let then = Some(Box::new(Then::Again(again)));
                let unrecorded = Unrecorded { problem: not_answered(), then };
                reply.send(Err(unrecorded)).ok();
                self.queues.again(opening, next);
                continue;
            }
            let code = Some(Code::Unavailable);
            let closing = unwanted(*opening, Ending::Error, code);
            self.closes.close(Closing { looks: LOOKS, ..closing });
            reply.send(Err(not_recorded().into())).ok();
        }
    }
}

/// What was decided of one call.
enum Outcome {
    Decided(HoldOutcome),
    /// Its record was written by an earlier batch, though nobody was told.
    There,
    /// Whatever it would cost.
    Refused,
}

impl Outcome {
    /// What it would fit with.
    fn later(&self) -> Option<&[PeriodKey]> {
        match self {
            Self::Decided(HoldOutcome::Later(keys)) => Some(keys),
            Self::Decided(_) | Self::There | Self::Refused => None,
        }
    }

    fn held(&self) -> Option<&HoldOutcome> {
        match self {
            Self::Decided(held) => Some(held),
            Self::There | Self::Refused => None,
        }
    }

    fn answer(self, opening: &Opening, living: &HashSet<PeriodKey>) -> Answer<Opened> {
        match self {
            Self::Decided(HoldOutcome::Later(keys)) => Answer::later(&keys, living),
            Self::Decided(held) => Answer::Now(answer(opening, held)),
            Self::There | Self::Refused => Answer::Now(Ok(())),
        }
    }
}

impl<T> Answer<T> {
    /// All of them must be given back for it to fit.
    fn later(keys: &[PeriodKey], living: &HashSet<PeriodKey>) -> Self {
        Self::Later { last: keys.iter().any(|key| !living.contains(key)) }
    }
}

fn further(extended: Extended, living: &HashSet<PeriodKey>) -> Answer<Further> {
    match extended {
        Extended::Held { held } => Answer::Now(Ok(held)),
        Extended::Refused { short } => Answer::Now(Err(short)),
        Extended::Later(keys) => Answer::later(&keys, living),
    }
}

/// Asks for what is in the hands of nodes, and returns what is in those of nodes that live.
async fn recall(
    tx: &mut Exclusive<'_>,
    held: &[Outcome],
    extended: &[Extended],
) -> Result<HashSet<PeriodKey>, Problem> {
    let further = extended.iter().filter_map(|more| match more {
        Extended::Later(keys) => Some(keys.as_slice()),
        Extended::Held { .. } | Extended::Refused { .. } => None,
    });
    let keys = held.iter().filter_map(Outcome::later).chain(further).flatten();
    let keys: HashSet<PeriodKey> = keys.copied().collect();
    if keys.is_empty() {
        return Ok(keys);
    }
    let keys: Vec<PeriodKey> = keys.into_iter().collect();
    ralex_budgets::recall(tx, &keys).await.map_err(ralex_store::problem)?;
    ralex_budgets::in_living_hands(tx, &keys).await.map_err(ralex_store::problem)
}

fn outcomes(
    waiting: &Waiting,
    there: &HashSet<(OrgId, CallId)>,
    held: Vec<HoldOutcome>,
) -> Vec<Outcome> {
    let mut held = held.into_iter();
    let outcome = |asked: &Asked| match &asked.opening {
        opening if there.contains(&(opening.hold.org, opening.hold.call)) => Outcome::There,
        opening if opening.refused.is_some() => Outcome::Refused,
        _ => held.next().map_or(Outcome::Refused, Outcome::Decided),
    };
    waiting.opens.iter().map(outcome).collect()
}

/// Writes the rows and the events of all that is decided.
async fn record(
    tx: &mut Exclusive<'_>,
    waiting: &Waiting,
    held: &[Outcome],
    extended_by: &[Extended],
) -> Result<(), Problem> {
    let new = waiting.opens.iter().zip(held);
    let new = new.filter(|(asked, held)| {
        let decided = !matches!(held, Outcome::There) && held.later().is_none();
        decided && held.held().and_then(|held| elsewhere(&asked.opening, held)).is_none()
    });
    let new: Vec<_> = new.map(|(asked, held)| (&*asked.opening, held.held())).collect();
    let rows: Vec<_> = new.iter().map(|(opening, held)| row(opening, *held)).collect();
    ralex_budgets::open_calls(tx, &rows).await.map_err(ralex_store::problem)?;
    let longer = waiting.extends.iter().zip(extended_by);
    let longer = longer.filter_map(|(one, done)| extended(&one.extending, done));
    let decisions = new.iter().map(|(opening, held)| decided(opening, *held));
    let entries = longer.chain(decisions).collect();
    ralex_audit::record_all(tx, entries).await.map_err(ralex_store::problem)
}

/// Which calls that were tried before have been written after all.
async fn already_there(
    tx: &mut Exclusive<'_>,
    opens: &[Asked],
) -> Result<HashSet<(OrgId, CallId)>, Problem> {
    let again = opens.iter().filter(|asked| asked.again).map(|asked| &asked.opening.hold);
    let again: Vec<_> = again.map(|hold| (hold.org, hold.call)).collect();
    ralex_budgets::recorded(tx, &again).await.map_err(ralex_store::problem)
}

fn refuses(done: &Committed) -> bool {
    let refused = |held: &HoldOutcome| match held {
        HoldOutcome::Refused(_) | HoldOutcome::Later(_) => true,
        HoldOutcome::Held { .. } | HoldOutcome::Beyond { .. } => false,
    };
    done.held.iter().any(refused) || done.extended.iter().any(is_refused)
}

fn is_refused(extended: &Extended) -> bool {
    matches!(extended, Extended::Refused { .. } | Extended::Later(_))
}

/// The periods of what would be refused.
fn short(holds: &[Hold], done: &Committed) -> Vec<PeriodKey> {
    let refused = holds.iter().zip(&done.held).filter(|(_, held)| match held {
        HoldOutcome::Refused(_) | HoldOutcome::Later(_) => true,
        HoldOutcome::Held { .. } | HoldOutcome::Beyond { .. } => false,
    });
    let mut keys: Vec<_> = refused.flat_map(|(hold, _)| hold.periods()).collect();
    if done.extended.iter().any(is_refused) {
        keys.extend(&done.periods);
    }
    keys
}
