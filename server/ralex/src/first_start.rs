//! The first start: an owner who can log in, and a first call that works.

use std::fs;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::Context;
use ralex_access::Access;
use ralex_api::identity::NewTeam;
use ralex_api::tokens::NewToken;
use ralex_audit::Author;
use ralex_identity::Identity;
use ralex_kernel::{OrgId, Problem, ScopePath, Secret};
use ralex_routing::Routing;

use crate::settings::Settings;

/// The file in the data folder that keeps what the first start printed.
const FILE: &str = "first-login";

/// What a person needs after the first start.
pub struct FirstLogin {
    pub email: String,
    pub password: Option<Secret>,
    pub token: Option<Secret>,
    pub file: PathBuf,
}

/// Makes the first organisation where there is none.
pub async fn prepare(
    settings: &Settings,
    identity: &Identity,
    routing: &Routing,
) -> anyhow::Result<Option<FirstLogin>> {
    if !identity.is_fresh_deployment().await? {
        return Ok(None);
    }
    let seed = async |tx: &mut ralex_store::System, org: OrgId| {
        if settings.simulated {
            routing.seed_simulated(tx, &Author::system(org)).await
        } else {
            Ok(())
        }
    };
    let email = &settings.admin_email;
    let password = settings.admin_password.as_ref();
    let owner = identity.create_first_org(&settings.admin_org, email, password, seed).await?;
    // An unattended start has no reader whom a token could be shown to.
    let token = match &owner.one_time_password {
        Some(_) if settings.simulated => Some(first_token(identity, owner.org).await?),
        _ => None,
    };
    let file = settings.data_dir.join(FILE);
    let first =
        FirstLogin { email: email.to_string(), password: owner.one_time_password, token, file };
    if first.password.is_some() {
        keep(&first).with_context(|| format!("{} cannot be written", first.file.display()))?;
    }
    Ok(Some(first))
}

/// A team and a token, so that the printed call works as it is.
async fn first_token(identity: &Identity, org: OrgId) -> Result<Secret, Problem> {
    let name =
        |text: &str| text.parse().map_err(|error| Problem::field("name", format!("{error}")));
    let slug = "first".parse().map_err(|error| Problem::field("slug", format!("{error}")))?;
    let scope = Access::internal(org);
    let team = identity.create_team(&scope, NewTeam { slug, name: name("First team")? }).await?;
    let new = NewToken {
        name: name("First call")?,
        team: Some(team.id.to_string()),
        project: None,
        service_account: None,
        models: None,
        permissions: None,
        addresses: None,
        expires_at: None,
    };
    let made =
        identity.create_token_at(&scope, ScopePath::Team { team: team.id }.into(), new).await?;
    Ok(Secret::new(made.token))
}

fn keep(first: &FirstLogin) -> std::io::Result<()> {
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&first.file)?;
    let password = first.password.as_ref().map_or("", Secret::expose);
    writeln!(file, "e-mail: {}\none-time password: {password}", first.email)?;
    file.sync_all()
}

/// The block that a start prints for its reader.
pub fn block(address: &str, first: Option<&FirstLogin>, data_dir: &Path) -> String {
    let mut lines = vec![String::new(), format!("  Ralex is at {address}")];
    if let Some(first) = first {
        lines.push(String::new());
        lines.push(format!("  Log in with   {}", first.email));
        if let Some(password) = &first.password {
            lines.push(format!("  and once with {}", password.expose()));
            lines.push(format!("  (kept in {} until you delete it)", first.file.display()));
        } else {
            lines.push("  and the password that you set".to_owned());
        }
        if let Some(token) = &first.token {
            lines.push(String::new());
            lines.push("  A first call, answered by the built-in simulated provider:".to_owned());
            lines.push(String::new());
            lines.push(curl(address, token.expose()));
        }
    } else {
        lines.push(format!("  Data is in {}", data_dir.display()));
    }
    lines.push(String::new());
    lines.join("\n")
}

fn curl(address: &str, token: &str) -> String {
    let body = r#"{"model":"simulated","messages":[{"role":"user","content":"Hello"}]}"#;
    format!(
        "curl {address}/v1/chat/completions -H 'Authorization: Bearer {token}' -H 'Content-Type: application/json' -d '{body}'"
    )
}
