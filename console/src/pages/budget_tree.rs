//! The tree of budgets: each below the place that its calls are also counted at.

use std::collections::BTreeMap;

use ralex_api::budgets::Budget;
use yew::prelude::*;

/// The budgets of one team, its own and those of its projects by their slugs.
#[derive(Default)]
struct Team<'a> {
    own: Vec<&'a Budget>,
    projects: BTreeMap<&'a str, Vec<&'a Budget>>,
}

/// Shows the organisation's own budgets, and those of people, first; then those of each team with
/// its projects. A call counts on those of its branch, from the top down.
pub fn tree(budgets: &[Budget], card: impl Fn(&Budget) -> Html) -> Html {
    let (mut top, mut teams) = (Vec::new(), BTreeMap::<&str, Team<'_>>::new());
    for budget in budgets {
        match (&budget.team, &budget.project) {
            (None, _) => top.push(budget),
            (Some(team), None) => teams.entry(team).or_default().own.push(budget),
            (Some(team), Some(project)) => {
                let team = teams.entry(team).or_default();
                team.projects.entry(project).or_default().push(budget);
            }
        }
    }
    let cards = |mut of: Vec<&Budget>| {
        of.sort_by_key(|budget| rank(&budget.scope));
        if of.is_empty() {
            return html! { <p class="faint">{ "No budget of its own." }</p> };
        }
        html! { <ul class="budgets">{ for of.into_iter().map(&card) }</ul> }
    };
    html! {
        <>
            if !top.is_empty() { { cards(top) } }
            { for teams.into_iter().map(|(slug, team)| html! {
                <section key={slug.to_owned()} class="budget-branch" aria-label={format!("Team {slug}")}>
                    <h2 class="label">{ format!("Team {slug}") }</h2>
                    { cards(team.own) }
                    { for team.projects.into_iter().map(|(slug, own)| html! {
                        <section key={slug.to_owned()} class="budget-branch" aria-label={format!("Project {slug}")}>
                            <h2 class="label">{ format!("Project {slug}") }</h2>
                            { cards(own) }
                        </section>
                    }) }
                </section>
            }) }
        </>
    }
}

/// Of one place, its own budgets first, then those of people, programs and tokens there.
fn rank(scope: &str) -> u8 {
    match scope.split_once(':').map(|(kind, _)| kind) {
        Some("user") => 1,
        Some("service_account") => 2,
        Some("token") => 3,
        Some(_) | None => 0,
    }
}
