//! Who waits to be written: those who have just come, and those who have to wait a little more.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use ralex_budgets::{Claim, Hold, Leases};
use tokio::sync::{mpsc, oneshot};

use super::linger::Linger;
use super::{BATCH, ENOUGH, ExtendQueue, OpenQueue, Opened, Opening};

/// How long a call that would fit, if nodes gave back what they have in hand, waits for that: each
/// time twice as long as before.
const PUT_OFF: Duration = Duration::from_millis(10);
/// How often; together more than half a second.
const PUT_OFFS: u8 = 6;

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

/// Those who wait for a batch.
#[derive(Default)]
pub(super) struct Waiting {
    pub opens: Vec<Asked>,
    pub extends: Vec<ExtendQueue>,
}

impl Waiting {
    /// Whether there is nothing but new calls.
    pub fn is_plain(&self) -> bool {
        let new = self.opens.iter().all(|asked| !asked.again);
        new && self.extends.is_empty() && !self.opens.is_empty()
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
    later: VecDeque<(Instant, Asked)>,
}

impl Queues {
    pub fn new(
        opens: mpsc::Receiver<OpenQueue>,
        extends: mpsc::UnboundedReceiver<ExtendQueue>,
        linger: Linger,
    ) -> Self {
        Self { opens, extends, linger, again: Vec::new(), later: VecDeque::new() }
    }

    /// Keeps a call for a little while: others have been asked for what they have in hand.
    pub fn put_off(&mut self, asked: Asked) {
        let wait = PUT_OFF * 2_u32.pow(u32::from(asked.put_off));
        let mut asked = Asked { put_off: asked.put_off + 1, ..asked };
        if asked.put_off >= PUT_OFFS {
            asked.opening.hold.claim = Claim::Firm;
        }
        let due = Instant::now() + wait;
        let at = self.later.partition_point(|(other, _)| *other <= due);
        self.later.insert(at, (due, asked));
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
                        Some((_, later)) => waiting.opens.push(later),
                        None => waiting.extends.push(self.extends.recv().await?),
                    },
                },
                Some(extend) = self.extends.recv() => waiting.extends.push(extend),
                () = sleep, if due.is_some() => {}
                () = leases.due() => {}
            }
        }
        self.company(&mut waiting, leases).await;
        while self.later.front().is_some_and(|(due, _)| *due <= Instant::now()) {
            waiting.opens.extend(self.later.pop_front().map(|(_, asked)| asked));
        }
        while waiting.opens.len() < BATCH {
            let Ok(open) = self.opens.try_recv() else { break };
            waiting.opens.push(asked(open));
        }
        while waiting.extends.len() < BATCH {
            let Ok(extend) = self.extends.try_recv() else { break };
            waiting.extends.push(extend);
        }
        // A caller that has gone while it waited wants nothing sent, so nothing is opened; but what
        // was sent already is recorded whoever waits.
        waiting.opens.retain(|asked| {
            asked.opening.hold.claim == Claim::Promised || !asked.reply.is_closed()
        });
        waiting.extends.retain(|(_, reply)| !reply.is_closed());
        Some(waiting)
    }

    /// Waits for others to be written with these, as long as nobody is kept waiting by that.
    async fn company(&mut self, waiting: &mut Waiting, leases: &Leases) {
        while let Some(until) = waiting.until().filter(|until| *until > Instant::now()) {
            tokio::select! {
                Some(open) = self.opens.recv() => waiting.opens.push(asked(open)),
                Some(extend) = self.extends.recv() => waiting.extends.push(extend),
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
