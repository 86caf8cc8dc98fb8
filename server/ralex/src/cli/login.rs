//! `ralex login`, `logout` and `whoami`: a token of one's own, without copying it anywhere.

mod browser;

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail};
use clap::{Arg, ArgAction, ArgMatches, Command};
use ralex_api::identity::Me;
use ralex_api::oauth::{CLIENT_ID, DeviceAuthorization, OAuthError, TokenGranted};
use reqwest::RequestBuilder;
use reqwest::header::CONTENT_TYPE;
use serde::de::DeserializeOwned;
use url::{Url, form_urlencoded};

use super::api::{self, USUAL_URL};
use super::credentials::Credentials;
use super::table::{asked, facts, json_flag, told};
use super::{Environment, failed};
use crate::say;

const BY_DEVICE: &str = "urn:ietf:params:oauth:grant-type:device_code";
/// What a program that asks too often waits longer from then on (RFC 8628, 3.5).
const SLOWER: u64 = 5;

pub fn commands() -> [Command; 3] {
    let url = Arg::new("url").long("url").value_name("URL");
    let url = url.help("The server [RALEX_URL] [default: the one of the last login]");
    let device = Arg::new("device").long("device").action(ArgAction::SetTrue);
    let login =
        Command::new("login").about("Log in by a browser, and keep a token for this machine");
    let logout = Command::new("logout").about("End the token that a login made, and forget it");
    let whoami = Command::new("whoami").about("Show who the token stands for, and where it counts");
    [
        login.args([
            url.clone(),
            device.help("Show a code to type in a browser elsewhere, where there is none here"),
        ]),
        logout.arg(url),
        api::flags(whoami.arg(json_flag())),
    ]
}

pub fn run(verb: &str, matches: &ArgMatches, environment: &Environment) -> ExitCode {
    if verb == "whoami" {
        return asked(matches, environment, async |api| {
            told(&api.get_beside::<Me>("/api/v1/me").await?, matches, shown)
        });
    }
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return failed(&format!("No threads could be started: {error}.")),
    };
    let done = runtime.block_on(async {
        let mut kept = Credentials::read(environment)?;
        let url = matches.get_one::<String>("url").or_else(|| environment.get("RALEX_URL"));
        let url = url.map(String::as_str).or(kept.newest()).unwrap_or(USUAL_URL);
        let server: Url = url.parse().with_context(|| format!("{url} is no address"))?;
        if verb == "logout" {
            return logout(&server, &mut kept).await;
        }
        let name = machine(environment);
        let granted = if matches.get_flag("device") {
            by_device(&server, &name).await?
        } else {
            browser::log_in(&server, &name).await?
        };
        let former = kept.token(&server);
        kept.set(&server, Some(granted.access_token))?;
        if let Some(former) = former {
            // Nobody shows it any more. One that cannot be ended now is in the profile's list.
            post(&server, "/oauth/revoke", &[("token", &former)])?.send().await.ok();
        }
        let days = granted.expires_in / 86_400;
        say::line(&format!("Logged in at {server} as {name}, for {days} days."));
        Ok(ExitCode::SUCCESS)
    });
    done.unwrap_or_else(|error: anyhow::Error| failed(&format!("{error:#}")))
}

async fn logout(server: &Url, kept: &mut Credentials) -> anyhow::Result<ExitCode> {
    let Some(token) = kept.token(server) else { bail!("There is no login at {server}.") };
    let request = post(server, "/oauth/revoke", &[("token", &token)])?;
    let answer = request.send().await.with_context(|| format!("{server} cannot be reached"))?;
    if !answer.status().is_success() {
        bail!("{server} answered with {}; the token is kept, try again.", answer.status());
    }
    kept.set(server, None)?;
    say::line(&format!("Logged out at {server}."));
    Ok(ExitCode::SUCCESS)
}

/// Asks until somebody who typed the code has answered.
async fn by_device(server: &Url, name: &str) -> anyhow::Result<TokenGranted> {
    let form = [("client_id", CLIENT_ID), ("name", name)];
    let begun: Asked<DeviceAuthorization> =
        ask(server, "/oauth/device_authorization", &form).await?;
    let Asked::Granted(begun) = begun else { bail!("{server} takes no logins by a typed code.") };
    say::problem(&format!(
        "Open {} in any browser, and type\n\n    {}\n",
        begun.verification_uri, begun.user_code
    ));
    let mut seconds = u64::try_from(begun.interval).unwrap_or(SLOWER);
    let form =
        [("grant_type", BY_DEVICE), ("client_id", CLIENT_ID), ("device_code", &begun.device_code)];
    loop {
        tokio::time::sleep(Duration::from_secs(seconds)).await;
        match ask(server, "/oauth/token", &form).await? {
            Asked::Granted(granted) => return Ok(granted),
            Asked::Refused(why) if why.error == "authorization_pending" => {}
            Asked::Refused(why) if why.error == "slow_down" => seconds += SLOWER,
            Asked::Refused(why) => bail!("{}", why.error_description),
        }
    }
}

/// What a server says to a program, in words of the standard.
enum Asked<T> {
    Granted(T),
    Refused(OAuthError),
}

async fn ask<T: DeserializeOwned>(
    server: &Url,
    path: &str,
    form: &[(&str, &str)],
) -> anyhow::Result<Asked<T>> {
    let request = post(server, path, form)?;
    let answer = request.send().await.with_context(|| format!("{server} cannot be reached"))?;
    let status = answer.status();
    let body = answer.bytes().await.with_context(|| format!("{server} broke off"))?;
    if status.is_success() {
        let granted = serde_json::from_slice(&body);
        return Ok(Asked::Granted(granted.context("The server's answer is not understood.")?));
    }
    match serde_json::from_slice(&body) {
        Ok(why) => Ok(Asked::Refused(why)),
        Err(_) => bail!("{server} answered with status {status}, and is perhaps no Ralex."),
    }
}

fn post(server: &Url, path: &str, form: &[(&str, &str)]) -> anyhow::Result<RequestBuilder> {
    let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
    let request = api::client()?.post(server.join(path)?);
    Ok(request.header(CONTENT_TYPE, "application/x-www-form-urlencoded").body(body))
}

/// What the token is to be called: who is logged in on which machine.
fn machine(environment: &Environment) -> String {
    let host = rustix::system::uname();
    let host = host.nodename().to_string_lossy().into_owned();
    match environment.get("USER").filter(|user| !user.is_empty()) {
        Some(user) => format!("{user}@{host}"),
        None => host,
    }
}

fn shown(me: &Me) -> String {
    let orgs: Vec<String> = me.orgs.iter().map(|org| org.slug.to_string()).collect();
    let all = [
        ("e-mail", me.user.email.to_string()),
        ("id", me.user.id.to_string()),
        ("organisations", orgs.join(" ")),
    ];
    facts(me.user.name.as_str(), &all)
}
