//! The forms of routes and aliases.

use ralex_api::routing::{
    Alias, NewAlias, NewRoute, Pick, Route, RouteSpec, RouteStep, RouteTarget, Share, UpdateRoute,
};
use yew::prelude::*;

use crate::api;
use crate::components::{
    Button, Check, ConfirmDelete, Dialog, Form, Icon, IconButton, SelectField, TextField,
};
use crate::hooks::input::{anything, needed};
use crate::hooks::{keep, use_action, use_input};
use crate::session::use_org;
use crate::text::borrowed::digits;
use crate::text::number::decimal;

#[derive(Properties, PartialEq)]
pub struct Props {
    /// The route to change; its name stays.
    pub route: Option<Route>,
    pub ondone: Callback<AttrValue>,
    pub onclose: Callback<()>,
}

/// A step while it is written.
#[derive(Clone, Debug, PartialEq)]
struct Draft {
    /// Tells rows apart while some are removed.
    key: usize,
    when: String,
    pick: Pick,
    targets: String,
}

impl Draft {
    fn new(key: usize) -> Self {
        Self { key, when: String::new(), pick: Pick::Order, targets: String::new() }
    }

    fn of(key: usize, step: &RouteStep) -> Self {
        let weigh = step.pick == Pick::Weighted;
        let name = |target: &RouteTarget| {
            if weigh { format!("{} {}", target.name, target.weight) } else { target.name.clone() }
        };
        let targets: Vec<String> = step.targets.iter().map(name).collect();
        let when = step.when.clone().unwrap_or_default();
        Self { key, when, pick: step.pick, targets: targets.join(", ") }
    }

    fn step(&self) -> RouteStep {
        let when = Some(self.when.trim().to_owned()).filter(|when| !when.is_empty());
        RouteStep { when, pick: self.pick, targets: targets(&self.targets) }
    }
}

/// `a 3, b`: names, each with a weight where one is written.
fn targets(text: &str) -> Vec<RouteTarget> {
    let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
    let target = |part: &str| {
        let weighed = part.rsplit_once(char::is_whitespace);
        match weighed.and_then(|(name, weight)| Some((name, weight.parse().ok()?))) {
            Some((name, weight)) => RouteTarget { name: name.trim().to_owned(), weight },
            None => RouteTarget { name: part.to_owned(), weight: 1 },
        }
    };
    parts.map(target).collect()
}

/// `model 5`: a model and a share of the calls in percent.
fn share(text: &str) -> Option<Share> {
    let (model, percent) = text.trim().rsplit_once(char::is_whitespace)?;
    let percent = decimal(percent.trim_end_matches('%'))?;
    Some(Share { model: model.trim().to_owned(), percent })
}

fn share_or_nothing(text: &str) -> Option<String> {
    let fine = text.trim().is_empty() || share(text).is_some();
    (!fine).then(|| "Write a model and a percentage, such as “gpt-6 5”.".to_owned())
}

fn written(share: Option<&Share>) -> String {
    share.map(|share| format!("{} {}", share.model, digits(share.percent))).unwrap_or_default()
}

#[component]
pub fn RouteForm(props: &Props) -> Html {
    let org = use_org();
    let spec = props.route.as_ref().map(|route| &route.spec);
    let name = use_input("", needed);
    let description = use_input(
        props.route.as_ref().map(|route| route.description.as_str()).unwrap_or_default(),
        anything,
    );
    let fallbacks =
        use_input(&spec.map(|spec| spec.fallbacks.join(", ")).unwrap_or_default(), anything);
    let canary = use_input(&written(spec.and_then(|spec| spec.canary.as_ref())), share_or_nothing);
    let shadow = use_input(&written(spec.and_then(|spec| spec.shadow.as_ref())), share_or_nothing);
    let sticky = use_state(|| spec.is_some_and(|spec| spec.sticky));
    let steps = use_state(|| match spec {
        Some(spec) => {
            spec.steps.iter().enumerate().map(|(key, step)| Draft::of(key, step)).collect()
        }
        None => vec![Draft::new(0)],
    });
    let save = use_action(
        props.ondone.reform(|route: Route| format!("The route {} is saved.", route.name).into()),
    );
    let kept = spec.and_then(|spec| spec.escalation.clone());
    let onsubmit = {
        let (save, slug, old) = (save.clone(), org.slug(), props.route.clone());
        let fields =
            (name.clone(), description.clone(), fallbacks.clone(), canary.clone(), shadow.clone());
        let (steps, sticky) = (steps.clone(), sticky.clone());
        Callback::from(move |()| {
            let (name, description, fallbacks, canary, shadow) = &fields;
            let spec = RouteSpec {
                steps: steps.iter().map(Draft::step).collect(),
                sticky: *sticky,
                canary: share(&canary.text()),
                shadow: share(&shadow.text()),
                fallbacks: targets(&fallbacks.text()).into_iter().map(|one| one.name).collect(),
                escalation: kept.clone(),
            };
            let (name, description) = (name.text().trim().to_owned(), description.text());
            save.run(if let Some(old) = &old {
                let description = Some(description);
                let change = UpdateRoute { description, enabled: None, spec: Some(spec) };
                api::routing::update_route(&slug, &old.name, change)
            } else {
                api::routing::create_route(&slug, NewRoute { name, description, spec })
            });
        })
    };
    let inputs = match props.route {
        Some(_) => vec![canary.clone(), shadow.clone()],
        None => vec![name.clone(), canary.clone(), shadow.clone()],
    };
    let title = match &props.route {
        Some(route) => format!("Route {}", route.name),
        None => "Create route".to_owned(),
    };
    html! {
        <Dialog {title} onclose={props.onclose.clone()}>
            <Form {inputs} verb="Save route" running={save.running()} problem={save.problem()} {onsubmit} oncancel={props.onclose.clone()}>
                if props.route.is_none() {
                    <TextField label="Name" path="name" input={name} placeholder="support-bot" autofocus=true hint="What callers write as model." />
                }
                <TextField label="Description" path="description" input={description} />
                { step_list(&steps) }
                <TextField label="Fallbacks" path="spec.fallbacks" input={fallbacks} placeholder="model-a, model-b" hint="Tried in order when the step's models fail." />
                <div class="pair">
                    <TextField label="Canary" path="spec.canary" input={canary} placeholder="new-model 5" hint="So many percent of the calls go there first." />
                    <TextField label="Shadow" path="spec.shadow" input={shadow} placeholder="new-model 5" hint="Gets a copy; its answer is recorded and not sent." />
                </div>
                <Check label="Sessions stay" on={*sticky} onchange={keep(&sticky)} hint="Calls with the same x-ralex-session go to the same model." />
            </Form>
        </Dialog>
    }
}

fn step_list(steps: &UseStateHandle<Vec<Draft>>) -> Html {
    let add = {
        let steps = steps.clone();
        Callback::from(move |()| {
            let mut all = (*steps).clone();
            let key = all.iter().map(|step| step.key + 1).max().unwrap_or(0);
            all.push(Draft::new(key));
            steps.set(all);
        })
    };
    let rows = steps.iter().enumerate().map(|(at, draft)| {
        let onchange = {
            let steps = steps.clone();
            Callback::from(move |draft: Option<Draft>| {
                let mut all = (*steps).clone();
                match draft {
                    Some(draft) => all[at] = draft,
                    None => drop(all.remove(at)),
                }
                steps.set(all);
            })
        };
        html! { <Step key={draft.key} {at} draft={draft.clone()} alone={steps.len() == 1} {onchange} /> }
    });
    html! {
        <>
            { for rows }
            <Button icon={Icon::Plus} onclick={add}>{ "Add step" }</Button>
        </>
    }
}

#[derive(Properties, PartialEq)]
struct StepProps {
    at: usize,
    draft: Draft,
    alone: bool,
    /// The step as it is now; nothing: removed.
    onchange: Callback<Option<Draft>>,
}

#[component]
fn Step(props: &StepProps) -> Html {
    let (at, draft) = (props.at, &props.draft);
    let when = use_input(&draft.when, anything);
    let targets = use_input(&draft.targets, anything);
    let tell = |change: fn(&mut Draft, String)| {
        let (draft, tell) = (draft.clone(), props.onchange.clone());
        Callback::from(move |text: String| {
            let mut draft = draft.clone();
            change(&mut draft, text);
            tell.emit(Some(draft));
        })
    };
    let picks: Vec<(AttrValue, AttrValue)> =
        Pick::ALL.iter().map(|pick| (pick.as_str().into(), label(*pick).into())).collect();
    let pick = tell(|draft, name| draft.pick = Pick::named(&name).unwrap_or(draft.pick));
    html! {
        <fieldset class="step">
            <legend>{ format!("Step {}", at + 1) }
                if !props.alone {
                    <IconButton icon={Icon::Trash} label={format!("Remove step {}", at + 1)} onclick={props.onchange.reform(|()| None)} />
                }
            </legend>
            <TextField label="When" path={format!("spec.steps[{at}].when")} input={when} placeholder="task.difficulty >= 6 && !('pii' in labels)" hint="A condition in CEL; empty: always. The first step that holds decides." onchange={tell(|draft, text| draft.when = text)} />
            <div class="pair">
                <SelectField label="Pick" path={format!("spec.steps[{at}].pick")} options={picks} value={draft.pick.as_str()} onchange={pick} />
                <TextField label="Models" path={format!("spec.steps[{at}].targets")} input={targets} placeholder={if draft.pick == Pick::Weighted { "model-a 9, model-b 1" } else { "model-a, model-b" }} hint="Models, aliases or routes; empty: all, where one ranks." onchange={tell(|draft, text| draft.targets = text)} />
            </div>
        </fieldset>
    }
}

const fn label(pick: Pick) -> &'static str {
    match pick {
        Pick::Order => "In order",
        Pick::Weighted => "By weight",
        Pick::Auto => "Best value (auto)",
        Pick::Fast => "Fastest",
        Pick::Balanced => "Balanced",
        Pick::Best => "Best quality",
    }
}

#[derive(Properties, PartialEq)]
pub struct AliasProps {
    pub ondone: Callback<AttrValue>,
    pub onclose: Callback<()>,
}

#[component]
pub fn AliasForm(props: &AliasProps) -> Html {
    let slug = use_org().slug();
    let (name, target) = (use_input("", needed), use_input("", needed));
    let save = use_action(props.ondone.reform(|alias: Alias| {
        format!("{} means {} from now on.", alias.name, alias.target).into()
    }));
    let onsubmit = {
        let (save, name, target) = (save.clone(), name.clone(), target.clone());
        Callback::from(move |()| {
            let new = NewAlias {
                name: name.text().trim().to_owned(),
                target: target.text().trim().to_owned(),
            };
            save.run(api::routing::create_alias(&slug, new));
        })
    };
    html! {
        <Dialog title="Add alias" onclose={props.onclose.clone()}>
            <Form inputs={vec![name.clone(), target.clone()]} verb="Add alias" running={save.running()} problem={save.problem()} {onsubmit} oncancel={props.onclose.clone()}>
                <TextField label="Alias" path="name" input={name} placeholder="gpt-4o-mini" autofocus=true hint="What callers write, such as a name that a tool insists on." />
                <TextField label="Means" path="target" input={target} placeholder="auto" hint="A model, a route or another alias." />
            </Form>
        </Dialog>
    }
}

pub fn delete_route(
    org: &str,
    route: &Route,
    ondone: &Callback<AttrValue>,
    onclose: Callback<()>,
) -> Html {
    let title = format!("Delete the route {}?", route.name);
    let said = AttrValue::from(format!("The route {} is deleted.", route.name));
    let ondone = ondone.reform(move |()| said.clone());
    let (org, name) = (org.to_owned(), route.name.clone());
    let delete = Callback::from(move |()| api::routing::delete_route(&org, &name));
    html! {
        <ConfirmDelete {title} verb="Delete route" {delete} {ondone} {onclose}>
            <p>{ "Calls that name it are refused from then on, and names that lead to it lead nowhere." }</p>
        </ConfirmDelete>
    }
}

pub fn delete_alias(
    org: &str,
    alias: &Alias,
    ondone: &Callback<AttrValue>,
    onclose: Callback<()>,
) -> Html {
    let title = format!("Delete the alias {}?", alias.name);
    let said = AttrValue::from(format!("The alias {} is deleted.", alias.name));
    let ondone = ondone.reform(move |()| said.clone());
    let (org, name) = (org.to_owned(), alias.name.clone());
    let delete = Callback::from(move |()| api::routing::delete_alias(&org, &name));
    html! {
        <ConfirmDelete {title} verb="Delete alias" {delete} {ondone} {onclose}>
            <p>{ format!("Calls that name it are refused from then on; {} stays.", alias.target) }</p>
        </ConfirmDelete>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_and_shares_are_read_as_they_are_written() {
        let read: Vec<(String, u32)> =
            targets("a 3, b , c/d 0").into_iter().map(|one| (one.name, one.weight)).collect();
        let pairs =
            [("a", 3), ("b", 1), ("c/d", 0)].map(|(name, weight)| (name.to_owned(), weight));
        assert_eq!(read, pairs);
        assert_eq!(share("m 5%").map(|share| share.percent), Some(5.0));
        assert!(share("m").is_none() && share_or_nothing("").is_none());
        assert!(share_or_nothing("m five").is_some());
    }
}
