//! Routes: names that mean a choice of models, what would be chosen, and what that saved; beside
//! them what scopes prefer, and how models are ranked.

use ralex_api::routing::{Alias, Pick, Route, RouteSpec, RouteStep, UpdateRoute};
use yew::prelude::*;

use super::route_form::{AliasForm, RouteForm, delete_alias, delete_route};
use super::route_preferences::Preferences;
use super::route_report::RouteReport;
use super::route_settings::Settings;
use super::route_try::TryRoute;
use crate::api;
use crate::components::segments::Segments;
use crate::components::{
    Badge, Button, Column, Failed, Head, Icon, IconButton, Kind, Table, Tone, show, use_toast,
};
use crate::hooks::{keep, use_action, use_load, use_query};
use crate::session::use_org;
use crate::text::borrowed::digits;
use crate::text::query::Query;

/// What is open over the page.
#[derive(Clone, PartialEq)]
pub enum Over {
    Nothing,
    Create,
    Edit(Box<Route>),
    Delete(Box<Route>),
    AddAlias,
    DeleteAlias(Box<Alias>),
}

const COLUMNS: [Column; 4] = [
    Column::text("Name"),
    Column::text("What it does"),
    Column::text("State").wide(),
    Column::text(""),
];
const ALIASES: [Column; 3] = [Column::text("Alias"), Column::text("Means"), Column::text("")];

/// The parts of the page, as the address names them.
const TABS: [(&str, &str); 3] =
    [("", "Routes"), ("preferences", "Preferences"), ("settings", "Settings")];

#[component]
pub fn RoutesPage() -> Html {
    let (query, set) = use_query();
    let tab = query.find("tab").unwrap_or_default().to_owned();
    let options = TABS.map(|(value, text)| (value.into(), text.into())).to_vec();
    let onchange = set.reform(|tab: String| Query::default().with("tab", &tab));
    let tabs =
        html! { <div><Segments label="Part" {options} value={tab.clone()} {onchange} /></div> };
    match tab.as_str() {
        "preferences" => html! { <Preferences {tabs} /> },
        "settings" => html! { <Settings {tabs} /> },
        _ => html! { <RouteList {tabs} /> },
    }
}

#[derive(Properties, PartialEq)]
struct ListProps {
    /// The way to the page's other parts.
    tabs: Html,
}

#[component]
fn RouteList(props: &ListProps) -> Html {
    let org = use_org();
    let over = use_state(|| Over::Nothing);
    let toast = use_toast();
    let may = org.can_everywhere("model.configure");
    let (load, again) = use_load(org.slug(), |org| async move {
        let routes = api::routing::routes(&org).await?.items;
        let aliases = api::routing::aliases(&org).await?.items;
        let models = api::catalog::models(&org).await?.items;
        let models: Vec<String> = models.into_iter().map(|model| model.name).collect();
        Ok((routes, aliases, models))
    });
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
    let switching = use_action(ondone.reform(|route: Route| {
        format!("{} is switched {}.", route.name, if route.enabled { "on" } else { "off" }).into()
    }));
    let switch = {
        let (switching, slug) = (switching.clone(), org.slug());
        Callback::from(move |(name, on): (String, bool)| {
            let change = UpdateRoute { description: None, enabled: Some(on), spec: None };
            switching.run(api::routing::update_route(&slug, &name, change));
        })
    };
    html! {
        <>
            <Head title="Routes" lead="Names that mean a choice of models: callers write one of them instead of a model.">
                if may {
                    <Button icon={Icon::Plus} onclick={open.reform(|()| Over::AddAlias)}>{ "Add alias" }</Button>
                    <Button kind={Kind::Primary} icon={Icon::Plus} onclick={open.reform(|()| Over::Create)}>{ "Create route" }</Button>
                }
            </Head>
            { props.tabs.clone() }
            if let Some(problem) = switching.problem() { <Failed {problem} /> }
            { show(&load, &again, |found| {
                let (routes, aliases, models) = &**found;
                let names: Vec<AttrValue> = routes.iter().filter(|route| route.enabled).map(|route| route.name.clone())
                    .chain(aliases.iter().map(|alias| alias.name.clone())).chain(models.iter().cloned())
                    .map(AttrValue::from).collect();
                html! {
                    <>
                        <Table caption="Routes" columns={COLUMNS.to_vec()}>
                            { for routes.iter().map(|route| row(route, may, &open, &switch)) }
                        </Table>
                        if !aliases.is_empty() {
                            <section class="panel">
                                <h2>{ "Aliases" }</h2>
                                <Table caption="Aliases" columns={ALIASES.to_vec()}>
                                    { for aliases.iter().map(|alias| alias_row(alias, may, &open)) }
                                </Table>
                            </section>
                        }
                        <TryRoute {names} />
                    </>
                }
            }) }
            if org.can("usage.read") { <RouteReport /> }
            { overlay(&org.slug(), &over, &ondone, &onclose) }
        </>
    }
}

fn overlay(org: &str, over: &Over, ondone: &Callback<AttrValue>, onclose: &Callback<()>) -> Html {
    let (ondone, onclose) = (ondone.clone(), onclose.clone());
    match over {
        Over::Nothing => Html::default(),
        Over::Create => html! { <RouteForm route={None::<Route>} {ondone} {onclose} /> },
        Over::Edit(route) => {
            html! { <RouteForm route={Some((**route).clone())} {ondone} {onclose} /> }
        }
        Over::Delete(route) => delete_route(org, route, &ondone, onclose),
        Over::AddAlias => html! { <AliasForm {ondone} {onclose} /> },
        Over::DeleteAlias(alias) => delete_alias(org, alias, &ondone, onclose),
    }
}

fn row(route: &Route, may: bool, open: &Callback<Over>, switch: &Callback<(String, bool)>) -> Html {
    let (edit, delete) = (Box::new(route.clone()), Box::new(route.clone()));
    let (name, on) = (route.name.clone(), route.enabled);
    let flip = switch.reform(move |()| (name.clone(), !on));
    html! {
        <tr key={route.name.clone()}>
            <td><code>{ route.name.clone() }</code></td>
            <td>
                if !route.description.is_empty() { <p>{ route.description.clone() }</p> }
                if !route.built_in { <p class="faint">{ told(&route.spec) }</p> }
            </td>
            <td class="wide">
                if route.built_in { <Badge>{ "Built in" }</Badge> }
                else if on { <Badge tone={Tone::Good}>{ "On" }</Badge> }
                else { <Badge tone={Tone::Warn}>{ "Off" }</Badge> }
            </td>
            <td class="number">
                if may && !route.built_in {
                    <Button onclick={flip}>{ if on { "Switch off" } else { "Switch on" } }</Button>
                    <IconButton icon={Icon::Edit} label={format!("Edit {}", route.name)} onclick={open.reform(move |()| Over::Edit(edit.clone()))} />
                    <IconButton icon={Icon::Trash} label={format!("Delete {}", route.name)} onclick={open.reform(move |()| Over::Delete(delete.clone()))} />
                }
            </td>
        </tr>
    }
}

fn alias_row(alias: &Alias, may: bool, open: &Callback<Over>) -> Html {
    let delete = Box::new(alias.clone());
    html! {
        <tr key={alias.name.clone()}>
            <td><code>{ alias.name.clone() }</code></td>
            <td><code>{ alias.target.clone() }</code></td>
            <td class="number">
                if may { <IconButton icon={Icon::Trash} label={format!("Delete {}", alias.name)} onclick={open.reform(move |()| Over::DeleteAlias(delete.clone()))} /> }
            </td>
        </tr>
    }
}

/// A route in a sentence.
fn told(spec: &RouteSpec) -> String {
    let mut parts: Vec<String> = spec.steps.iter().map(step_told).collect();
    if !spec.fallbacks.is_empty() {
        parts.push(format!("otherwise {}", spec.fallbacks.join(", ")));
    }
    if let Some(canary) = &spec.canary {
        parts.push(format!("{} % to {}", digits(canary.percent), canary.model));
    }
    if let Some(shadow) = &spec.shadow {
        parts.push(format!("a copy of {} % to {}", digits(shadow.percent), shadow.model));
    }
    if spec.sticky {
        parts.push("sessions stay".to_owned());
    }
    parts.join("; ")
}

fn step_told(step: &RouteStep) -> String {
    let names: Vec<String> = step
        .targets
        .iter()
        .map(|target| match step.pick {
            Pick::Weighted => format!("{} × {}", target.name, target.weight),
            Pick::Order | Pick::Auto | Pick::Fast | Pick::Balanced | Pick::Best => {
                target.name.clone()
            }
        })
        .collect();
    let names = if names.is_empty() { "all models".to_owned() } else { names.join(", ") };
    let pick = match step.pick {
        Pick::Order => names,
        Pick::Weighted => format!("by weight {names}"),
        Pick::Auto | Pick::Fast | Pick::Balanced | Pick::Best => {
            format!("{} of {names}", step.pick)
        }
    };
    match &step.when {
        Some(when) => format!("if {when}: {pick}"),
        None => pick,
    }
}

#[cfg(test)]
mod tests {
    use ralex_api::routing::RouteTarget;

    use super::*;

    #[test]
    fn a_route_is_told_in_a_sentence() {
        let target = |name: &str, weight| RouteTarget { name: name.to_owned(), weight };
        let steps = vec![
            RouteStep {
                when: Some("task.difficulty > 6".to_owned()),
                pick: Pick::Best,
                targets: Vec::new(),
            },
            RouteStep {
                when: None,
                pick: Pick::Weighted,
                targets: vec![target("a", 3), target("b", 1)],
            },
        ];
        let spec = RouteSpec {
            steps,
            sticky: true,
            canary: None,
            shadow: None,
            fallbacks: vec!["c".to_owned()],
            escalation: None,
        };
        let sentence = "if task.difficulty > 6: best of all models; by weight a × 3, b × 1; \
                        otherwise c; sessions stay";
        assert_eq!(told(&spec), sentence);
    }
}
