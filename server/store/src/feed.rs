//! Hints that something changed, so that caches refresh at once and not at their next poll.
//!
//! Never more than a hint: what is sent while nobody listens is lost, so a reader also polls.

use std::collections::VecDeque;
use std::time::Duration;

use sqlx::postgres::{PgListener, PgPoolOptions};
use sqlx::{Executor, PgPool};
use tokio::time::{sleep, timeout};
use tracing::debug;

use crate::Db;

/// A connection that was silent for this long is asked whether it lives.
const SILENCE: Duration = Duration::from_secs(10);
/// How long it may take to answer, or to be made.
const ANSWER: Duration = Duration::from_secs(3);
/// The pause before the database is tried again.
const PAUSE: Duration = Duration::from_millis(500);

/// What a listener hears.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hint {
    /// Somebody sent this on a channel.
    Sent { channel: String, payload: String },
    /// The connection is new: anything may have been missed.
    Connected,
}

/// Listens on channels, over a connection of its own, for as long as it is asked.
#[derive(Debug)]
pub struct Feed {
    pool: PgPool,
    channels: &'static [&'static str],
    listener: Option<PgListener>,
    heard: VecDeque<Hint>,
}

impl Feed {
    pub fn listen(db: &Db, channels: &'static [&'static str]) -> Self {
        let pool = PgPoolOptions::new()
            .max_connections(1)
            .acquire_timeout(ANSWER)
            .max_lifetime(None)
            .idle_timeout(None)
            .connect_lazy_with(db.options().clone());
        Self { pool, channels, listener: None, heard: VecDeque::new() }
    }

    /// The next hint. Reconnects by itself, so it waits for as long as the database is away.
    /// Dropping the future loses at most one hint.
    pub async fn next(&mut self) -> Hint {
        loop {
            if let Some(hint) = self.heard.pop_front() {
                return hint;
            }
            match self.listener.take() {
                None => self.connect().await,
                Some(listener) => self.listener = self.hear(listener).await,
            }
        }
    }

    async fn connect(&mut self) {
        let connecting = async {
            let mut listener = PgListener::connect_with(&self.pool).await?;
            listener.listen_all(self.channels.iter().copied()).await?;
            Ok::<_, sqlx::Error>(listener)
        };
        match timeout(ANSWER, connecting).await {
            Ok(Ok(listener)) => {
                self.listener = Some(listener);
                self.heard.push_back(Hint::Connected);
            }
            Ok(Err(error)) => {
                debug!(%error, "the change feed cannot connect: {error}");
                sleep(PAUSE).await;
            }
            Err(_) => debug!("the change feed waited too long for the database"),
        }
    }

    /// Waits for one hint; gives the listener back while its connection lives.
    async fn hear(&mut self, mut listener: PgListener) -> Option<PgListener> {
        match timeout(SILENCE, listener.try_recv()).await {
            Ok(Ok(Some(sent))) => {
                self.heard.push_back(Hint::Sent {
                    channel: sent.channel().to_owned(),
                    payload: sent.payload().to_owned(),
                });
                Some(listener)
            }
            Ok(Ok(None) | Err(_)) => None,
            Err(_) => match timeout(ANSWER, listener.execute("select 1")).await {
                Ok(Ok(_)) => Some(listener),
                Ok(Err(_)) | Err(_) => None,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Database;

    #[tokio::test]
    async fn a_feed_hears_what_is_sent_and_says_when_it_may_have_missed_something() {
        let database = Database::fresh().await;
        let db = database.db();
        let mut owner = database.owner().await;
        let mut feed = Feed::listen(&db, &["ralex_test"]);
        assert_eq!(feed.next().await, Hint::Connected);
        owner.execute("select pg_notify('ralex_test', 'one')").await.unwrap();
        let sent = Hint::Sent { channel: "ralex_test".to_owned(), payload: "one".to_owned() };
        assert_eq!(feed.next().await, sent);
        let others = "select pg_terminate_backend(pid) from pg_stat_activity
             where datname = current_database() and query ilike 'listen%'";
        owner.execute(others).await.unwrap();
        assert_eq!(feed.next().await, Hint::Connected);
    }
}
