//! One word to end: given once, heard by every background job.

use std::future::Future;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

/// The word, to be given once.
pub struct Shutdown(watch::Sender<bool>);

impl Shutdown {
    pub fn new() -> Self {
        Self(watch::Sender::new(false))
    }

    /// Completes when the word is given.
    pub fn heard(&self) -> impl Future<Output = ()> + Send + 'static {
        let mut receiver = self.0.subscribe();
        async move {
            // The sender being gone means the same as the word.
            receiver.wait_for(|given| *given).await.ok();
        }
    }

    pub fn give(&self) {
        self.0.send_replace(true);
    }
}

/// Completes when a person or a supervisor asks the process to end.
pub async fn asked() -> std::io::Result<&'static str> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        _ = interrupt.recv() => Ok("interrupt"),
        _ = terminate.recv() => Ok("terminate"),
    }
}
