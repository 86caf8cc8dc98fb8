//! Who waits for a password to be checked: so many at most, and fewer of one network, so that no
//! flood makes the others wait behind it.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use ralex_kernel::{Code, Problem};

/// Checks that wait or run at most. With two at a time and 40 ms for each, the last of them waits
/// for a bit more than a second.
const MOST: usize = 64;
/// And of one network.
const MOST_OF_ONE: usize = 16;

#[derive(Clone, Debug, Default)]
pub(super) struct Queue(Arc<Mutex<Waiting>>);

#[derive(Debug, Default)]
struct Waiting {
    all: usize,
    of: HashMap<String, usize>,
}

/// A place in the queue, until it is dropped.
#[derive(Debug)]
pub(super) struct Ticket {
    queue: Queue,
    network: String,
}

impl Queue {
    pub fn enter(&self, network: &str) -> Result<Ticket, Problem> {
        let mut waiting = self.0.lock();
        let of_one = waiting.of.get(network).copied().unwrap_or(0);
        if waiting.all >= MOST || of_one >= MOST_OF_ONE {
            metrics::counter!("ralex_password_checks_refused_total").increment(1);
            let detail = "Too many passwords are being checked at once. Try again in a moment.";
            return Err(Problem::new(Code::Throttled, detail).with_retry_after(1));
        }
        waiting.all += 1;
        waiting.of.insert(network.to_owned(), of_one + 1);
        Ok(Ticket { queue: self.clone(), network: network.to_owned() })
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let mut waiting = self.queue.0.lock();
        waiting.all -= 1;
        let left = waiting.of.get(&self.network).map_or(0, |count| count - 1);
        if left == 0 {
            waiting.of.remove(&self.network);
        } else {
            waiting.of.insert(self.network.clone(), left);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_of_one_network_leaves_room_for_others() {
        let queue = Queue::default();
        let mut held: Vec<Ticket> = (0..MOST_OF_ONE).map(|_| queue.enter("a").unwrap()).collect();
        let refused = queue.enter("a").unwrap_err();
        assert_eq!((refused.code, refused.retry_after), (Code::Throttled, Some(1)));
        held.push(queue.enter("b").unwrap());
        held.truncate(1);
        assert_eq!(queue.0.lock().of.len(), 1, "who does not wait is forgotten");
        held.push(queue.enter("a").unwrap());
    }

    #[test]
    fn the_queue_ends_whoever_waits_in_it() {
        let queue = Queue::default();
        let held: Vec<Ticket> =
            (0..MOST).map(|at| queue.enter(&format!("10.0.0.{at}")).unwrap()).collect();
        assert!(queue.enter("10.0.1.1").is_err());
        drop(held);
        assert_eq!(queue.0.lock().all, 0);
        queue.enter("10.0.1.1").unwrap();
    }
}
