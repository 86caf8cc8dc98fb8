//! Settings: how the organisation ranks models, when answers are tried again, and fallbacks.

use ralex_api::routing::{Escalation, Fallback, RoutingSettings, Signal, Weights};
use ralex_kernel::Money;
use yew::prelude::*;

use super::preference_form::to_fields;
use crate::api;
use crate::components::{Check, Form, Head, TextArea, TextField, show, use_toast};
use crate::hooks::input::positive_money;
use crate::hooks::{Input, keep, use_action, use_input, use_load};
use crate::session::use_org;
use crate::text::borrowed::digits;
use crate::text::list::words;
use crate::text::number::decimal;

#[derive(Properties, PartialEq)]
pub struct Props {
    /// The way to the page's other parts.
    pub tabs: Html,
}

#[component]
pub fn Settings(props: &Props) -> Html {
    let org = use_org();
    let (load, again) = use_load(org.slug(), |org| api::routing::settings(&org));
    html! {
        <>
            <Head title="Routes" lead="How models are ranked in this organisation, when an answer is tried again, and what answers where a model cannot." />
            { props.tabs.clone() }
            { show(&load, &again, |settings| html! { <SettingsForm settings={(**settings).clone()} /> }) }
        </>
    }
}

#[derive(Properties, PartialEq)]
struct FormProps {
    settings: RoutingSettings,
}

/// The fields of the form.
struct Fields {
    explore: Input,
    sticky: Input,
    own_weights: UseStateHandle<bool>,
    /// Success, cost, speed.
    weights: [Input; 3],
    escalates: UseStateHandle<bool>,
    signals: UseStateHandle<Vec<Signal>>,
    most: Input,
    worth: Input,
    fallbacks: Input,
}

#[hook]
fn use_fields(old: &RoutingSettings) -> Fields {
    let weight = |read: fn(&Weights) -> f64| {
        old.weights.as_ref().map(|weights| digits(read(weights))).unwrap_or_default()
    };
    let escalation = old.escalation.as_ref();
    let most = escalation.map_or(1, |rule| rule.most).to_string();
    let worth = escalation.and_then(|rule| rule.worth);
    Fields {
        explore: use_input(&digits(old.explore_percent), |text| number(text, 50)),
        sticky: use_input(&old.sticky_minutes.to_string(), minutes),
        own_weights: use_state(|| old.weights.is_some()),
        weights: [
            use_input(&weight(|weights| weights.success), |text| number(text, 1000)),
            use_input(&weight(|weights| weights.cost), |text| number(text, 1000)),
            use_input(&weight(|weights| weights.speed), |text| number(text, 1000)),
        ],
        escalates: use_state(|| escalation.is_some()),
        signals: use_state(|| escalation.map(|rule| rule.on.clone()).unwrap_or_default()),
        most: use_input(&most, times),
        worth: use_input(&worth.map(|worth| worth.to_string()).unwrap_or_default(), |text| {
            if text.trim().is_empty() { None } else { positive_money(text) }
        }),
        fallbacks: use_input(&write_fallbacks(&old.fallbacks), fallbacks_told),
    }
}

impl Fields {
    /// Those whose rules count now.
    fn shown(&self) -> Vec<Input> {
        let mut shown = vec![self.explore.clone(), self.sticky.clone()];
        if *self.own_weights {
            shown.extend(self.weights.iter().cloned());
        }
        if *self.escalates {
            shown.extend([self.most.clone(), self.worth.clone()]);
        }
        shown.push(self.fallbacks.clone());
        shown
    }

    /// Nothing while a field is not good.
    fn settings(&self) -> Option<RoutingSettings> {
        let weights = if *self.own_weights {
            let [success, cost, speed] = &self.weights;
            Some(Weights {
                success: decimal(&success.text())?,
                cost: decimal(&cost.text())?,
                speed: decimal(&speed.text())?,
            })
        } else {
            None
        };
        let escalation = if *self.escalates {
            let worth = self.worth.parsed::<Money>();
            Some(Escalation { on: (*self.signals).clone(), most: self.most.parsed()?, worth })
        } else {
            None
        };
        Some(RoutingSettings {
            explore_percent: decimal(&self.explore.text())?,
            escalation,
            weights,
            sticky_minutes: self.sticky.parsed()?,
            fallbacks: read_fallbacks(&self.fallbacks.text())?,
        })
    }
}

#[component]
fn SettingsForm(props: &FormProps) -> Html {
    let org = use_org();
    let fields = use_fields(&props.settings);
    let toast = use_toast();
    let save = use_action(Callback::from(move |_: RoutingSettings| {
        toast.emit("The routing settings are saved.".into());
    }));
    let silent = *fields.escalates && fields.signals.is_empty();
    let unsigned = silent.then(|| "Choose what shows that an answer is not good enough.".into());
    let blocked = org.blocked("model.configure").or(unsigned);
    let settings = fields.settings();
    let onsubmit = {
        let (save, slug) = (save.clone(), org.slug());
        Callback::from(move |()| {
            let Some(settings) = settings.clone() else { return };
            save.run(api::routing::set_settings(&slug, settings));
        })
    };
    let [success, cost, speed] = fields.weights.clone();
    html! {
        <section class="panel narrow">
            <Form inputs={fields.shown()} verb="Save settings" {blocked} running={save.running()} problem={save.problem().map(to_fields)} {onsubmit}>
                <h2>{ "Ranking" }</h2>
                <div class="pair">
                    <TextField label="Exploration in percent" path="explore_percent" input={fields.explore.clone()} hint="So many ranked calls go to a model that is not the first, so that the ranking learns. 0: none." />
                    <TextField label="Sessions stay, in minutes" path="sticky_minutes" input={fields.sticky.clone()} hint="Ranked calls of one x-ralex-session stay with their model. 0: they do not." />
                </div>
                <Check label="Own weights for auto" on={*fields.own_weights} onchange={keep(&fields.own_weights)} hint="Otherwise the built-in ones count." />
                if *fields.own_weights {
                    <div class="trio">
                        <TextField label="Success" path="weights" input={success} hint="From 0 to 1000." />
                        <TextField label="Cost" input={cost} hint="Only their ratio counts." />
                        <TextField label="Speed" input={speed} />
                    </div>
                }
                <h2>{ "Answers that are tried again" }</h2>
                <Check label="Judge answers of ranked calls" on={*fields.escalates} onchange={keep(&fields.escalates)} hint="One that is not good enough is thrown away for that of a better model. Both are paid." />
                if *fields.escalates { { escalation(&fields) } }
                <h2>{ "Fallbacks" }</h2>
                <TextArea label="What answers where a named model cannot" path="fallbacks" input={fields.fallbacks.clone()} placeholder="model-a: model-b, auto" hint="A line for each model: its name, a colon, and models, aliases or routes in the order in which they are tried." />
            </Form>
        </section>
    }
}

fn escalation(fields: &Fields) -> Html {
    let each = Signal::ALL.iter().map(|signal| {
        let (signal, signals) = (*signal, fields.signals.clone());
        let onchange = Callback::from(move |on: bool| {
            let mut chosen: Vec<Signal> =
                signals.iter().copied().filter(|one| *one != signal).collect();
            if on {
                chosen.push(signal);
            }
            signals.set(chosen);
        });
        html! { <Check key={signal.as_str()} label={label(signal)} on={fields.signals.contains(&signal)} {onchange} /> }
    });
    html! {
        <>
            <div class="checks" role="group" aria-label="What shows that an answer is not good enough">{ for each }</div>
            <div class="pair">
                <TextField label="At most, in one call" path="escalation.most" input={fields.most.clone()} hint="From 1 to 5 times." />
                <TextField label="Worth of a good answer" path="escalation.worth" input={fields.worth.clone()} before="$" hint="A dearer model is tried only where the gain is worth its cost; empty: always." />
            </div>
        </>
    }
}

const fn label(signal: Signal) -> &'static str {
    match signal {
        Signal::Schema => "Does not fit its schema",
        Signal::Refusal => "The model declined",
        Signal::Truncation => "Cut off at the limit",
        Signal::ToolError => "Wrong tool calls",
        Signal::Empty => "Says nothing",
        Signal::Caller => "The caller says so",
    }
}

fn number(text: &str, most: u32) -> Option<String> {
    let fine = decimal(text).is_some_and(|number| (0.0..=most.into()).contains(&number));
    (!fine).then(|| format!("A number from 0 to {most}."))
}

fn minutes(text: &str) -> Option<String> {
    let fine = text.trim().parse().is_ok_and(|minutes: u32| minutes <= 24 * 60);
    (!fine).then(|| "Whole minutes from 0 to 1440, a day.".to_owned())
}

fn times(text: &str) -> Option<String> {
    let fine = text.trim().parse().is_ok_and(|times: u32| (1..=5).contains(&times));
    (!fine).then(|| "A whole number from 1 to 5.".to_owned())
}

/// `model: a, b` in each line; nothing where a line is not so.
fn read_fallbacks(text: &str) -> Option<Vec<Fallback>> {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let one = |line: &str| {
        // A name may have a colon of its own, such as `llama3:8b`; the one that counts has a space.
        let (model, to) = line.split_once(": ").or_else(|| line.split_once(':'))?;
        let (model, to) = (model.trim().to_owned(), words(to));
        (!model.is_empty() && !to.is_empty()).then_some(Fallback { model, to })
    };
    lines.map(one).collect()
}

fn write_fallbacks(fallbacks: &[Fallback]) -> String {
    let lines = fallbacks.iter().map(|one| format!("{}: {}", one.model, one.to.join(", ")));
    lines.collect::<Vec<_>>().join("\n")
}

fn fallbacks_told(text: &str) -> Option<String> {
    let wrong = read_fallbacks(text).is_none();
    wrong.then(|| "Write a line as “model-a: model-b, auto”.".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fallbacks_are_read_as_they_are_written() {
        let text = "llama3:8b: auto\na: b, c";
        let read = read_fallbacks(text).unwrap();
        assert_eq!(
            (read[0].model.as_str(), read[1].to.as_slice()),
            ("llama3:8b", &["b".to_owned(), "c".to_owned()][..])
        );
        assert_eq!(write_fallbacks(&read), text);
        assert_eq!(read_fallbacks("\n"), Some(Vec::new()));
        for bad in ["a", "a:", ": b"] {
            assert!(fallbacks_told(bad).is_some(), "{bad}");
        }
    }

    #[test]
    fn a_number_has_bounds() {
        assert!(number("50", 50).is_none() && number("0.5", 50).is_none());
        assert!(number("51", 50).is_some() && number("NaN", 50).is_some());
        assert!(minutes("1440").is_none() && minutes("1441").is_some());
        assert!(times("5").is_none() && times("0").is_some());
    }
}
