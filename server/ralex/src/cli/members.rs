//! `ralex members`: who is in an organisation, and to whom it is closed, by a server's API.

use std::process::ExitCode;

use anyhow::Context;
use clap::{Arg, ArgMatches, Command, value_parser};
use ralex_api::Page;
use ralex_api::access::RoleName;
use ralex_api::identity::{Member, NewMember, NewMemberAnswer};
use ralex_api::links::Invitation;
use ralex_api::page::PageQuery;
use ralex_kernel::{Email, Name};
use serde_json::json;

use super::Environment;
use super::api::{self, Api};
use super::table::{asked, json_flag, limit_flag, table, told};

pub fn command() -> Command {
    let person = Arg::new("person").value_name("PERSON").required(true);
    let person = person.help("E-mail address or id of a member of the organisation");
    let all = [
        Command::new("list").about("List members with their roles").arg(limit_flag()),
        Command::new("add").about("Add a person with a role, who gets an invitation").args([
            Arg::new("email")
                .value_name("EMAIL")
                .required(true)
                .value_parser(value_parser!(Email))
                .help("Their e-mail address"),
            Arg::new("role").value_name("ROLE").required(true).help("What they hold"),
            Arg::new("name")
                .long("name")
                .required(true)
                .value_parser(value_parser!(Name))
                .help("What they are called; who has an account keeps their own name"),
            Arg::new("scope")
                .long("scope")
                .help("Where: org, team:SLUG or project:SLUG [default: org]"),
        ]),
        Command::new("invite")
            .about("Send another invitation to a member who has not used theirs")
            .arg(person.clone()),
        Command::new("suspend")
            .about("Close the organisation to a member at once; what they were given stays")
            .arg(person.clone()),
        Command::new("resume").about("Let a suspended member back in").arg(person.clone()),
        Command::new("remove")
            .about("End a membership at once, with all roles that it holds by name or by a group")
            .arg(person),
    ];
    Command::new("members")
        .visible_alias("member")
        .about("See members, add, suspend and remove them, and let them back in")
        .subcommand_required(true)
        .subcommands(all.map(|command| api::flags(command.arg(json_flag()))))
}

pub fn run(matches: &ArgMatches, environment: &Environment) -> ExitCode {
    match matches.subcommand() {
        Some((verb, matches)) => {
            asked(matches, environment, async |api| act(&api, verb, matches).await)
        }
        None => ExitCode::from(3),
    }
}

async fn act(api: &Api, verb: &str, matches: &ArgMatches) -> anyhow::Result<ExitCode> {
    if verb == "list" {
        let limit = matches.get_one::<u32>("limit").copied();
        let page = PageQuery { cursor: None, limit };
        let page: Page<Member> = api.get(&["members"], &page).await?;
        return told(&page, matches, |page| members(&page.items));
    }
    if verb == "add" {
        return add(api, matches).await;
    }
    let person = matches.get_one::<String>("person").context("no person")?;
    let id = if person.contains('@') { find(api, person).await? } else { person.clone() };
    if verb == "invite" {
        let answer: NewMemberAnswer = api.post(&["members", &id, verb], &()).await?;
        return told(&answer, matches, |answer| invited(api, answer));
    }
    if verb == "remove" {
        api.delete(&["members", &id]).await?;
        let done = json!({ "person": person, "member": false });
        return told(&done, matches, |_| format!("{person} is no member any more"));
    }
    let member: Member = api.post(&["members", &id, verb], &()).await?;
    told(&member, matches, |member| members(std::slice::from_ref(member)))
}

async fn add(api: &Api, matches: &ArgMatches) -> anyhow::Result<ExitCode> {
    let new = NewMember {
        email: matches.get_one::<Email>("email").cloned().context("no e-mail address")?,
        name: matches.get_one::<Name>("name").cloned(),
        role: RoleName(matches.get_one::<String>("role").cloned().context("no role")?),
        scope: matches.get_one::<String>("scope").cloned(),
        invite: true,
    };
    let answer: NewMemberAnswer = api.post(&["members"], &new).await?;
    told(&answer, matches, |answer| invited(api, answer))
}

fn invited(api: &Api, answer: &NewMemberAnswer) -> String {
    is_in(api, &answer.member.user.email, answer.invitation.as_ref())
}

/// Who is in, and how they come to their password, or say yes.
pub(super) fn is_in(api: &Api, email: &Email, invitation: Option<&Invitation>) -> String {
    let Some(invitation) = invitation else { return format!("{email} is in.") };
    let is_in = if invitation.has_account {
        format!("{email} has an account, and is in once they say so.")
    } else {
        format!("{email} is invited.")
    };
    if invitation.mailed {
        return format!("{is_in} An invitation went to that address.");
    }
    let why = invitation.failure.as_deref().unwrap_or("No mail brought the invitation.");
    match &invitation.link {
        Some(link) => {
            let link = api.absolute(link);
            format!("{is_in} {why}\nHand over this link, shown once: {link}")
        }
        None => format!(
            "{is_in} {why}\nThe link is shown to nobody, since they are in another \
             organisation too; send it again once mail works."
        ),
    }
}

/// The id of a member, by their e-mail address.
async fn find(api: &Api, email: &str) -> anyhow::Result<String> {
    let mut page = PageQuery { cursor: None, limit: Some(200) };
    loop {
        let found: Page<Member> = api.get(&["members"], &page).await?;
        let here = |it: &&Member| it.user.email.to_string().eq_ignore_ascii_case(email);
        if let Some(member) = found.items.iter().find(here) {
            return Ok(member.user.id.to_string());
        }
        let next = found.next_cursor.with_context(|| format!("{email} is no member."))?;
        page.cursor = Some(next);
    }
}

fn members(members: &[Member]) -> String {
    let rows = members.iter().map(|it| {
        let roles = it.roles.iter().map(|held| format!("{} at {}", held.role, held.scope));
        let roles: Vec<_> = roles.collect();
        let invited = it.awaits_acceptance || it.invited_until.is_some();
        let state = match it.suspended_at {
            Some(at) => at.format("suspended since %Y-%m-%d %H:%M").to_string(),
            None if invited => "invited".to_owned(),
            None => String::new(),
        };
        [
            it.user.id.to_string(),
            it.user.email.to_string(),
            it.user.name.to_string(),
            roles.join(", "),
            state,
        ]
    });
    table(["Id", "E-mail", "Name", "Roles", "State"], rows)
}
