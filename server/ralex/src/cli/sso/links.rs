//! `ralex sso links`, `link` and `unlink`: whom a provider knows.

use std::process::ExitCode;

use anyhow::Context;
use clap::{Arg, ArgMatches, Command};
use ralex_api::Page;
use ralex_api::page::PageQuery;
use ralex_api::sso::{NewSsoLink, SsoLink};
use serde_json::json;

use crate::cli::api::Api;
use crate::cli::table::{limit_flag, table, told};

pub fn commands(provider: &Arg) -> [Command; 3] {
    let person = Arg::new("person").value_name("PERSON").required(true);
    let person = person.help("E-mail address or id of a member of the organisation");
    let subject = Arg::new("subject").value_name("SUBJECT").required(true);
    let link = Arg::new("link").value_name("LINK").required(true);
    [
        Command::new("links").about("List whom a provider knows").args([provider, &limit_flag()]),
        Command::new("link").about("Say whom a provider means").args([
            provider,
            &person,
            &subject.help("What the provider calls them (`sub`)"),
        ]),
        Command::new("unlink")
            .about("Forget whom a provider meant, and end the sessions that it opened for them")
            .arg(link.help("The link's id")),
    ]
}

/// Nothing where the verb is none of these.
pub async fn act(api: &Api, verb: &str, matches: &ArgMatches) -> Option<anyhow::Result<ExitCode>> {
    match verb {
        "links" | "link" => Some(of_provider(api, verb, matches).await),
        "unlink" => Some(unlink(api, matches).await),
        _ => None,
    }
}

async fn of_provider(api: &Api, verb: &str, matches: &ArgMatches) -> anyhow::Result<ExitCode> {
    let text = |name: &str| matches.get_one::<String>(name).cloned().context("not all is named");
    let provider = text("provider")?;
    let path = ["sso", "providers", &provider, "links"];
    if verb == "link" {
        let new = NewSsoLink { user: text("person")?, subject: text("subject")? };
        let made: SsoLink = api.post(&path, &new).await?;
        return told(&made, matches, |made| list(std::slice::from_ref(made)));
    }
    let limit = matches.get_one::<u32>("limit").copied();
    let page: Page<SsoLink> = api.get(&path, &PageQuery { cursor: None, limit }).await?;
    told(&page, matches, |page| list(&page.items))
}

async fn unlink(api: &Api, matches: &ArgMatches) -> anyhow::Result<ExitCode> {
    let link = matches.get_one::<String>("link").context("no link")?;
    api.delete(&["sso", "links", link]).await?;
    let gone = json!({ "link": link, "deleted": true });
    told(&gone, matches, |_| "The provider means nobody by that any more.".to_owned())
}

fn list(links: &[SsoLink]) -> String {
    let rows = links.iter().map(|it| {
        let used = it.last_login_at.map(|at| at.format("%Y-%m-%d %H:%M").to_string());
        [
            it.email.clone(),
            it.subject.clone(),
            used.unwrap_or_else(|| "never".to_owned()),
            it.id.to_string(),
        ]
    });
    table(["Person", "Subject", "Used", "Link"], rows)
}
