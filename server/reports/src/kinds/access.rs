//! Access review: who holds which role where, who gave it, who came last and when, what changed.

use std::collections::{BTreeSet, HashMap};

use chrono::TimeDelta;
use ralex_access::Permission;
use ralex_kernel::Problem;
use ralex_store::problem;
use uuid::Uuid;

use crate::document::{Cell, Document, Table};
use crate::sql::events::{self, Told};
use crate::sql::people::{self, Binding, Person, PersonalToken, Seen, TeamToken};
use crate::work::{EVENT_COLUMNS, Work};

/// Who holds one of these can widen rights, reach keys, or decide about the record of it.
const PRIVILEGES: [Permission; 15] = [
    Permission::OrgUpdate,
    Permission::SecurityManage,
    Permission::MemberInvite,
    Permission::MemberRemove,
    Permission::GroupManage,
    Permission::RoleDefine,
    Permission::RoleBind,
    Permission::TokenCreate,
    Permission::ProviderConfigure,
    Permission::SecretCreate,
    Permission::SecretRotate,
    Permission::SecretDelete,
    Permission::GuardrailSet,
    Permission::AuditForward,
    Permission::AuditRetain,
];
const DORMANT: TimeDelta = TimeDelta::days(90);

const PEOPLE: &[(&str, &str)] = &[
    ("email", "E-mail"),
    ("name", "Name"),
    ("roles", "Roles"),
    ("privileged", "Privileged"),
    ("joined_at", "Joined"),
    ("last_login_at", "Last login"),
    ("last_use_at", "Last use"),
    ("disabled_at", "Disabled"),
    ("suspended_at", "Suspended"),
    ("id", "Id"),
];
const ROLES: &[(&str, &str)] = &[
    ("subject", "Who"),
    ("kind", "Kind"),
    ("role", "Role"),
    ("scope", "Where"),
    ("effect", "Effect"),
    ("privileged", "Privileged"),
    ("not_before", "From"),
    ("expires_at", "Until"),
    ("given_by", "Given by"),
    ("given_at", "Given at"),
    ("event_index", "Event"),
    ("id", "Id"),
];
const TOKENS: &[(&str, &str)] = &[
    ("name", "Token"),
    ("kind", "Kind"),
    ("holder", "Of"),
    ("models", "Models"),
    ("created_by", "Made by"),
    ("created_at", "Made"),
    ("expires_at", "Until"),
    ("last_use_at", "Last use"),
    ("revoked_at", "Revoked"),
    ("id", "Id"),
];

/// What was read, before it is told.
struct Read {
    people: Vec<Person>,
    bindings: Vec<Binding>,
    given: HashMap<String, Told>,
    seen: HashMap<Uuid, Seen>,
    personal: Vec<PersonalToken>,
    tokens: Vec<TeamToken>,
    privileged: BTreeSet<String>,
}

pub(crate) async fn document(work: &mut Work<'_>) -> Result<Document, Problem> {
    work.at(5, "Reads people and roles").await?;
    let read = read(work).await?;
    let mut document = Document {
        about: "Who can do what in this organisation, as it stood when the report was made, and what \
                changed within the period. It is the whole population, made by the system; deciding \
                about each right, and signing for it, is the reviewer's."
            .to_owned(),
        sign_off: true,
        ..Document::default()
    };
    work.at(40, "Tells of each right").await?;
    facts(&mut document, work, &read);
    document.tables.push(people_table(work, &read)?);
    document.tables.push(roles_table(work, &read)?);
    document.tables.push(tokens_table(work, &read)?);
    work.at(70, "Reads what changed").await?;
    let mut tx = work.tenant().await?;
    let actions = [
        "member.added",
        "member.removed",
        "role.bound",
        "role.unbound",
        "role.created",
        "role.updated",
        "role.deleted",
        "group.deleted",
        "group.member_added",
        "group.member_removed",
        "service_account.created",
        "service_account.updated",
        "token.created",
        "token.revoked",
        "personal_token.created",
        "personal_token.revoked",
    ];
    let about =
        "People, roles and tokens that came and went within the period, from the audit log.";
    let table = Table::new("changes", "Changes", EVENT_COLUMNS, about);
    let table = work.events(&mut tx, &actions, table, |_| true).await?;
    document.tables.push(table);
    tx.rollback().await.map_err(problem)?;
    document.notes = notes(work);
    document.verify = vec![
        "Each right names the index of the event that gave it. The event is in any export of the \
         audit log, with its place in the signed tree."
            .to_owned(),
    ];
    Ok(document)
}

async fn read(work: &Work<'_>) -> Result<Read, Problem> {
    let org = work.org();
    let mut tx = work.tenant().await?;
    let team = work.team(&mut tx).await?;
    let bindings = people::bindings(&mut tx, org, team).await.map_err(problem)?;
    let mut all = people::people(&mut tx, org).await.map_err(problem)?;
    if team.is_some() {
        let reach: BTreeSet<Uuid> =
            bindings.iter().flat_map(|it| it.people.iter().copied()).collect();
        all.retain(|person| reach.contains(&person.id));
    }
    let tokens = people::team_tokens(&mut tx, org, team, work.frame.from).await.map_err(problem)?;
    let targets: Vec<String> = bindings.iter().map(|it| format!("binding:{}", it.id)).collect();
    let given = events::last_of_targets(&mut tx, org, "role.bound", &targets).await;
    let given = given.map_err(problem)?;
    tx.rollback().await.map_err(problem)?;
    let ids: Vec<Uuid> = all.iter().map(|person| person.id).collect();
    let mut tx = work.system().await?;
    let seen = people::seen(&mut tx, &ids).await.map_err(problem)?;
    let personal =
        people::personal_tokens(&mut tx, org, &ids, work.frame.from).await.map_err(problem)?;
    tx.rollback().await.map_err(problem)?;
    let is_privileged = |permissions: &[String]| {
        PRIVILEGES.iter().any(|it| permissions.iter().any(|name| name == it.as_str()))
    };
    let roles = work.inner.access.roles(org).await?.into_iter();
    let privileged = roles.filter(|role| is_privileged(&role.permissions)).map(|role| role.name.0);
    Ok(Read {
        people: all,
        given: given.into_iter().filter_map(|it| Some((it.target.clone()?, it))).collect(),
        bindings,
        seen: seen.into_iter().map(|seen| (seen.person, seen)).collect(),
        personal,
        tokens,
        privileged: privileged.collect(),
    })
}

impl Read {
    fn is_privileged(&self, binding: &Binding) -> bool {
        binding.effect == "allow" && self.privileged.contains(&binding.role)
    }

    /// Whether a person holds any right that is privileged.
    fn rules(&self, person: Uuid) -> bool {
        self.bindings.iter().any(|it| it.people.contains(&person) && self.is_privileged(it))
    }

    fn login(&self, person: Uuid) -> Option<&Seen> {
        self.seen.get(&person)
    }

    /// The last use by the console or by a token.
    fn used_at(&self, person: Uuid) -> Option<chrono::DateTime<chrono::Utc>> {
        let tokens = self.personal.iter().filter(|token| token.person == person);
        let tokens = tokens.filter_map(|token| token.used_at);
        self.login(person).and_then(|seen| seen.used_at).into_iter().chain(tokens).max()
    }
}

fn facts(document: &mut Document, work: &Work<'_>, read: &Read) {
    let to = work.frame.to;
    let count = |it: usize| Cell::count(it as u64);
    let privileged = read.people.iter().filter(|it| read.rules(it.id)).count();
    let never = read.people.iter().filter(|it| read.used_at(it.id).is_none()).count();
    let dormant =
        read.people.iter().filter(|it| read.used_at(it.id).is_some_and(|at| at < to - DORMANT));
    let live = |revoked: Option<chrono::DateTime<chrono::Utc>>,
                until: Option<chrono::DateTime<chrono::Utc>>| {
        revoked.is_none() && until.is_none_or(|until| until > to)
    };
    let (teams, personal) = (&read.tokens, &read.personal);
    document.fact("people", "People", count(read.people.len()));
    document.fact("privileged_people", "People with privileged rights", count(privileged));
    document.fact("never_used", "People who never came", count(never));
    document.fact("dormant", "People who did not come for 90 days", count(dormant.count()));
    document.fact("rights", "Rights given", count(read.bindings.len()));
    let own = teams.iter().filter(|it| live(it.revoked_at, it.expires_at)).count();
    document.fact("team_tokens", "Team tokens in force", count(own));
    let own = personal.iter().filter(|it| live(it.revoked_at, it.expires_at)).count();
    document.fact("personal_tokens", "Personal tokens in force", count(own));
    let endless = teams.iter().filter(|it| it.revoked_at.is_none() && it.expires_at.is_none());
    document.fact("endless_tokens", "Team tokens without an end", count(endless.count()));
}

fn people_table(work: &mut Work<'_>, read: &Read) -> Result<Table, Problem> {
    let about = "Everybody in the organisation, or with a right that reaches the team.";
    let mut table = Table::new("people", "People", PEOPLE, about);
    for person in &read.people {
        let roles = read.bindings.iter().filter(|it| it.people.contains(&person.id));
        let roles: Vec<String> = roles.map(role).collect();
        let row = vec![
            Cell::text(&person.email),
            Cell::text(&person.name),
            Cell::text(roles.join(", ")),
            Cell::Yes(person.suspended_at.is_none() && read.rules(person.id)),
            Cell::Time(person.joined_at),
            Cell::time(read.login(person.id).and_then(|seen| seen.login_at)),
            Cell::time(read.used_at(person.id)),
            Cell::time(person.disabled_at),
            Cell::time(person.suspended_at),
            Cell::text(person.id.to_string()),
        ];
        table.push(&mut work.room, row)?;
    }
    Ok(table)
}

fn roles_table(work: &mut Work<'_>, read: &Read) -> Result<Table, Problem> {
    let population: Vec<String> = read.bindings.iter().map(|it| it.id.to_string()).collect();
    let selected = work.select(&population);
    let about = match &selected {
        None => "Every right that is given.".to_owned(),
        Some(selected) => {
            format!("A random sample: {} of {} rights.", selected.len(), population.len())
        }
    };
    let mut table = Table::new("rights", "Rights", ROLES, about);
    for binding in &read.bindings {
        let id = binding.id.to_string();
        if selected.as_ref().is_some_and(|selected| !selected.contains(&id)) {
            continue;
        }
        let given = read.given.get(&format!("binding:{id}"));
        let subject = binding.subject.clone().unwrap_or_else(|| binding.subject_id.to_string());
        let by = given.and_then(|told| told.by.clone());
        let row = vec![
            Cell::text(subject),
            Cell::text(kind(binding)),
            Cell::text(&binding.role),
            Cell::text(scope(binding)),
            Cell::text(&binding.effect),
            Cell::Yes(read.is_privileged(binding)),
            Cell::time(binding.not_before),
            Cell::time(binding.expires_at),
            Cell::text(by.unwrap_or_else(|| "the log no longer tells".to_owned())),
            Cell::Time(given.map_or(binding.created_at, |told| told.at)),
            given.and_then(|told| told.index).map_or(Cell::Empty, Cell::Count),
            Cell::text(id),
        ];
        table.push(&mut work.room, row)?;
    }
    Ok(table)
}

fn tokens_table(work: &mut Work<'_>, read: &Read) -> Result<Table, Problem> {
    let about = "Every token that is in force or ended within the period; never its secret. A team's \
                 token and a service account's have the rights of their team or project, a personal \
                 one those of its person.";
    let mut table = Table::new("tokens", "Tokens", TOKENS, about);
    for token in &read.tokens {
        let place = token.project.as_ref().map(|project| format!("{} / {project}", token.team));
        let place = place.unwrap_or_else(|| token.team.clone());
        let (kind, holder) = match &token.account {
            Some(account) => ("service account", format!("{account}, of {place}")),
            None => ("team", place),
        };
        let models = token.models.as_ref().map(|models| models.join(", "));
        let row = vec![
            Cell::text(&token.name),
            Cell::text(kind),
            Cell::text(holder),
            Cell::text(models.unwrap_or_else(|| "all".to_owned())),
            Cell::maybe(token.created_by.clone()),
            Cell::Time(token.created_at),
            Cell::time(token.expires_at),
            Cell::time(token.used_at),
            Cell::time(token.revoked_at),
            Cell::text(token.id.to_string()),
        ];
        table.push(&mut work.room, row)?;
    }
    for token in &read.personal {
        let person = read.people.iter().find(|it| it.id == token.person);
        let email = person.map(|it| it.email.clone()).unwrap_or_default();
        let row = vec![
            Cell::text(&token.name),
            Cell::text("personal"),
            Cell::text(&email),
            Cell::text(models(token)),
            Cell::text(&email),
            Cell::Time(token.created_at),
            Cell::time(token.expires_at),
            Cell::time(token.used_at),
            Cell::time(token.revoked_at),
            Cell::text(token.id.to_string()),
        ];
        table.push(&mut work.room, row)?;
    }
    Ok(table)
}

/// The models that a personal token may use; what another organisation calls its own is counted and not named.
fn models(token: &PersonalToken) -> String {
    let Some(models) = &token.models else { return "all".to_owned() };
    let others = match token.other_models {
        0 => None,
        1 => Some("1 that is not here".to_owned()),
        many => Some(format!("{many} that are not here")),
    };
    models.iter().cloned().chain(others).collect::<Vec<_>>().join(", ")
}

fn kind(binding: &Binding) -> &'static str {
    match binding.subject_kind.as_str() {
        "user" => "person",
        "grp" => "group",
        _ => "program",
    }
}

/// A role as a person holds it: where, and by which group.
fn role(binding: &Binding) -> String {
    let denied = if binding.effect == "deny" { "not " } else { "" };
    let by = match (kind(binding), &binding.subject) {
        ("group", Some(name)) => format!(", by {name}"),
        _ => String::new(),
    };
    format!("{denied}{} ({}{by})", binding.role, scope(binding))
}

fn scope(binding: &Binding) -> String {
    match (&binding.team, &binding.project) {
        (_, Some(project)) => format!("project {project}"),
        (Some(team), None) => format!("team {team}"),
        (None, None) => "organisation".to_owned(),
    }
}

fn notes(work: &Work<'_>) -> Vec<String> {
    let names: Vec<&str> = PRIVILEGES.iter().map(|it| it.as_str()).collect();
    let mut notes = vec![
        format!("Privileged is a right whose role holds one of: {}.", names.join(", ")),
        "Logins and uses are of the account, which may belong to several organisations.".to_owned(),
        "Who has a second factor, and whom an identity provider knows, is counted in the control \
         evidence."
            .to_owned(),
    ];
    if work.frame.filters.team.is_some() {
        notes.push(
            "With a team: its own rights and those of the whole organisation, which reach it."
                .to_owned(),
        );
    }
    notes
}
