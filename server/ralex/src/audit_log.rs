//! Opening the audit log: its keys come from the vault, its witnesses are reached over HTTP.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use ralex_access::{Access, Policies};
use ralex_audit::{Audit, Courier, Reply, Seeds, Witnesses};
use ralex_kernel::{Clock, DeploymentId, Problem};
use ralex_store::Db;
use ralex_vault::{Seal, Vault};
use reqwest::header::CONTENT_TYPE;

use crate::settings::Settings;

/// How long a witness may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// No answer of a witness is longer.
const LONGEST: usize = 64 << 10;

/// The seal that the settings name.
pub fn seal(settings: &Settings) -> anyhow::Result<Seal> {
    Ok(match &settings.seal_key {
        Some(key) => Seal::from_base64(key)?,
        None => Seal::in_folder(&settings.data_dir),
    })
}

pub async fn open(
    settings: &Settings,
    db: &Db,
    deployment: DeploymentId,
    vault: &Vault,
    clock: Clock,
) -> anyhow::Result<Audit> {
    // The operator names witnesses, so their addresses need no leave to be reached; but none of
    // them may send us elsewhere.
    let client = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .timeout(PATIENCE)
        .user_agent(concat!("ralex/", env!("CARGO_PKG_VERSION")))
        .build()?;
    let witnesses =
        Witnesses { list: settings.audit_witnesses.clone(), courier: Some(Arc::new(Post(client))) };
    let seeds = Arc::new(InVault(vault.clone()));
    Ok(Audit::open(db.clone(), deployment, seeds, clock, witnesses).await?)
}

/// The same for a command that runs beside the servers.
pub async fn open_at(settings: &Settings, url: &str) -> anyhow::Result<(Db, Audit)> {
    let db = Db::connect(url, 4).await?;
    let clock = Clock::system();
    let deployment = ralex_store::deployment(&db).await?;
    let policies = Policies::load(settings.policies.as_deref())?;
    let access = Arc::new(Access::open(db.clone(), policies, clock.clone()).await?);
    let vault = Vault::open(db.clone(), access, deployment, seal(settings)?).await?;
    let audit = open(settings, &db, deployment, &vault, clock).await?;
    Ok((db, audit))
}

struct InVault(Vault);

impl Seeds for InVault {
    fn seed(&self, version: u32) -> BoxFuture<'_, Result<zeroize::Zeroizing<[u8; 32]>, Problem>> {
        Box::pin(async move {
            let name = match version {
                1 => "audit-signing".to_owned(),
                later => format!("audit-signing-{later}"),
            };
            self.0.internal_key(&name).await
        })
    }
}

struct Post(reqwest::Client);

impl Courier for Post {
    fn post<'a>(&'a self, url: &'a str, body: String) -> BoxFuture<'a, Result<Reply, String>> {
        Box::pin(async move {
            let sent = self.0.post(url).header(CONTENT_TYPE, "text/plain").body(body).send().await;
            let mut answer = sent.map_err(|error| reason(&error))?;
            let status = answer.status().as_u16();
            let content_type = answer.headers().get(CONTENT_TYPE);
            let content_type = content_type.and_then(|text| text.to_str().ok()).unwrap_or_default();
            let content_type = content_type.to_owned();
            let mut bytes = Vec::new();
            while let Some(chunk) = answer.chunk().await.map_err(|error| reason(&error))? {
                bytes.extend(chunk);
                if bytes.len() > LONGEST {
                    return Err("its answer is too long".to_owned());
                }
            }
            let body = String::from_utf8_lossy(&bytes).into_owned();
            Ok(Reply { status, content_type, body })
        })
    }
}

/// What went wrong, at the bottom of it.
fn reason(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return format!("no answer came within {} seconds", PATIENCE.as_secs());
    }
    let mut inner: &dyn std::error::Error = error;
    while let Some(source) = inner.source() {
        inner = source;
    }
    format!("it cannot be reached: {inner}")
}
