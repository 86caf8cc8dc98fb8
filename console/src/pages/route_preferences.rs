//! Preferences: what the organisation, its teams and its projects want of routing.

use std::rc::Rc;

use ralex_api::identity::{Project, Team};
use ralex_api::routing::{Preference, PreferenceRules, SetPreference};
use ralex_kernel::ScopePath;
use yew::prelude::*;

use super::preference_form::PreferenceForm;
use crate::api;
use crate::components::{
    Button, Column, Confirm, Empty, Head, Icon, IconButton, Kind, Table, When, show, use_toast,
};
use crate::hooks::{keep, use_action, use_load};
use crate::session::use_org;

const COLUMNS: [Column; 4] =
    [Column::text("For"), Column::text("Rules"), Column::text("Changed").wide(), Column::text("")];

/// What the page and its form know.
#[derive(PartialEq)]
pub struct Known {
    pub preferences: Vec<Preference>,
    teams: Vec<Team>,
    projects: Vec<Project>,
    /// Models and aliases.
    pub models: Vec<String>,
    /// Routes that are on, aliases and models.
    pub names: Vec<String>,
}

impl Known {
    async fn find(org: String, teams: bool) -> api::client::Answer<Self> {
        let preferences = api::routing::preferences(&org).await?.items;
        let routes = api::routing::routes(&org).await?.items;
        let aliases = api::routing::aliases(&org).await?.items;
        let models = api::catalog::models(&org).await?.items;
        let (teams, projects) = if teams {
            let teams = api::identity::teams(&org, None).await?.items;
            (teams, api::identity::projects(&org, None).await?.items)
        } else {
            (Vec::new(), Vec::new())
        };
        let models: Vec<String> = models
            .into_iter()
            .map(|model| model.name)
            .chain(aliases.into_iter().map(|alias| alias.name))
            .collect();
        let routes = routes.into_iter().filter(|route| route.enabled).map(|route| route.name);
        let names = routes.chain(models.iter().cloned()).collect();
        Ok(Self { preferences, teams, projects, models, names })
    }

    /// Every place that has no rules of its own yet.
    pub fn free(&self) -> Vec<ScopePath> {
        let teams = self.teams.iter().map(|team| ScopePath::Team { team: team.id });
        let projects = self
            .projects
            .iter()
            .map(|project| ScopePath::Project { team: project.team, project: project.id });
        let all = std::iter::once(ScopePath::Org).chain(teams).chain(projects);
        all.filter(|scope| self.preferences.iter().all(|one| one.scope != *scope)).collect()
    }

    pub fn name(&self, scope: ScopePath) -> String {
        match scope {
            ScopePath::Org => "Organisation".to_owned(),
            ScopePath::Team { team } => {
                let found = self.teams.iter().find(|one| one.id == team);
                found.map_or_else(|| format!("Team {team}"), |one| format!("Team {}", one.name))
            }
            ScopePath::Project { project, .. } => {
                let found = self.projects.iter().find(|one| one.id == project);
                found.map_or_else(
                    || format!("Project {project}"),
                    |one| format!("Project {} of {}", one.name, one.team_slug),
                )
            }
        }
    }
}

#[derive(Clone, PartialEq)]
enum Over {
    Nothing,
    Create,
    Edit(Box<Preference>),
    Remove(Box<Preference>),
}

#[derive(Properties, PartialEq)]
pub struct Props {
    /// The way to the page's other parts.
    pub tabs: Html,
}

#[component]
pub fn Preferences(props: &Props) -> Html {
    let org = use_org();
    let over = use_state(|| Over::Nothing);
    let toast = use_toast();
    let missing = org.blocked("model.configure");
    let wants = (org.slug(), org.can("team.read"));
    let (load, again) = use_load(wants, |(org, teams)| Known::find(org, teams));
    let open = keep(&over);
    let onclose = open.reform(|()| Over::Nothing);
    let ondone = {
        let (close, again) = (onclose.clone(), again.clone());
        Callback::from(move |said: AttrValue| {
            close.emit(());
            again.emit(());
            toast.emit(said);
        })
    };
    let full = load.ready().is_some_and(|known| known.free().is_empty());
    let taken = full.then(|| "Every team and project has preferences; edit them below.".into());
    html! {
        <>
            <Head title="Routes" lead="Which models the organisation, a team or a project may use and likes. What is banned above stays banned below; the nearest other rules hold.">
                <Button kind={Kind::Primary} icon={Icon::Plus} blocked={missing.clone().or(taken)} onclick={open.reform(|()| Over::Create)}>{ "Add preferences" }</Button>
            </Head>
            { props.tabs.clone() }
            { show(&load, &again, |known| html! {
                <>
                    { table(known, missing.is_none(), &open) }
                    { overlay(&over, known, &ondone, &onclose) }
                </>
            }) }
        </>
    }
}

fn table(known: &Known, may: bool, open: &Callback<Over>) -> Html {
    if known.preferences.is_empty() {
        return html! {
            <Empty icon={Icon::List} title="No preferences yet">
                <p>{ "Every team may use every model, and none is preferred." }</p>
            </Empty>
        };
    }
    html! {
        <Table caption="Preferences" columns={COLUMNS.to_vec()}>
            { for known.preferences.iter().map(|one| row(known, one, may, open)) }
        </Table>
    }
}

fn row(known: &Known, one: &Preference, may: bool, open: &Callback<Over>) -> Html {
    let (edit, remove) = (Box::new(one.clone()), Box::new(one.clone()));
    let name = known.name(one.scope);
    html! {
        <tr key={name.clone()}>
            <td class="strong">{ name.clone() }</td>
            <td>{ told(&one.rules) }</td>
            <td class="wide"><When at={one.updated_at} /></td>
            <td class="number">
                if may {
                    <IconButton icon={Icon::Edit} label={format!("Edit the preferences of {name}")} onclick={open.reform(move |()| Over::Edit(edit.clone()))} />
                    <IconButton icon={Icon::Trash} label={format!("Remove the preferences of {name}")} onclick={open.reform(move |()| Over::Remove(remove.clone()))} />
                }
            </td>
        </tr>
    }
}

fn overlay(
    over: &Over,
    known: &Rc<Known>,
    ondone: &Callback<AttrValue>,
    onclose: &Callback<()>,
) -> Html {
    let (known, ondone, onclose) = (Rc::clone(known), ondone.clone(), onclose.clone());
    match over {
        Over::Nothing => Html::default(),
        Over::Create => {
            html! { <PreferenceForm {known} old={None::<Preference>} {ondone} {onclose} /> }
        }
        Over::Edit(one) => {
            html! { <PreferenceForm {known} old={Some((**one).clone())} {ondone} {onclose} /> }
        }
        Over::Remove(one) => {
            html! { <Remove name={known.name(one.scope)} scope={one.scope} {ondone} {onclose} /> }
        }
    }
}

#[derive(Properties, PartialEq)]
struct RemoveProps {
    name: String,
    scope: ScopePath,
    ondone: Callback<AttrValue>,
    onclose: Callback<()>,
}

#[component]
fn Remove(props: &RemoveProps) -> Html {
    let (slug, scope) = (use_org().slug(), props.scope);
    let said = AttrValue::from(format!("The preferences of {} are removed.", props.name));
    let remove = use_action(props.ondone.reform(move |_| said.clone()));
    let (running, problem) = (remove.running(), remove.problem());
    let onconfirm = Callback::from(move |()| {
        let rules = PreferenceRules::default();
        let set = SetPreference { team: scope.team(), project: scope.project(), rules };
        remove.run(api::routing::set_preference(&slug, set));
    });
    html! {
        <Confirm title={format!("Remove the preferences of {}?", props.name)} verb="Remove preferences" {running} {problem} {onconfirm} onclose={props.onclose.clone()}>
            <p>{ "Calls follow the rules above it from then on; models that only it banned may be used again." }</p>
        </Confirm>
    }
}

/// Rules in a sentence.
fn told(rules: &PreferenceRules) -> String {
    let mut parts = Vec::new();
    for (what, words) in [
        ("prefers", &rules.preferred),
        ("bans", &rules.banned),
        ("processed only in", &rules.residency),
        ("labelled", &rules.labels),
    ] {
        if !words.is_empty() {
            parts.push(format!("{what} {}", words.join(", ")));
        }
    }
    if let Some(route) = &rules.default_route {
        let unknown = if rules.catch_all { ", also for unknown names" } else { "" };
        parts.push(format!("default is {route}{unknown}"));
    }
    if rules.no_override {
        parts.push("callers cannot override".to_owned());
    }
    if let Some(priority) = rules.priority {
        parts.push(format!("{priority} priority"));
    }
    parts.join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_told_in_a_sentence() {
        let rules = PreferenceRules {
            banned: vec!["a".to_owned(), "b".to_owned()],
            default_route: Some("auto".to_owned()),
            catch_all: true,
            residency: vec!["eu".to_owned()],
            no_override: true,
            ..PreferenceRules::default()
        };
        let sentence = "bans a, b; processed only in eu; default is auto, also for unknown \
                        names; callers cannot override";
        assert_eq!(told(&rules), sentence);
        assert_eq!(told(&PreferenceRules::default()), "");
    }
}
