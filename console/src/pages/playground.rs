//! The playground: one prompt, streamed over the same route that every program uses.

use std::cell::RefCell;
use std::rc::Rc;

use ralex_api::Problem;
use ralex_api::catalog::Model;
use ralex_api::usage::Call;
use wasm_bindgen_futures::spawn_local;
use web_sys::AbortController;
use yew::prelude::*;

use super::playground_answer::{Answer, answer_panel};
use crate::api;
use crate::api::chat::{Happening, Prompt};
use crate::components::{Button, Empty, Head, Icon, Kind, SelectField, TextArea, TextField, show};
use crate::hooks::input::{anything, count, needed};
use crate::hooks::{Input, use_input, use_load, use_query};
use crate::route::Place;
use crate::router::Link;
use crate::session::use_org;

const MAX_TOKENS: &str = "512";

#[component]
pub fn PlaygroundPage() -> Html {
    let org = use_org();
    let (load, again) = use_load(org.slug(), |org| async move {
        let models = api::catalog::models(&org).await?.items;
        // Whom to charge is a choice only for those who may see teams.
        let teams =
            api::identity::teams(&org, None).await.map(|page| page.items).unwrap_or_default();
        Ok((models, teams))
    });
    html! {
        <>
            <Head title="Playground" lead="Try a model with your own rights. The call is held, recorded and charged like any other." />
            { show(&load, &again, |found| {
                let (models, teams) = &**found;
                let pair = |value: &str, text: &str| (AttrValue::from(value.to_owned()), AttrValue::from(text.to_owned()));
                if models.is_empty() {
                    return no_models(&org.slug());
                }
                html! {
                    <Bench
                        models={models.iter().map(|model| pair(&model.name, &model_title(model))).collect::<Vec<_>>()}
                        teams={teams.iter().map(|team| pair(team.slug.as_str(), team.name.as_str())).collect::<Vec<_>>()}
                    />
                }
            }) }
        </>
    }
}

/// A model's name, and its provider's where that says more.
fn model_title(model: &Model) -> String {
    if model.name == model.provider_slug.as_str() {
        return model.name.clone();
    }
    format!("{} · {}", model.name, model.provider_slug)
}

fn no_models(org: &str) -> Html {
    html! {
        <Empty icon={Icon::Cube} title="There is no model yet">
            <p>{ "A provider and one of its models make the first call possible." }</p>
            <Link to={Place::Models.of(org)} class="button primary">{ "Add a model" }</Link>
        </Empty>
    }
}

#[derive(Properties, PartialEq)]
struct BenchProps {
    models: Vec<(AttrValue, AttrValue)>,
    teams: Vec<(AttrValue, AttrValue)>,
}

/// The fields and the answer.
#[component]
fn Bench(props: &BenchProps) -> Html {
    let org = use_org();
    let (query, set) = use_query();
    let system = use_input("", anything);
    let message = use_input("", needed);
    let limit = use_input(MAX_TOKENS, count);
    let answer = use_reducer(Answer::default);
    let abort = use_mut_ref(|| None::<AbortController>);
    let first = props.models.first().map(|(value, _)| value.to_string()).unwrap_or_default();
    let known = |name: &&str| props.models.iter().any(|(value, _)| value == name);
    let model = query.find("model").filter(known).map_or(first, ToOwned::to_owned);
    let team = query.find("team").map(ToOwned::to_owned);
    let prompt = Prompt {
        org: org.slug(),
        team: team.clone(),
        model,
        system: system.text(),
        message: message.text(),
        max_tokens: limit.parsed().unwrap_or(512),
    };
    let run = Run {
        prompt: prompt.clone(),
        inputs: [message.clone(), limit.clone()],
        answer: answer.clone(),
        abort: Rc::clone(&abort),
    };
    let run = Callback::from(move |()| run.start());
    let onkeydown = on_control_enter(run.clone());
    let stop = Callback::from(move |()| {
        if let Some(controller) = &*abort.borrow() {
            controller.abort();
        }
    });
    let choose = |name: &'static str| {
        let (query, set) = (query.clone(), set.clone());
        Callback::from(move |value: String| set.emit(query.with(name, &value)))
    };
    let mut teams = vec![("".into(), "The organisation".into())];
    teams.extend(props.teams.iter().cloned());
    html! {
        <div class="bench">
            <section class="panel bench-ask" {onkeydown}>
                <div class="pair">
                    <SelectField label="Model" options={props.models.clone()} value={prompt.model.clone()} onchange={choose("model")} />
                    <TextField label="Max tokens" input={limit} />
                </div>
                if !props.teams.is_empty() {
                    <SelectField label="Charge to" options={teams} value={team.unwrap_or_default()} onchange={choose("team")} />
                }
                <TextArea label="System message" input={system} rows=2 placeholder="Optional: how the model should answer" />
                <TextArea label="Message" input={message} rows=6 placeholder="What do you want to know?" />
                <footer class="bench-foot">
                    if answer.running {
                        <Button icon={Icon::Stop} onclick={stop}>{ "Stop" }</Button>
                    } else {
                        <Button kind={Kind::Primary} icon={Icon::Play} onclick={run}>{ "Run" }</Button>
                    }
                    <span class="faint"><kbd>{ "Ctrl" }</kbd>{ " " }<kbd>{ "Enter" }</kbd></span>
                </footer>
            </section>
            { answer_panel(&org, &answer, &prompt) }
        </div>
    }
}

/// What a click on "Run" does, with what the page holds then.
struct Run {
    prompt: Prompt,
    inputs: [Input; 2],
    answer: UseReducerHandle<Answer>,
    abort: Rc<RefCell<Option<AbortController>>>,
}

impl Run {
    fn start(&self) {
        self.inputs.iter().for_each(Input::leave);
        if let Some(wrong) = self.inputs.iter().find(|input| input.fault().is_some()) {
            return wrong.focus();
        }
        if self.answer.running {
            return;
        }
        let Ok(controller) = AbortController::new() else { return };
        self.abort.replace(Some(controller.clone()));
        self.answer.dispatch(Step::Started(self.prompt.clone()));
        let dispatch = self.answer.dispatcher();
        let tell = Callback::from(move |step: Step| dispatch.dispatch(step));
        spawn_local(ask(self.prompt.clone(), controller, tell));
    }
}

fn on_control_enter(run: Callback<()>) -> Callback<KeyboardEvent> {
    Callback::from(move |event: KeyboardEvent| {
        if event.key() == "Enter" && (event.ctrl_key() || event.meta_key()) {
            event.prevent_default();
            run.emit(());
        }
    })
}

/// What changes an answer.
pub enum Step {
    Started(Prompt),
    Happened(Happening, f64),
    Ended(Result<(), Problem>, f64),
    Stopped(f64),
    Settled(Box<Call>),
}

/// Makes the call and tells how it goes; at the end also what it cost.
async fn ask(prompt: Prompt, abort: AbortController, tell: Callback<Step>) {
    let signal = abort.signal();
    let call = Rc::new(RefCell::new(None::<String>));
    let ended = {
        let (tell, call) = (tell.clone(), Rc::clone(&call));
        api::chat::stream(&prompt, &signal, move |happening| {
            if let Happening::Began(id) = &happening {
                call.replace(id.clone());
            }
            tell.emit(Step::Happened(happening, js_sys::Date::now()));
        })
        .await
    };
    let at = js_sys::Date::now();
    tell.emit(if signal.aborted() { Step::Stopped(at) } else { Step::Ended(ended, at) });
    let id = call.borrow().clone();
    if let Some(id) = id {
        settle(&prompt.org, &id, &tell).await;
    }
}

/// Asks for the settled call; settlement follows the stream's end by a moment.
async fn settle(org: &str, id: &str, tell: &Callback<Step>) {
    use ralex_api::usage::CallState;
    for pause in [100, 300, 800, 2_000] {
        crate::hooks::clock::sleep(pause).await;
        match api::usage::call(org, id).await {
            Ok(story) if story.call.state == CallState::Open => {}
            Ok(story) => return tell.emit(Step::Settled(Box::new(story.call))),
            // Who may not read calls still has the answer and its usage.
            Err(_) => return,
        }
    }
}
