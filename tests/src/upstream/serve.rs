//! The server, and its handle for tests in the same process.

use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::{Arc, mpsc};

use actix_web::dev::ServerHandle;
use actix_web::web::{self, Data, Json, Path};
use actix_web::{App, HttpRequest, HttpResponse, HttpServer, rt};
use bytes::Bytes;

use super::answer;
use super::auth::Key;
use super::script::{Match, Script};
use super::state::{Counts, Manner, Received, Served, State};

/// A running provider; ends when it is dropped.
pub struct Upstream {
    address: SocketAddr,
    state: Arc<State>,
    handle: ServerHandle,
}

impl Upstream {
    /// Starts on an address; port 0 takes a free one.
    pub fn start(address: impl ToSocketAddrs + Send + 'static) -> io::Result<Self> {
        Self::start_with(address, Manner::default())
    }

    /// One that takes only calls with a certain key.
    pub fn with_key(key: Key) -> io::Result<Self> {
        Self::start_with("127.0.0.1:0", Manner { key: Some(key), ..Manner::default() })
    }

    pub fn start_with(
        address: impl ToSocketAddrs + Send + 'static,
        manner: Manner,
    ) -> io::Result<Self> {
        let state = Arc::new(State::new(manner));
        let (tell, told) = mpsc::channel();
        let served = Arc::clone(&state);
        // The caller may live in another runtime, or in none.
        std::thread::spawn(move || {
            rt::System::new().block_on(async move {
                match bind(served, address) {
                    Ok((server, bound)) => {
                        tell.send(Ok((bound, server.handle()))).ok();
                        server.await.ok();
                    }
                    Err(error) => drop(tell.send(Err(error))),
                }
            });
        });
        let (address, handle) = told.recv().map_err(io::Error::other)??;
        Ok(Self { address, state, handle })
    }

    /// `http://127.0.0.1:PORT`, without `/v1`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn script(&self, script: Script) {
        self.state.set(script);
    }

    /// Sets the script of one model.
    pub fn script_for(&self, model: &str, script: Script) {
        self.state.set(Script { matches: Some(of_model(model)), ..script });
    }

    pub fn requests(&self, model: &str) -> Vec<Received> {
        self.state.requests(Some(model))
    }

    pub fn counts(&self) -> Counts {
        self.state.counts()
    }

    /// What the calls that ended since the last time were served, where its manner is to say so.
    pub fn take_served(&self) -> Vec<Served> {
        self.state.take_served()
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        // The command is sent at once; nobody needs to wait for its end.
        drop(self.handle.stop(false));
    }
}

fn bind(
    state: Arc<State>,
    address: impl ToSocketAddrs,
) -> io::Result<(actix_web::dev::Server, SocketAddr)> {
    let server = HttpServer::new(move || {
        App::new()
            .app_data(Data::from(Arc::clone(&state)))
            .app_data(web::PayloadConfig::new(256 * 1024 * 1024))
            .route("/_script", web::post().to(set_script))
            .route("/_script", web::delete().to(forget_scripts))
            .route("/_script/{model}", web::post().to(set_script_of_model))
            .route("/_script/{model}", web::delete().to(forget_script))
            .route("/_requests", web::get().to(requests))
            .route("/_requests", web::delete().to(clear))
            .route("/_requests/{model}", web::get().to(requests_of_model))
            .route("/_counts", web::get().to(counts))
            .default_service(web::to(any))
    })
    .workers(1)
    .tcp_nodelay(true)
    // A client that closes its side is gone: its calls count as canceled at once.
    .h1_allow_half_closed(false)
    .disable_signals()
    .bind(address)?;
    let bound = server.addrs().first().copied().ok_or_else(|| io::Error::other("not bound"))?;
    Ok((server.run(), bound))
}

async fn any(state: Data<State>, request: HttpRequest, body: Bytes) -> HttpResponse {
    answer::any(state.into_inner(), request, body).await
}

fn of_model(model: &str) -> Match {
    Match { model: Some(model.to_owned()), api_key: None }
}

async fn set_script(state: Data<State>, script: Json<Script>) -> HttpResponse {
    state.set(script.into_inner());
    HttpResponse::NoContent().finish()
}

async fn set_script_of_model(
    state: Data<State>,
    model: Path<String>,
    script: Json<Script>,
) -> HttpResponse {
    state.set(Script { matches: Some(of_model(&model)), ..script.into_inner() });
    HttpResponse::NoContent().finish()
}

async fn forget_scripts(state: Data<State>) -> HttpResponse {
    state.forget(None);
    HttpResponse::NoContent().finish()
}

async fn forget_script(state: Data<State>, model: Path<String>) -> HttpResponse {
    state.forget(Some(&model));
    HttpResponse::NoContent().finish()
}

async fn requests(state: Data<State>) -> HttpResponse {
    HttpResponse::Ok().json(state.requests(None))
}

async fn requests_of_model(state: Data<State>, model: Path<String>) -> HttpResponse {
    HttpResponse::Ok().json(state.requests(Some(&model)))
}

async fn clear(state: Data<State>) -> HttpResponse {
    state.clear();
    HttpResponse::NoContent().finish()
}

async fn counts(state: Data<State>) -> HttpResponse {
    HttpResponse::Ok().json(state.counts())
}
