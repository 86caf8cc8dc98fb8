//! Who waits to be written: those who have just come, and those who have to wait a little more.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use ralex_budgets::{Claim, Hold, Leases};
use tokio::sync::{mpsc, oneshot};

use super::linger::Linger;
use super::{BATCH, ENOUGH, ExtendQueue, Extending, Further, OpenQueue, Opened, Opening};

/// How long one that would fit, if nodes gave back what they have in hand, waits for that at first;
/// each time twice as long as before, up to the longest.
const PUT_OFF: Duration = Duration::from_millis(10);
const LONGEST: Duration = Duration::from_millis(400);
/// How often; together three seconds: a node that lives may be busy, or have lost its connection,
/// and nobody who has the money should be refused for that.
const PUT_OFFS: u8 = 12;

/// A call that is to be opened.
pub(super) struct Asked {
    pub opening: Box<Opening>,
    pub reply: oneshot::Sender<Opened>,
    /// It was in a batch of which nobody knows whether it was written.
    pub again: bool,
    /// Until when it may wait for others.
    until: Instant,
    put_off: u8,
}

/// A call under way that is to hold more.
pub(super) struct Asking {
    pub extending: Extending,
    pub reply: oneshot::Sender<Further>,
    put_off: u8,
}

/// What is to be tried again at some time.
enum Late {
    Open(Asked),
    Extend(Asking),
}

/// Those who wait for a batch.
#[derive(Default)]
pub(super) struct Waiting {
    pub opens: Vec<Asked>,
    pub extends: Vec<Asking>,
}

impl Waiting {
    /// Whether there is nothing but new calls.
    pub fn is_plain(&self) -> bool {
        let new = self.opens.iter().all(|asked| !asked.again);
        new && self.extends.is_empty() && !self.opens.is_empty()
    }

    fn take(&mut self, late: Late) {
        match late {
            Late::Open(asked) => self.opens.push(asked),
            Late::Extend(asking) => self.extends.push(asking),
        }
    }

    /// Any of these may have been written.
    pub fn doubt(&mut self) {
        for asked in &mut self.opens {
            asked.again = true;
        }
    }

    /// Until when all of it may wait for others.
    fn until(&self) -> Option<Instant> {
        let few = self.is_plain() && self.opens.len() < ENOUGH;
        self.opens.iter().map(|asked| asked.until).min().filter(|_| few)
    }

    /// What is to be held.
    pub fn holds(&self) -> impl Iterator<Item = &Hold> {
        let wanted = self.opens.iter().filter(|asked| asked.opening.refused.is_none());
        wanted.map(|asked| &asked.opening.hold)
    }
}

pub(super) struct Queues {
    opens: mpsc::Receiver<OpenQueue>,
    extends: mpsc::UnboundedReceiver<ExtendQueue>,
    linger: Linger,
    /// To be tried at once.
    again: Vec<Asked>,
    /// To be tried again at some time.
    later: VecDeque<(Instant, Late)>,
}

impl Queues {
    pub fn new(
        opens: mpsc::Receiver<OpenQueue>,
        extends: mpsc::UnboundedReceiver<ExtendQueue>,
        linger: Linger,
    ) -> Self {
        Self { opens, extends, linger, again: Vec::new(), later: VecDeque::new() }
    }

    /// Keeps a call for a little while: others have been asked for what they have in hand. `last`:
    /// nobody is left who could give it.
    pub fn put_off(&mut self, asked: Asked, last: bool) {
        let wait = pause(asked.put_off);
        let mut asked = Asked { put_off: asked.put_off + 1, ..asked };
        if last || asked.put_off >= PUT_OFFS {
            asked.opening.hold.claim = Claim::Firm;
        }
        self.keep(wait, Late::Open(asked));
    }

    /// The same for more of a call under way.
    pub fn put_off_more(&mut self, asking: Asking, last: bool) {
        let wait = pause(asking.put_off);
        let mut asking = Asking { put_off: asking.put_off + 1, ..asking };
        if last || asking.put_off >= PUT_OFFS {
            asking.extending.extension.claim = Claim::Firm;
        }
        self.keep(wait, Late::Extend(asking));
    }

    fn keep(&mut self, wait: Duration, late: Late) {
        let due = Instant::now() + wait;
        let at = self.later.partition_point(|(other, _)| *other <= due);
        self.later.insert(at, (due, late));
    }

    /// Keeps a call that has been sent and may not be recorded.
    pub fn again(&mut self, opening: Box<Opening>, reply: oneshot::Sender<Opened>) {
        let until = Instant::now();
        self.again.push(Asked { opening, reply, again: true, until, put_off: 0 });
    }

    /// Waits for work, or until something in hand is to be given back, and takes what is there;
    /// nothing when all is done for good.
    pub async fn gather(&mut self, leases: &Leases) -> Option<Waiting> {
        let mut waiting = Waiting { opens: std::mem::take(&mut self.again), extends: vec![] };
        if waiting.opens.is_empty() {
            let due = self.later.front().map(|(due, _)| *due);
            let sleep = tokio::time::sleep_until(due.unwrap_or_else(Instant::now).into());
            tokio::select! {
                open = self.opens.recv() => match open {
                    Some(open) => waiting.opens.push(asked(open)),
                    // Both queues end together, but what was put off is still to be answered.
                    None => match self.later.pop_front() {
                        Some((_, late)) => waiting.take(late),
                        None => waiting.extends.push(asking(self.extends.recv().await?)),
                    },
                },
                Some(extend) = self.extends.recv() => waiting.extends.push(asking(extend)),
                () = sleep, if due.is_some() => {}
                () = leases.due() => {}
            }
        }
        self.company(&mut waiting, leases).await;
        while self.later.front().is_some_and(|(due, _)| *due <= Instant::now()) {
            if let Some((_, late)) = self.later.pop_front() {
                waiting.take(late);
            }
        }
        while waiting.opens.len() < BATCH {
            let Ok(open) = self.opens.try_recv() else { break };
            waiting.opens.push(asked(open));
        }
        while waiting.extends.len() < BATCH {
            let Ok(extend) = self.extends.try_recv() else { break };
            waiting.extends.push(asking(extend));
        }
        // A caller that has gone while it waited wants nothing sent, so nothing is opened; but what
        // was sent already is recorded whoever waits.
        waiting.opens.retain(|asked| {
            asked.opening.hold.claim == Claim::Promised || !asked.reply.is_closed()
        });
        waiting.extends.retain(|asking| !asking.reply.is_closed());
        Some(waiting)
    }

    /// Waits for others to be written with these, as long as nobody is kept waiting by that.
    async fn company(&mut self, waiting: &mut Waiting, leases: &Leases) {
        while let Some(until) = waiting.until().filter(|until| *until > Instant::now()) {
            tokio::select! {
                Some(open) = self.opens.recv() => waiting.opens.push(asked(open)),
                Some(extend) = self.extends.recv() => waiting.extends.push(asking(extend)),
                () = self.linger.hurry() => return,
                () = leases.due() => return,
                () = tokio::time::sleep_until(until.into()) => return,
                else => return,
            }
        }
    }
}

fn asked((opening, until, reply): OpenQueue) -> Asked {
    Asked { opening, reply, again: false, until, put_off: 0 }
}

fn asking((extending, reply): ExtendQueue) -> Asking {
    Asking { extending, reply, put_off: 0 }
}

/// Before the next try of one that was put off so often.
fn pause(put_off: u8) -> Duration {
    let doubled = 2_u32.saturating_pow(u32::from(put_off));
    PUT_OFF.saturating_mul(doubled).min(LONGEST)
}
