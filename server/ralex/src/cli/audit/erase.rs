//! `ralex audit erase`: asks that somebody is erased, and shows the certificate.

use std::fmt::Write as _;
use std::process::ExitCode;

use clap::{Arg, ArgMatches, Command, value_parser};
use ralex_api::erasure::{ErasedAccount, ErasureCertificate};
use ralex_api::retention::{AuditRequest, AuditRequestKind, NewAuditRequest};
use ralex_kernel::AuditRequestId;

use super::super::Environment;
use super::super::api::{self, Api};
use super::super::table::{asked, json_flag, table, told};

pub fn command() -> Command {
    let command = Command::new("erase")
        .about("Ask that what is personal of somebody who has left is destroyed; another person has to approve")
        .after_help("Approve with `ralex audit retention approve REQUEST`, then `ralex audit erase --certificate REQUEST`.")
        .arg(json_flag())
        .arg(Arg::new("person").value_name("PERSON").required_unless_present("certificate").conflicts_with("certificate").help("Their e-mail address or id"))
        .arg(Arg::new("reason").long("reason").value_name("TEXT").required_unless_present("certificate").help("Why, for whoever decides and for the audit log; it must not name the person"))
        .arg(Arg::new("certificate").long("certificate").value_name("REQUEST").value_parser(value_parser!(AuditRequestId)).help("Show what came of a request that was approved"));
    api::flags(command)
}

pub fn run(matches: &ArgMatches, environment: &Environment) -> ExitCode {
    asked(matches, environment, async |api| act(&api, matches).await)
}

async fn act(api: &Api, matches: &ArgMatches) -> anyhow::Result<ExitCode> {
    if let Some(request) = matches.get_one::<AuditRequestId>("certificate") {
        let path = ["audit", "erasures", &request.to_string()];
        let certificate: ErasureCertificate = api.get(&path, &()).await?;
        return told(&certificate, matches, shown);
    }
    let text = |name: &str| matches.get_one::<String>(name).cloned();
    let new = NewAuditRequest {
        kind: AuditRequestKind::Erasure,
        class: None,
        days: None,
        hold: None,
        person: text("person"),
        reason: text("reason").unwrap_or_default(),
    };
    let asked: AuditRequest = api.post(&["audit", "retention", "requests"], &new).await?;
    told(&asked, matches, |it| {
        let until = it.expires_at.format("%Y-%m-%d %H:%M UTC");
        format!("{}\nwaits for another person to approve, until {until}", it.id)
    })
}

fn shown(it: &ErasureCertificate) -> String {
    let at = it.erased_at.format("%Y-%m-%d %H:%M:%S UTC");
    let mut text = format!(
        "Erased  user:{}\nAt      {at}\nAsked   user:{}\nAgreed  user:{}\nEvent   {} (leaf {})\n",
        it.person, it.asked_by, it.approved_by, it.event, it.index
    );
    let keys = it.keys.iter().map(|key| {
        [key.id.clone(), key.kind.to_string(), key.fingerprint.clone(), key.disclosures.to_string()]
    });
    write!(text, "\n{}", table(["Key destroyed", "Of", "Fingerprint", "Values"], keys)).ok();
    let account = match it.account {
        ErasedAccount::Removed => "name, e-mail address and password of the account",
        ErasedAccount::Kept => "not the account, which is used or held elsewhere",
    };
    write!(text, "\n\nRemoved: {account}").ok();
    for rows in it.removed.iter().filter(|rows| rows.count > 0) {
        write!(text, ", {} {}", rows.count, rows.what).ok();
    }
    let kept = it.kept.iter().map(|kept| {
        let count = kept.count.map(|count| count.to_string()).unwrap_or_default();
        let until = kept.until.map(|until| until.format("%Y-%m-%d").to_string());
        [kept.what.clone(), count, until.unwrap_or_default(), kept.why.clone()]
    });
    write!(text, "\n\n{}", table(["Kept", "Count", "Until", "Why"], kept)).ok();
    write!(text, "\n\nKey     {}\n\n{}", it.key, it.receipt).ok();
    text
}
