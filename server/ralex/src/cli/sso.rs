//! `ralex sso`: who vouches for an organisation's people, by a server's API.

mod links;

use std::fs;
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use ralex_api::sso::{EnforceSso, SsoEnforcement, SsoProvider, SsoProviders, SsoTested};
use serde_json::{Map, Value, json};

use super::Environment;
use super::api::{self, Api};
use super::table::{asked, facts, json_flag, table, told};

/// Where the client's secret is, so that it stands in no list of processes.
const SECRET: &str = "RALEX_SSO_CLIENT_SECRET";

pub fn command() -> Command {
    let provider = Arg::new("provider").value_name("PROVIDER").required(true);
    let provider = provider.help("The provider's slug or id");
    let create = Command::new("create").about("Add a provider of OpenID Connect");
    let update = Command::new("update").about("Change a provider; what is not named stays");
    let enforce = Command::new("enforce").about("Make a provider the only way in, or stop that");
    let glass = Arg::new("break-glass").long("break-glass").value_name("OWNER");
    let off = Arg::new("off").long("off").action(ArgAction::SetTrue);
    let links = links::commands(&provider);
    let all = [
        Command::new("list").about("List providers, and whether one is the only way in"),
        Command::new("show").about("Show a provider, and what it has to be told").arg(&provider),
        create
            .arg(Arg::new("slug").value_name("SLUG").required(true).help("Part of its addresses"))
            .arg(flag("issuer", "URL", "As it writes it itself, to the letter").required(true))
            .args(fields()),
        update.arg(&provider).args(fields()),
        Command::new("delete")
            .about("Delete a provider, with the sessions and roles that came of it")
            .arg(&provider),
        Command::new("test").about("Tell what a provider says of itself").arg(&provider),
        enforce.args([
            provider.required(false).required_unless_present("off"),
            glass
                .required_unless_present("off")
                .help("The one owner who may still come in by password, by e-mail or id"),
            off.conflicts_with_all(["provider", "break-glass"])
                .help("Let people come in in any way again"),
        ]),
    ];
    Command::new("sso")
        .about("See and set who vouches for people, and which roles their groups mean")
        .subcommand_required(true)
        .subcommands(all.into_iter().chain(links).map(|it| api::flags(it.arg(json_flag()))))
}

fn flag(name: &'static str, value: &'static str, help: &'static str) -> Arg {
    Arg::new(name).long(name).value_name(value).help(help)
}

fn fields() -> Vec<Arg> {
    let many = |arg: Arg| arg.action(ArgAction::Append);
    let switch =
        |name: &'static str, help| Arg::new(name).long(name).action(ArgAction::SetTrue).help(help);
    vec![
        flag("name", "NAME", "What people are shown"),
        flag("client-id", "ID", "What the provider knows Ralex by"),
        flag(
            "client-secret-file",
            "FILE",
            "A file with its secret, or else RALEX_SSO_CLIENT_SECRET",
        ),
        many(flag("scope", "SCOPE", "What is asked for beside openid; may be repeated")),
        flag("email-claim", "CLAIM", "Where the address is, email for example"),
        flag("verified-claim", "CLAIM", "What says that the address is really theirs"),
        flag("name-claim", "CLAIM", "Where the name is"),
        flag("groups-claim", "CLAIM", "Where the groups are"),
        many(flag("domain", "DOMAIN", "Whose addresses may be new here; may be repeated")),
        switch("create-members", "Give who is new an account when they log in"),
        switch("no-create-members", "Let only those in who are linked")
            .conflicts_with("create-members"),
        flag("default-role", "ROLE", "What everybody holds who comes in; empty for nothing"),
        many(flag("map", "GROUP=ROLE[@SCOPE]", "The role that a group means; may be repeated")),
        switch("no-map", "Let groups mean nothing").conflicts_with("map"),
        flag("minutes", "MINUTES", "How long a session lasts").value_parser(value_parser!(u32)),
        switch("enable", "Let people come in by it"),
        switch("disable", "Let nobody in by it, and end the sessions that it opened")
            .conflicts_with("enable"),
    ]
}

pub fn run(matches: &ArgMatches, environment: &Environment) -> ExitCode {
    match matches.subcommand() {
        Some((verb, matches)) => {
            asked(matches, environment, async |api| act(&api, verb, matches, environment).await)
        }
        None => ExitCode::from(3),
    }
}

async fn act(
    api: &Api,
    verb: &str,
    matches: &ArgMatches,
    environment: &Environment,
) -> anyhow::Result<ExitCode> {
    let text = |name| matches.get_one::<String>(name).cloned();
    let all = ["sso", "providers"];
    if verb == "list" {
        let found: SsoProviders = api.get(&all, &()).await?;
        return told(&found, matches, list);
    }
    if verb == "create" {
        let mut body = body(matches, environment)?;
        body.insert("slug".into(), json!(text("slug")));
        body.insert("issuer".into(), json!(text("issuer")));
        let slug = json!(text("slug"));
        body.entry("name").or_insert(slug);
        if !body.contains_key("client_secret") {
            bail!("No secret. Put it into {SECRET}, or name a file with --client-secret-file.");
        }
        let made: SsoProvider = api.post(&all, &body).await?;
        return told(&made, matches, shown);
    }
    if verb == "enforce" {
        return enforce(api, matches).await;
    }
    if let Some(done) = links::act(api, verb, matches).await {
        return done;
    }
    let provider = text("provider").context("no provider")?;
    let path = ["sso", "providers", provider.as_str()];
    match verb {
        "update" => {
            let after: SsoProvider = api.patch(&path, &body(matches, environment)?).await?;
            told(&after, matches, shown)
        }
        "test" => {
            let path = [path[0], path[1], path[2], "test"];
            let tested: SsoTested = api.post(&path, &json!({})).await?;
            let done = told(&tested, matches, |it| trial(&provider, it))?;
            Ok(if tested.passed { done } else { ExitCode::FAILURE })
        }
        "delete" => {
            api.delete(&path).await?;
            let gone = json!({ "provider": provider, "deleted": true });
            told(&gone, matches, |_| format!("Nobody comes in by {provider} any more."))
        }
        _ => {
            let found: SsoProvider = api.get(&path, &()).await?;
            told(&found, matches, shown)
        }
    }
}

async fn enforce(api: &Api, matches: &ArgMatches) -> anyhow::Result<ExitCode> {
    let path = ["sso", "enforcement"];
    if matches.get_flag("off") {
        api.delete(&path).await?;
        let off = json!({ "enforced": false });
        return told(&off, matches, |_| "People come in in any way again.".to_owned());
    }
    let text = |name: &str| matches.get_one::<String>(name).cloned();
    let wished = EnforceSso {
        provider: text("provider").context("no provider")?,
        break_glass: text("break-glass").context("no owner")?,
    };
    let now: SsoEnforcement = api.put(&path, &wished).await?;
    told(&now, matches, only_way)
}

/// What the flags say, as the API takes it. A secret is in no type that could be shown.
fn body(matches: &ArgMatches, environment: &Environment) -> anyhow::Result<Map<String, Value>> {
    let text = |name: &str| matches.get_one::<String>(name).cloned();
    let texts =
        |name: &str| matches.get_many::<String>(name).map(|all| all.cloned().collect::<Vec<_>>());
    let mut body = Map::new();
    let mut put = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            body.insert(name.to_owned(), value);
        }
    };
    put("name", text("name").map(Value::from));
    put("client_id", text("client-id").map(Value::from));
    put("client_secret", secret(matches, environment)?.map(Value::from));
    put("scopes", texts("scope").map(Value::from));
    put("domains", texts("domain").map(Value::from));
    put("default_role", text("default-role").map(Value::from));
    put("session_minutes", matches.get_one::<u32>("minutes").copied().map(Value::from));
    let mut claims = Map::new();
    for (flag, name) in [
        ("email-claim", "email"),
        ("verified-claim", "email_verified"),
        ("name-claim", "name"),
        ("groups-claim", "groups"),
    ] {
        claims.extend(text(flag).map(|claim| (name.to_owned(), Value::from(claim))));
    }
    put("claims", (!claims.is_empty()).then(|| Value::from(claims)));
    let switched = |on: &str, off: &str| {
        let (on, off) = (matches.get_flag(on), matches.get_flag(off));
        (on || off).then_some(Value::from(on))
    };
    put("create_members", switched("create-members", "no-create-members"));
    put("enabled", switched("enable", "disable"));
    let mappings = texts("map").map(|all| all.iter().map(|it| mapping(it)).collect());
    let none = matches.get_flag("no-map").then(|| Ok(Vec::new()));
    let mappings: Option<anyhow::Result<Vec<Value>>> = mappings.or(none);
    put("mappings", mappings.transpose()?.map(Value::from));
    Ok(body)
}

fn secret(matches: &ArgMatches, environment: &Environment) -> anyhow::Result<Option<String>> {
    let Some(file) = matches.get_one::<String>("client-secret-file") else {
        return Ok(environment.get(SECRET).filter(|it| !it.is_empty()).cloned());
    };
    let read = fs::read_to_string(file).with_context(|| format!("{file}: no secret"))?;
    Ok(Some(read.trim().to_owned()))
}

/// `eng=developer@team:blue`. A group may hold both signs, so the last of each counts.
fn mapping(text: &str) -> anyhow::Result<Value> {
    let wrong = || format!("--map {text}: write GROUP=ROLE or GROUP=ROLE@SCOPE");
    let (group, role) = text.rsplit_once('=').with_context(wrong)?;
    let (role, scope) = role.split_once('@').unwrap_or((role, "org"));
    Ok(json!({ "group": group, "role": role, "scope": scope }))
}

fn list(all: &SsoProviders) -> String {
    let rows = all.items.iter().map(|it| {
        let state = if it.enabled { "enabled" } else { "disabled" };
        let used = it.used_at.map(|at| at.format("%Y-%m-%d %H:%M").to_string());
        [
            it.slug.to_string(),
            it.name.to_string(),
            it.issuer.clone(),
            state.to_owned(),
            used.unwrap_or_else(|| "never".to_owned()),
        ]
    });
    let table = table(["Slug", "Name", "Issuer", "State", "Used"], rows);
    match &all.enforcement {
        Some(rule) => format!("{table}\n\n{}", only_way(rule)),
        None => table,
    }
}

fn only_way(rule: &SsoEnforcement) -> String {
    format!(
        "People come in by {} only. {} may still log in with a password.",
        rule.provider, rule.break_glass_email
    )
}

fn shown(it: &SsoProvider) -> String {
    let mut all = vec![
        ("issuer", it.issuer.clone()),
        ("client", it.client_id.clone()),
        ("callback", it.callback_url.clone()),
        ("logout", it.logout_url.clone()),
        ("scopes", it.scopes.join(" ")),
        ("domains", it.domains.join(" ")),
        ("state", if it.enabled { "enabled" } else { "disabled" }.to_owned()),
        ("new people", if it.create_members { "get an account" } else { "stay out" }.to_owned()),
        ("sessions", format!("{} minutes", it.session_minutes)),
    ];
    all.extend(it.default_role.iter().map(|role| ("everybody", role.to_string())));
    for mapping in &it.mappings {
        all.push(("group", format!("{} is {} at {}", mapping.group, mapping.role, mapping.scope)));
    }
    let tested = it.tested_at.map(|at| at.format("%Y-%m-%d %H:%M").to_string());
    all.push(("tested", tested.unwrap_or_else(|| "not as it is set now".to_owned())));
    facts(&format!("{} ({})", it.name, it.slug), &all)
}

fn trial(provider: &str, it: &SsoTested) -> String {
    let mut all = vec![("result", it.detail.clone())];
    all.extend(it.authorization_endpoint.iter().map(|url| ("logs in at", url.clone())));
    all.extend(it.token_endpoint.iter().map(|url| ("tokens from", url.clone())));
    all.extend(it.keys.iter().map(|key| ("key", format!("{} {}", key.algorithm, key.kid))));
    all.extend(it.warnings.iter().map(|warning| ("note", warning.clone())));
    facts(provider, &all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_may_be_an_address_or_a_path() {
        let read = |text| mapping(text).unwrap();
        assert_eq!(read("eng=viewer"), json!({ "group": "eng", "role": "viewer", "scope": "org" }));
        let path = json!({ "group": "cn=a@x,dc=b", "role": "admin", "scope": "team:blue" });
        assert_eq!(read("cn=a@x,dc=b=admin@team:blue"), path);
        assert!(mapping("eng").is_err());
    }
}
