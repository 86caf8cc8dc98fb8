//! The register of AI use: which systems use which models for what, and who answers for them.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use ralex_kernel::{Money, Problem};
use ralex_store::problem;
use ralex_usage::Used;
use uuid::Uuid;

use crate::document::{Cell, Document, Table};
use crate::sql::register::{self, Owner, SetUp};
use crate::work::Work;

const SYSTEMS: &[(&str, &str)] = &[
    ("system", "System"),
    ("team", "Team"),
    ("project", "Project"),
    ("task_type", "Purpose"),
    ("model", "Model"),
    ("provider", "Provider"),
    ("region", "Region"),
    ("calls", "Calls"),
    ("failed", "Failed"),
    ("refused", "Refused"),
    ("input_tokens", "Tokens in"),
    ("output_tokens", "Tokens out"),
    ("cost", "Cost"),
    ("owner", "Answers for it"),
];
const VERSIONS: &[(&str, &str)] = &[
    ("model", "Model"),
    ("provider", "Provider"),
    ("version", "The provider's name for it"),
    ("calls", "Calls"),
    ("refused", "Refused"),
    ("guarded", "With findings of guardrails"),
    ("first_at", "First in period"),
    ("last_at", "Last in period"),
];
const MODELS: &[(&str, &str)] = &[
    ("model", "Model"),
    ("provider", "Provider"),
    ("kind", "Kind"),
    ("address", "Address"),
    ("version", "The provider's name for it"),
    ("region", "Region"),
    ("enabled", "In use"),
    ("retires_on", "Retires"),
];
const GUARDRAILS: &[(&str, &str)] = &[
    ("name", "Guardrail"),
    ("scope", "Where"),
    ("looks_for", "Looks for"),
    ("action", "What it does"),
    ("direction", "In or out"),
    ("enabled", "On"),
    ("updated_at", "Since"),
];
const APPROVALS: &[(&str, &str)] = &[("state", "State"), ("count", "Approvals")];

pub(crate) async fn document(work: &mut Work<'_>) -> Result<Document, Problem> {
    let (org, span) = (work.org(), work.span());
    let mut document = Document {
        about: "Which systems of this organisation used which models for what, how much, and what \
                oversees them. A system is a team's token, or a person, in its team and project. \
                Volumes and costs are exact: every call that ended within the period is in one row."
            .to_owned(),
        ..Document::default()
    };
    work.at(5, "Sums up usage").await?;
    let mut tx = work.tenant().await?;
    let team = work.team(&mut tx).await?;
    let models = register::models(&mut tx, org).await.map_err(problem)?;
    let owners = owners(register::owners(&mut tx, org).await.map_err(problem)?);
    let used = work.inner.usage.register(org, span.0, span.1, team).await?;
    totals(&mut document, &used);
    document.tables.push(systems(work, &used, &models, &owners)?);
    work.at(50, "Reads the models' versions").await?;
    let mut table = Table::new(
        "versions",
        "Models and versions",
        VERSIONS,
        "What was called, by the \
        name that each provider knows it by.",
    );
    for it in register::versions(&mut tx, org, team, span).await.map_err(problem)? {
        let row = vec![
            Cell::text(it.model),
            Cell::text(it.provider),
            Cell::text(it.upstream_model),
            Cell::Count(it.calls),
            Cell::Count(it.refused),
            Cell::Count(it.guarded),
            Cell::Time(it.first_at),
            Cell::Time(it.last_at),
        ];
        table.push(&mut work.room, row)?;
    }
    document.tables.push(table);
    document.tables.push(catalogue(work, models)?);
    work.at(80, "Reads what oversees them").await?;
    oversight(work, &mut tx, team, &mut document).await?;
    tx.rollback().await.map_err(problem)?;
    document.notes = vec![
        "The purpose is the kind of task that each prompt was classified as by itself; what a system \
         is for, its risk class, and who may stop it, is the organisation's to add."
            .to_owned(),
        "The region is what the model's settings say (residency); empty where they say nothing."
            .to_owned(),
        "Calls are counted in the period in which they began.".to_owned(),
    ];
    let note =
        "Volumes and costs count them; models and versions, with their first and last use, do not.";
    document.notes.extend(super::pruned(work, note).await?);
    Ok(document)
}

/// Who answers, by team; under nothing those of the organisation.
fn owners(rows: Vec<Owner>) -> HashMap<Option<Uuid>, BTreeSet<String>> {
    let mut owners: HashMap<_, BTreeSet<String>> = HashMap::new();
    for row in rows {
        owners.entry(row.team).or_default().insert(row.email);
    }
    owners
}

fn totals(document: &mut Document, used: &[Used]) {
    let sum =
        |of: fn(&Used) -> i64| Cell::Count(used.iter().map(of).fold(0_i64, i64::saturating_add));
    let cost = used.iter().fold(Money::nanos(0), |sum, it| sum.saturating_add(it.cost));
    let systems: BTreeSet<_> = used.iter().map(system).collect();
    let models: BTreeSet<_> = used.iter().map(|it| (&it.model, &it.provider)).collect();
    document.fact("systems", "Systems", Cell::count(systems.len() as u64));
    document.fact("models", "Models used", Cell::count(models.len() as u64));
    document.fact("calls", "Calls", sum(|it| it.calls));
    document.fact("failed", "Of which failed", sum(|it| it.failed));
    document.fact("refused", "Refused before they were sent", sum(|it| it.refused));
    document.fact("input_tokens", "Tokens in", sum(|it| it.input_tokens));
    document.fact("output_tokens", "Tokens out", sum(|it| it.output_tokens));
    document.fact("cost", "Cost", Cell::Money(cost));
}

/// What uses models: a token, or a person.
fn system(used: &Used) -> String {
    match (&used.token_name, &used.user_email, used.token) {
        (Some(token), _, _) => format!("token {token}"),
        (None, Some(person), Some(_)) => format!("{person}, by a personal token"),
        (None, Some(person), None) => format!("{person}, in the console"),
        (None, None, Some(token)) => format!("a token that is gone ({token})"),
        (None, None, None) => "somebody who left".to_owned(),
    }
}

fn systems(
    work: &mut Work<'_>,
    used: &[Used],
    models: &[SetUp],
    owners: &HashMap<Option<Uuid>, BTreeSet<String>>,
) -> Result<Table, Problem> {
    let about = "Every system, purpose and model with its exact volume.";
    let mut table = Table::new("systems", "Systems", SYSTEMS, about);
    let regions: BTreeMap<_, _> =
        models.iter().map(|it| ((&it.name, &it.provider), it.residency.join(", "))).collect();
    for it in used {
        let owner = owners.get(&it.team).or_else(|| owners.get(&None));
        let owner = owner.map(|owner| owner.iter().cloned().collect::<Vec<_>>().join(", "));
        let task = if it.task_type.is_empty() { "not told apart" } else { &it.task_type };
        let row = vec![
            Cell::text(system(it)),
            Cell::maybe(it.team_slug.clone()),
            Cell::maybe(it.project_slug.clone()),
            Cell::text(task),
            Cell::text(&it.model),
            Cell::text(&it.provider),
            Cell::maybe(regions.get(&(&it.model, &it.provider)).cloned()),
            Cell::Count(it.calls),
            Cell::Count(it.failed),
            Cell::Count(it.refused),
            Cell::Count(it.input_tokens),
            Cell::Count(it.output_tokens),
            Cell::Money(it.cost),
            Cell::maybe(owner),
        ];
        table.push(&mut work.room, row)?;
    }
    Ok(table)
}

fn catalogue(work: &mut Work<'_>, models: Vec<SetUp>) -> Result<Table, Problem> {
    let about = "Every model that is set up, used or not.";
    let mut table = Table::new("models", "Models set up", MODELS, about);
    for model in models {
        let row = vec![
            Cell::text(model.name),
            Cell::text(model.provider),
            Cell::text(model.kind),
            Cell::maybe(model.base_url),
            Cell::text(model.upstream_model),
            Cell::text(model.residency.join(", ")),
            Cell::Yes(model.enabled),
            Cell::maybe(model.retires_on),
        ];
        table.push(&mut work.room, row)?;
    }
    Ok(table)
}

async fn oversight(
    work: &mut Work<'_>,
    tx: &mut ralex_store::Tenant,
    team: Option<Uuid>,
    document: &mut Document,
) -> Result<(), Problem> {
    let (org, span) = (work.org(), work.span());
    let about = "What is looked for in prompts and answers, and what is done about it.";
    let mut table = Table::new("guardrails", "Guardrails", GUARDRAILS, about);
    for it in register::guardrails(tx, org, team).await.map_err(problem)? {
        let scope = match (it.team, it.project) {
            (_, Some(project)) => format!("project {project}"),
            (Some(team), None) => format!("team {team}"),
            (None, None) => "organisation".to_owned(),
        };
        let row = vec![
            Cell::text(it.name),
            Cell::text(scope),
            Cell::text(it.looks_for),
            Cell::text(it.action),
            Cell::text(it.direction),
            Cell::Yes(it.enabled),
            Cell::Time(it.updated_at),
        ];
        table.push(&mut work.room, row)?;
    }
    document.fact("guardrails", "Guardrails", Cell::count(table.rows.len() as u64));
    document.tables.push(table);
    let about = "Calls that waited for a person within the period, by how that ended.";
    let mut table = Table::new("approvals", "Approvals by people", APPROVALS, about);
    for it in register::approvals(tx, org, team, span).await.map_err(problem)? {
        table.push(&mut work.room, vec![Cell::text(it.state), Cell::Count(it.count)])?;
    }
    document.tables.push(table);
    Ok(())
}
