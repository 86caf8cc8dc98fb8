//! A line to the database that a test can cut, mend, or let go silent.

use std::sync::Arc;

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::Database;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Whole,
    /// Connections end, and new ones are not taken.
    Cut,
    /// Connections stay, and nothing passes.
    Silent,
}

/// Stands between a node and the cluster.
#[derive(Debug)]
pub struct Link {
    url: String,
    state: watch::Sender<State>,
    task: JoinHandle<()>,
}

impl Link {
    pub async fn to(database: &Database) -> Self {
        let (socket, name) = database.socket();
        let listener = match TcpListener::bind("127.0.0.1:0").await {
            Ok(listener) => listener,
            Err(error) => panic!("no port is free: {error}"),
        };
        let port = listener.local_addr().map_or(0, |address| address.port());
        let url = format!("postgres://postgres@127.0.0.1:{port}/{name}?sslmode=disable");
        let (state, seen) = watch::channel(State::Whole);
        let socket: Arc<str> = socket.into();
        let task = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(carry(client, Arc::clone(&socket), seen.clone()));
            }
        });
        Self { url, state, task }
    }

    pub fn url(&self) -> &str {
        &self.url
    }

    pub fn cut(&self) {
        self.state.send_replace(State::Cut);
    }

    pub fn silence(&self) {
        self.state.send_replace(State::Silent);
    }

    pub fn mend(&self) {
        self.state.send_replace(State::Whole);
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Carries one connection for as long as the line is whole.
async fn carry(mut client: TcpStream, socket: Arc<str>, mut state: watch::Receiver<State>) {
    if *state.borrow() == State::Silent {
        // A connection that came in the silence is as lost as the others.
        state.wait_for(|state| *state != State::Silent).await.ok();
        return;
    }
    if *state.borrow() == State::Cut {
        return;
    }
    let Ok(mut server) = UnixStream::connect(&*socket).await else { return };
    loop {
        tokio::select! {
            _ = copy_bidirectional(&mut client, &mut server) => return,
            changed = state.changed() => match changed.map(|()| *state.borrow()) {
                Ok(State::Whole) => {}
                Ok(State::Silent) => {
                    state.wait_for(|state| *state != State::Silent).await.ok();
                    return;
                }
                Ok(State::Cut) | Err(_) => return,
            },
        }
    }
}
