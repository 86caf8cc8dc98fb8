//! `ralex org export` and `ralex operator export`: all that an organisation has, as one file.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, IsTerminal, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use ralex_api::portability::{ExportRecipients, NewOrgExport, SetExportRecipients};
use rustix::fs::{CWD, RenameFlags, renameat_with};
use serde_json::json;

use super::super::api::Api;
use super::super::table::{json_flag, table, told};
use crate::say;

/// A server that says nothing for so long has gone.
const SILENCE: Duration = Duration::from_mins(5);
const PROGRESS: Duration = Duration::from_secs(2);

pub fn command() -> Command {
    let recipient = Arg::new("recipient")
        .long("recipient")
        .value_name("KEY")
        .action(ArgAction::Append)
        .help("Encrypt it to this public key of age (age1…). May be given more than once");
    Command::new("export").about("Take everything that the organisation has as one archive").args([
        recipient,
        out(),
        json_flag(),
    ])
}

pub fn key_command() -> Command {
    let keys = Arg::new("recipient")
        .value_name("KEY")
        .num_args(1..)
        .required(true)
        .help("Public keys of age (age1…), in place of those before");
    Command::new("export-key")
        .about("See and say to whom operators may carry the organisation's export")
        .subcommand_required(true)
        .subcommand(Command::new("set").about("Name their public keys").args([keys, json_flag()]))
        .subcommand(Command::new("show").about("Show their public keys").arg(json_flag()))
        .subcommand(Command::new("clear").about("Let no operator export it").arg(json_flag()))
}

/// Of `ralex operator`.
pub fn operator_command() -> Command {
    let org = Arg::new("organisation").value_name("ORG").required(true).help("Its slug or id");
    Command::new("export")
        .about("Take everything that an organisation has, encrypted to those whom its owners have named")
        .args([org, out()])
}

fn out() -> Arg {
    Arg::new("out")
        .long("out")
        .value_name("FILE")
        .required(true)
        .value_parser(value_parser!(PathBuf))
        .help("Where to write it; a file that is there is left alone")
}

/// The organisation's own export.
pub async fn own(api: &Api, matches: &ArgMatches) -> anyhow::Result<ExitCode> {
    let recipients = matches.get_many::<String>("recipient").unwrap_or_default();
    let new = NewOrgExport { recipients: recipients.cloned().collect() };
    let out = free(matches)?;
    saved(api.download_post(&["export"], &new).await?, out, matches).await
}

/// One that an operator carries.
pub async fn carried(api: &Api, matches: &ArgMatches) -> anyhow::Result<ExitCode> {
    let org = matches.get_one::<String>("organisation").context("no organisation")?;
    let out = free(matches)?;
    saved(api.download_post(&["orgs", org, "export"], &json!({})).await?, out, matches).await
}

pub async fn key(api: &Api, verb: &str, matches: &ArgMatches) -> anyhow::Result<ExitCode> {
    let path = &["export", "recipients"];
    let set: ExportRecipients = match verb {
        "set" | "clear" => {
            let keys = matches.try_get_many::<String>("recipient").ok().flatten();
            let recipients = keys.unwrap_or_default().cloned().collect();
            api.put(path, &SetExportRecipients { recipients }).await?
        }
        _ => api.get(path, &()).await?,
    };
    told(&set, matches, |set| {
        if set.items.is_empty() {
            return "Nobody is named, so no operator exports this organisation.".to_owned();
        }
        let rows = set.items.iter().map(|it| {
            let at = it.added_at.format("%Y-%m-%d %H:%M").to_string();
            [it.recipient.clone(), it.fingerprint.clone(), at]
        });
        table(["Public key", "Fingerprint", "Since"], rows)
    })
}

/// Where it is to be written, before anybody is asked for it.
fn free(matches: &ArgMatches) -> anyhow::Result<&Path> {
    let out = matches.get_one::<PathBuf>("out").context("no file")?;
    if fs::symlink_metadata(out).is_ok() {
        bail!("{} is there already; name another file.", out.display());
    }
    Ok(out)
}

/// Writes beside it what comes, and gives it its name when all of it is there.
async fn saved(
    answer: reqwest::Response,
    out: &Path,
    matches: &ArgMatches,
) -> anyhow::Result<ExitCode> {
    let mut part = out.as_os_str().to_owned();
    part.push(".part");
    let part = PathBuf::from(part);
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&part);
    let file = file.with_context(|| {
        let path = part.display();
        if part.exists() {
            format!("{path} is there already, of an export that broke off; remove it")
        } else {
            format!("{path} cannot be made")
        }
    })?;
    let done = match received(answer, file).await {
        Ok(bytes) => named(&part, out).map(|()| bytes),
        Err(error) => Err(error),
    };
    let bytes = match done {
        Ok(bytes) => bytes,
        Err(error) => {
            fs::remove_file(&part).ok();
            return Err(error);
        }
    };
    let done = json!({ "file": out, "bytes": bytes });
    told(&done, matches, |_| {
        let file = out.display();
        format!("{file}: {bytes} bytes. Check it with `ralex org check-export {file}`.")
    })
}

async fn received(mut answer: reqwest::Response, mut file: File) -> anyhow::Result<u64> {
    let shown = io::stderr().is_terminal();
    let (mut bytes, mut said) = (0_u64, Instant::now());
    loop {
        let Ok(chunk) = tokio::time::timeout(SILENCE, answer.chunk()).await else {
            bail!("the server has sent nothing for {} minutes", SILENCE.as_secs() / 60);
        };
        let chunk = chunk.with_context(|| {
            format!("the export broke off after {bytes} bytes; nothing is kept of it")
        })?;
        let Some(chunk) = chunk else { break };
        file.write_all(&chunk).context("the export cannot be written")?;
        bytes += chunk.len() as u64;
        if shown && said.elapsed() >= PROGRESS {
            say::problem(&format!("{bytes} bytes"));
            said = Instant::now();
        }
    }
    file.sync_all().context("the export cannot be written")?;
    Ok(bytes)
}

/// What has come to be there meanwhile is left alone as well.
fn named(part: &Path, out: &Path) -> anyhow::Result<()> {
    match renameat_with(CWD, part, CWD, out, RenameFlags::NOREPLACE).map_err(io::Error::from) {
        // Not every file system can promise it.
        Err(error) if matches!(error.kind(), ErrorKind::InvalidInput | ErrorKind::Unsupported) => {
            fs::rename(part, out)
        }
        done => done,
    }
    .with_context(|| format!("{} cannot be made", out.display()))
}
