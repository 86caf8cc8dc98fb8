//! Threads that decide without a pause, as the server's workers do.

use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Instant;

use anyhow::anyhow;
use tokio::runtime::Builder;

use crate::company::{Company, Question};
use crate::figures::Times;

/// Enough to say what one of a hundred takes, and no more than fits into memory.
const MOST: usize = 20_000_000;

pub struct Deciders {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<anyhow::Result<Times>>>,
}

impl Deciders {
    pub fn start(company: &Company, questions: &[Question]) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        // One core is left to what goes on beside them.
        let count = std::thread::available_parallelism().map_or(1, |all| all.get() - 1).max(1);
        let threads = (0..count).map(|thread| {
            let (access, org, stop) = (Arc::clone(&company.access), company.org, Arc::clone(&stop));
            let mut questions = questions.to_vec();
            let first = thread * questions.len() / count;
            questions.rotate_left(first);
            std::thread::spawn(move || {
                let runtime = Builder::new_current_thread().build()?;
                runtime.block_on(async {
                    let mut times = Times::default();
                    for question in questions.iter().cycle().take(MOST) {
                        let begun = Instant::now();
                        let Question { subject, permission, at } = *question;
                        let decision = access.judge(subject, org, permission, at).await;
                        black_box(decision.map_err(|problem| anyhow!("{problem:?}"))?);
                        times.add(begun.elapsed());
                        if stop.load(Ordering::Relaxed) {
                            break;
                        }
                    }
                    Ok(times)
                })
            })
        });
        let threads = threads.collect();
        Self { stop, threads }
    }

    /// What all decisions took.
    pub fn stop(self) -> anyhow::Result<Times> {
        self.stop.store(true, Ordering::Relaxed);
        let mut all = Times::default();
        for thread in self.threads {
            all.extend(thread.join().map_err(|_| anyhow!("a decider died"))??);
        }
        Ok(all)
    }
}
