//! Mail: one message handed to the operator's mail server, or a sentence that says why not.
//!
//! What always holds: a password goes over an encrypted connection only, and is in no error; a
//! message that was not taken is never told as sent; and whoever sends again after a crash gives
//! the same [`Mail::id`], so that what comes twice can be recognised.
//!
//! Uses `kernel` only; used by whatever tells people something.

mod failure;
mod mail;
mod server;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use lettre::transport::smtp::PoolConfig;
use lettre::transport::smtp::authentication::Credentials;
use lettre::{AsyncSmtpTransport, AsyncTransport, Tokio1Executor};

pub use failure::Failure;
pub use mail::{Attachment, Mail};
pub use server::{MailServer, Security, Sender};

/// How long a mail server may take for one step, and for all of them.
const STEP: Duration = Duration::from_secs(20);
const WHOLE: Duration = Duration::from_mins(1);
/// Connections at once; a mail server sees more of them as a flood.
const CONNECTIONS: u32 = 4;

/// Sends mail by the server of the settings. Cheap to clone.
#[derive(Clone)]
pub struct Mailer(Option<Arc<Inner>>);

struct Inner {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    sender: Sender,
    host: String,
}

impl Mailer {
    /// Connects with the first message, so a server that is away now may be there then.
    pub fn new(server: &MailServer) -> Result<Self, String> {
        let pool = PoolConfig::new().max_size(CONNECTIONS).idle_timeout(Duration::from_secs(20));
        let mut transport = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(&server.host)
            .port(server.port)
            .timeout(Some(STEP))
            .tls(server.tls()?)
            .pool_config(pool);
        if let Some((user, password)) = &server.login {
            let login = Credentials::new(user.clone(), password.expose().to_owned());
            transport = transport.credentials(login);
        }
        Ok(Self(Some(Arc::new(Inner {
            transport: transport.build(),
            sender: server.sender.clone(),
            host: server.host.clone(),
        }))))
    }

    /// Where the settings name no mail server: every message fails, and the failure says so.
    pub fn absent() -> Self {
        Self(None)
    }

    /// Whether the settings name a mail server.
    pub fn is_set_up(&self) -> bool {
        self.0.is_some()
    }

    /// The name of the mail server.
    pub fn host(&self) -> Option<&str> {
        self.0.as_ref().map(|inner| inner.host.as_str())
    }

    /// Returns when the mail server has taken the message for all it is addressed to.
    pub async fn send(&self, mail: &Mail) -> Result<(), Failure> {
        let Some(inner) = &self.0 else { return Err(Failure::absent()) };
        let message = mail.message(&inner.sender)?;
        match tokio::time::timeout(WHOLE, inner.transport.send(message)).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(Failure::of(&inner.host, &error)),
            Err(_) => Err(Failure::late(&inner.host)),
        }
    }
}

impl fmt::Debug for Mailer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Mailer").field(&self.host()).finish()
    }
}
