//! The form of what is kept, for how long, and for whom.

use std::rc::Rc;

use ralex_api::catalog::ModelOperation;
use ralex_api::identity::Team;
use ralex_api::resilience::{Cache, CacheMode, LEAST_THRESHOLD, SemanticCache, SetCache};
use ralex_kernel::ScopePath;
use yew::prelude::*;

use super::preference_form::to_fields;
use crate::api;
use crate::components::segments::Segments;
use crate::components::{Button, Confirm, Form, SelectField, TextField, show, use_toast};
use crate::hooks::{Input, keep, use_action, use_input, use_load};
use crate::session::use_org;
use crate::text::borrowed::digits;
use crate::text::list::words;
use crate::text::number::{counted, decimal};

const WEEK: u32 = 7 * 24 * 60 * 60;

/// What may be chosen from.
#[derive(PartialEq)]
struct Known {
    /// Models that make vectors.
    models: Vec<String>,
    teams: Vec<Team>,
}

impl Known {
    async fn find(org: String, teams: bool) -> api::client::Answer<Self> {
        let models = api::catalog::models(&org).await?.items.into_iter();
        let models = models.filter(|it| it.traits.operations.contains(&ModelOperation::Embeddings));
        let models = models.map(|model| model.name).collect();
        let teams = if teams { api::identity::teams(&org, None).await?.items } else { Vec::new() };
        Ok(Self { models, teams })
    }
}

#[derive(Properties, PartialEq)]
pub struct Props {
    pub cache: Cache,
    pub onchange: Callback<()>,
}

#[component]
pub fn CacheForm(props: &Props) -> Html {
    let org = use_org();
    let wants = (org.slug(), org.can("team.read"));
    let (load, again) = use_load(wants, |(org, teams)| Known::find(org, teams));
    show(&load, &again, |known| {
        let known = Rc::clone(known);
        html! { <Fields {known} cache={props.cache.clone()} onchange={props.onchange.clone()} /> }
    })
}

#[derive(Properties, PartialEq)]
struct FieldsProps {
    known: Rc<Known>,
    cache: Cache,
    onchange: Callback<()>,
}

#[component]
fn Fields(props: &FieldsProps) -> Html {
    let (org, toast) = (use_org(), use_toast());
    let known = &props.known;
    let old = props.cache.semantic.clone();
    let mode = use_state(|| props.cache.mode);
    let seconds = use_input(&props.cache.ttl_seconds.to_string(), lifetime);
    let model = use_state(|| old.as_ref().map_or(String::new(), |it| it.embedding_model.clone()));
    let alike = old.as_ref().map_or_else(|| "0.95".to_owned(), |it| digits(it.threshold));
    let alike = use_input(&alike, similarity);
    let scopes = old.map(|it| it.scopes).unwrap_or_default();
    let teams = use_input(&slugs(known, &scopes).join(", "), teams_of(known));
    let told = |said: &'static str| {
        let (toast, onchange) = (toast.clone(), props.onchange.clone());
        move || {
            toast.emit(said.into());
            onchange.emit(());
        }
    };
    let (on_saved, on_cleared) = (told("Saved."), told("All kept answers are forgotten."));
    let saved = use_action(Callback::from(move |_: Cache| on_saved()));
    let asking = use_state(|| false);
    let ask = |whether: bool| {
        let asking = asking.clone();
        Callback::from(move |()| asking.set(whether))
    };
    let (asks, onclose) = (ask(true), ask(false));
    let cleared = {
        let onclose = onclose.clone();
        use_action(Callback::from(move |()| {
            onclose.emit(());
            on_cleared();
        }))
    };
    let by_meaning = *mode != CacheMode::Off && !model.is_empty();
    let onsubmit = {
        let (saved, mode, seconds, org) = (saved.clone(), *mode, seconds.clone(), org.slug());
        let (alike, model, known) = (alike.clone(), (*model).clone(), Rc::clone(known));
        let teams = teams.clone();
        Callback::from(move |()| {
            let Some(ttl_seconds) = seconds.parsed() else { return };
            let semantic = decimal(&alike.text()).filter(|_| !model.is_empty()).map(|threshold| {
                let scopes = scopes_of(&known, &words(&teams.text()), &scopes);
                SemanticCache { embedding_model: model.clone(), threshold, scopes }
            });
            let (org, set) = (org.clone(), SetCache { mode, ttl_seconds, semantic });
            saved.run(api::resilience::set_cache(&org, set));
        })
    };
    let onclear = {
        let (cleared, org) = (cleared.clone(), org.slug());
        Callback::from(move |()| {
            cleared.run(api::resilience::clear_cache(&org));
        })
    };
    let onmode = {
        let mode = mode.clone();
        Callback::from(move |word: String| {
            if let Some(chosen) = CacheMode::parse(&word) {
                mode.set(chosen);
            }
        })
    };
    let inputs: Vec<Input> = std::iter::once(seconds.clone())
        .chain(by_meaning.then(|| [alike.clone(), teams.clone()]).into_iter().flatten())
        .collect();
    let problem = saved.problem().map(to_fields);
    html! {
        <>
        <Form {inputs} verb="Save" running={saved.running()} {problem} {onsubmit}>
            <Segments label="Answers that are kept" options={modes()} value={mode.as_str()} onchange={onmode} />
            <TextField label="Kept for, in seconds" path="ttl_seconds" input={seconds} />
            if *mode != CacheMode::Off {
                <SelectField label="Questions that mean the same" path="semantic.embedding_model" options={models(known, &model)} value={(*model).clone()} onchange={keep(&model)}
                    hint={if known.models.is_empty() { "Add a model that makes embeddings to answer them too." } else { "A model of yours makes a vector of each question, by a call that is paid and recorded like any other. Numbers, names, quotations and negations must be the same." }} />
            }
            if by_meaning {
                <div class="pair">
                    <TextField label="Least similarity" path="semantic.threshold" input={alike} hint="The cosine of both vectors, from 0.8 to 1. Lower saves more, and is wrong more often." />
                    if !known.teams.is_empty() {
                        <TextField label="Only for teams" path="semantic.scopes" input={teams} placeholder="support, sales" hint="Their slugs. Empty: for all." />
                    }
                </div>
            }
            <Button onclick={asks}>{ "Forget all now" }</Button>
        </Form>
        if *asking {
            <Confirm title="Forget all kept answers?" verb="Forget all" running={cleared.running()} problem={cleared.problem()} onconfirm={onclear} {onclose}>
                <p>{ forgets(props.cache.kept) }</p>
                <p>{ "It cannot be undone. The next calls ask their providers again and are paid for." }</p>
            </Confirm>
        }
        </>
    }
}

/// What is lost, with the number that is known: nobody counts what the servers have in memory.
fn forgets(kept: u64) -> String {
    let memory = "Every server forgets the answers that it has in memory";
    match kept {
        0 => format!("{memory}."),
        kept => {
            format!("{memory}, and {} for questions that mean the same.", counted(kept, "answer"))
        }
    }
}

fn modes() -> Vec<(AttrValue, AttrValue)> {
    [
        (CacheMode::Off, "None"),
        (CacheMode::Deterministic, "Of calls with temperature 0"),
        (CacheMode::All, "Of all calls"),
    ]
    .map(|(mode, word)| (mode.as_str().into(), word.into()))
    .to_vec()
}

/// The models to choose from, with the one there is although it may be gone.
fn models(known: &Known, now: &str) -> Vec<(AttrValue, AttrValue)> {
    let lost = (!now.is_empty() && !known.models.iter().any(|name| name == now)).then_some(now);
    let none = (AttrValue::from(""), AttrValue::from("Are asked anew"));
    let named = known.models.iter().map(String::as_str).chain(lost).map(|name| {
        (AttrValue::from(name.to_owned()), AttrValue::from(format!("Found with {name}")))
    });
    std::iter::once(none).chain(named).collect()
}

fn slugs(known: &Known, scopes: &[ScopePath]) -> Vec<String> {
    let is_named = |team: &&Team| scopes.contains(&ScopePath::Team { team: team.id });
    known.teams.iter().filter(is_named).map(|team| team.slug.to_string()).collect()
}

/// The teams that are named, and every scope of before that no name here stands for.
fn scopes_of(known: &Known, named: &[String], old: &[ScopePath]) -> Vec<ScopePath> {
    let shown =
        |at: &ScopePath| known.teams.iter().any(|it| *at == ScopePath::Team { team: it.id });
    let kept = old.iter().filter(|at| !shown(at)).copied();
    let named = known.teams.iter().filter(|team| named.iter().any(|it| *it == team.slug.as_str()));
    named.map(|team| ScopePath::Team { team: team.id }).chain(kept).collect()
}

/// Says which of the names is no team.
fn teams_of(known: &Rc<Known>) -> impl Fn(&str) -> Option<String> + 'static {
    let known = Rc::clone(known);
    move |text| {
        let is_team = |name: &String| known.teams.iter().any(|team| team.slug.as_str() == name);
        let stranger = words(text).into_iter().find(|name| !is_team(name));
        stranger.map(|name| format!("There is no team {name}."))
    }
}

fn lifetime(text: &str) -> Option<String> {
    let good = text.trim().parse().is_ok_and(|seconds: u32| (1..=WEEK).contains(&seconds));
    (!good).then(|| format!("A number of seconds from 1 to {WEEK}."))
}

fn similarity(text: &str) -> Option<String> {
    let good = decimal(text).is_some_and(|it| (LEAST_THRESHOLD..=1.0).contains(&it));
    (!good).then(|| format!("A number from {} to 1.", digits(LEAST_THRESHOLD)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_numbers_within_their_bounds_are_taken() {
        assert_eq!(lifetime("60"), None);
        assert!(lifetime("0").is_some());
        assert_eq!(similarity("0.97"), None);
        for wrong in ["0.79", "1.01", "much", ""] {
            assert!(similarity(wrong).is_some(), "{wrong}");
        }
    }

    #[test]
    fn a_model_that_is_gone_is_still_shown_as_chosen() {
        let known = Known { models: vec!["one".to_owned()], teams: Vec::new() };
        let values = |now| models(&known, now).into_iter().map(|(value, _)| value);
        assert!(values("gone").eq(["", "one", "gone"]));
        assert!(values("one").eq(["", "one"]));
    }
}
