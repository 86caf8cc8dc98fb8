//! `ralex recover-operator`: a way in for an operator who has none, made on the server itself.

use std::process::ExitCode;
use std::sync::Arc;

use anyhow::bail;
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use ralex_access::{Access, Policies};
use ralex_identity::Identity;
use ralex_identity::recover::{Recovered, Recovery, Reset};
use ralex_kernel::{Clock, Email};
use ralex_store::{BuiltIn, Db};
use ralex_vault::Vault;

use super::{Environment, failed, with_settings};
use crate::database::Database;
use crate::serve::mailer;
use crate::settings::{self, Settings};
use crate::{audit_log, limits, say};

pub fn command() -> Command {
    let email = Arg::new("email").value_name("EMAIL").required(true);
    let instead = Arg::new("instead-of").long("instead-of").value_name("EMAIL");
    let flag = |name: &'static str| Arg::new(name).long(name).action(ArgAction::SetTrue);
    let all = [
        email.value_parser(value_parser!(Email)).help("The operator, who has an account"),
        flag("make-operator").help("Make them an operator, where no other one can come in"),
        instead
            .action(ArgAction::Append)
            .requires("make-operator")
            .value_parser(value_parser!(Email))
            .help("An operator who has left and is none from then on; can be given several times"),
        flag("reset-factors").help("Take their second factors away, and end their sessions"),
    ];
    let about = "Let an operator in who has no way in any more, on the server itself";
    settings::flags(Command::new("recover-operator").about(about).long_about(format!(
        "{about}. It takes the database and the seal that `ralex serve` uses, works beside running \
             servers, and prints a link by which another password is chosen."
    )))
    .args(all)
}

pub fn run(matches: &ArgMatches, environment: &Environment) -> ExitCode {
    limits::forbid_core_files();
    let Some(email) = matches.get_one::<Email>("email").cloned() else {
        return failed("an e-mail address is needed.");
    };
    let asked = Recovery {
        email,
        make_operator: matches.get_flag("make-operator"),
        instead_of: matches.get_many("instead-of").unwrap_or_default().cloned().collect(),
        reset_factors: matches.get_flag("reset-factors"),
    };
    with_settings(matches, environment, |settings| recover(settings, asked))
}

async fn recover(settings: Settings, asked: Recovery) -> anyhow::Result<()> {
    let running = match settings.database_url {
        Some(_) => None,
        None => BuiltIn::running(&settings.data_dir),
    };
    if let Some(url) = running {
        return recover_at(&settings, &url, &asked).await;
    }
    let database = Database::start_existing(&settings).await?;
    let done = recover_at(&settings, database.url(), &asked).await;
    database.stop().await;
    done
}

async fn recover_at(settings: &Settings, url: &str, asked: &Recovery) -> anyhow::Result<()> {
    let db = Db::connect(url, 4).await?;
    let done = recovered(settings, &db, asked).await;
    db.close().await;
    say::line(&shown(settings, &done?));
    Ok(())
}

async fn recovered(settings: &Settings, db: &Db, asked: &Recovery) -> anyhow::Result<Recovered> {
    let clock = Clock::system();
    let deployment = ralex_store::deployment(db).await?;
    let policies = Policies::load(settings.policies.as_deref())?;
    let access = Arc::new(Access::open(db.clone(), policies, clock.clone()).await?);
    let seal = audit_log::seal(settings)?;
    let vault = Vault::open(db.clone(), Arc::clone(&access), deployment, seal).await?;
    let pepper = vault.internal_key("token-digest").await?;
    let identity = Identity::new(db.clone(), access, clock, pepper, settings.public_url.as_ref())?;
    let identity = identity.with_mail(mailer(settings)?);
    if identity.is_fresh_deployment().await? {
        bail!("There is no account yet in this database: `ralex serve` makes the first one.");
    }
    Ok(identity.recover_operator(asked).await?)
}

fn shown(settings: &Settings, done: &Recovered) -> String {
    let Recovered { user, link, expires_at, made_operator, reset, told, logs } = done;
    let link = link.expose();
    let link = if settings.public_url.is_some() {
        link.to_owned()
    } else {
        format!("http://{}{link}", settings.listen)
    };
    let until = expires_at.format("%Y-%m-%d %H:%M UTC");
    let mut lines = vec![format!("{} chooses another password here:", user.email)];
    lines.extend([String::new(), format!("  {link}"), String::new()]);
    lines.push(format!("The link is good once, until {until}. It is shown here and nowhere else."));
    if *made_operator {
        lines.push("They are an operator from now on.".to_owned());
    }
    lines.push(match reset {
        Some(reset) => removed(*reset),
        None => "A second factor is asked for as before; --reset-factors takes it away.".to_owned(),
    });
    let told = if *told { "They were told by mail" } else { "Nobody told them by mail" };
    lines.push(format!("{told}; it stands in the audit logs of {logs} organisations."));
    lines.join("\n")
}

fn removed(reset: Reset) -> String {
    let Reset { app, passkeys, recovery_codes, sessions_ended } = reset;
    let app = u32::from(app);
    format!(
        "Removed: {app} authenticator apps, {passkeys} passkeys, {recovery_codes} unused recovery codes. \
         Sessions ended: {sessions_ended}."
    )
}
