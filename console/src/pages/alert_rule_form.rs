//! Telling somebody: a new rule, or a change of one.

use std::collections::BTreeSet;

use ralex_api::alerts::{AlertKind, AlertKindInfo, AlertRule, ChannelKind, Day, Severity};
use serde_json::{Value, json};
use yew::prelude::*;

use crate::api;
use crate::components::{Button, Check, Code, Dialog, Form, SelectField, TextArea, TextField};
use crate::hooks::input::{anything, needed};
use crate::hooks::{Input, keep, use_action, use_input, use_load};
use crate::session::use_org;

#[derive(Properties, PartialEq)]
pub struct Props {
    /// None makes a new one.
    pub rule: Option<AlertRule>,
    pub kinds: Vec<AlertKindInfo>,
    pub again: Callback<()>,
    pub onclose: Callback<()>,
}

#[component]
pub fn RuleForm(props: &Props) -> Html {
    let slug = use_org().slug();
    let old = props.rule.as_ref();
    let name = use_input(&old.map(|rule| rule.name.to_string()).unwrap_or_default(), needed);
    let emails = use_input(&addresses(old, ChannelKind::Email), anything);
    let webhooks = use_input(&addresses(old, ChannelKind::Webhook), anything);
    let scope = use_state(|| old.map_or_else(|| "org".to_owned(), |rule| rule.scope.clone()));
    let least = use_state(|| old.map_or(Severity::Warning, |rule| rule.least_severity));
    let kinds = use_state(|| old.map(|rule| rule.kinds.clone()).unwrap_or_default());
    let quiet = use_quiet(old);
    let made = use_state(|| None::<AlertRule>);
    let save = {
        let (made, again, onclose) = (made.clone(), props.again.clone(), props.onclose.clone());
        use_action(Callback::from(move |rule: AlertRule| {
            again.emit(());
            if rule.channels.iter().any(|channel| channel.secret.is_some()) {
                made.set(Some(rule));
            } else {
                onclose.emit(());
            }
        }))
    };
    if let Some(rule) = &*made {
        return secrets_told(rule, &props.onclose);
    }
    let onsubmit = {
        let (save, id) = (save.clone(), old.map(|rule| rule.id.to_string()));
        let (name, emails, webhooks) = (name.clone(), emails.clone(), webhooks.clone());
        let (scope, least, kinds, quiet) =
            (scope.clone(), least.clone(), kinds.clone(), quiet.clone());
        Callback::from(move |()| {
            let told = [channels("email", &emails), channels("webhook", &webhooks)].concat();
            let said = json!({
                "name": name.text(),
                "scope": *scope,
                "least_severity": *least,
                "kinds": *kinds,
                "quiet": quiet.said(),
                "channels": told,
            });
            save.run(match &id {
                Some(id) => api::alerts::update_rule(&slug, id, &said),
                None => api::alerts::create_rule(&slug, &said),
            });
        })
    };
    let severities = Severity::ALL.iter().map(|it| (it.as_str().into(), up(*it).into()));
    let onleast =
        keep(&least).reform(|word: String| Severity::named(&word).unwrap_or(Severity::Warning));
    let (title, verb) = match old {
        Some(rule) => (format!("Edit {}", rule.name), "Save"),
        None => ("Tell somebody of alerts".to_owned(), "Create rule"),
    };
    let inputs = vec![name.clone(), emails.clone(), webhooks.clone()];
    html! {
        <Dialog {title} onclose={props.onclose.clone()} light=false>
            <Form {inputs} {verb} running={save.running()} problem={save.problem()} {onsubmit} oncancel={props.onclose.clone()}>
                <TextField label="Name" path="name" input={name} autofocus={old.is_none()} placeholder="On call" />
                <TextArea label="E-mail addresses" path="channels" input={emails} rows={2} hint="One a line." />
                <TextArea label="Webhooks" path="channels" input={webhooks} rows={2} placeholder="https://" hint="One a line. Each gets a secret that signs its deliveries, shown once." />
                { place_field(old, &scope) }
                <SelectField label="How much it matters" path="least_severity" options={severities.collect::<Vec<_>>()} value={least.as_str()} onchange={onleast} />
                { kinds_field(&props.kinds, &kinds) }
                { quiet.fields() }
            </Form>
        </Dialog>
    }
}

/// A rule of one budget keeps it; all others may choose anew.
fn place_field(old: Option<&AlertRule>, scope: &UseStateHandle<String>) -> Html {
    match old {
        Some(rule) if rule.scope.starts_with("budget:") => {
            html! { <p class="note">{ "Only of " }<code>{ rule.scope.clone() }</code></p> }
        }
        _ => html! { <PlaceField value={(**scope).clone()} onchange={keep(scope)} /> },
    }
}

#[derive(Properties, PartialEq)]
struct PlaceProps {
    value: AttrValue,
    onchange: Callback<String>,
}

/// Everything, or what is of one team or project.
#[component]
fn PlaceField(props: &PlaceProps) -> Html {
    let org = use_org();
    let (load, _) = use_load(org.slug(), |org| async move {
        let teams = api::identity::teams(&org, None).await?.items;
        Ok((teams, api::identity::projects(&org, None).await?.items))
    });
    let mut options: Vec<(AttrValue, AttrValue)> = vec![("org".into(), "Everything".into())];
    if let Some(found) = load.ready() {
        let (teams, projects) = &**found;
        options.extend(teams.iter().map(|team| {
            (format!("team:{}", team.slug).into(), format!("Only team {}", team.name).into())
        }));
        options.extend(projects.iter().map(|project| {
            let (slug, name) = (&project.slug, &project.name);
            (format!("project:{slug}").into(), format!("Only project {name}").into())
        }));
    }
    if !options.iter().any(|(value, _)| *value == props.value) {
        options.push((props.value.clone(), props.value.clone()));
    }
    html! { <SelectField label="About" path="scope" {options} value={props.value.clone()} onchange={props.onchange.clone()} /> }
}

fn kinds_field(all: &[AlertKindInfo], chosen: &UseStateHandle<Vec<AlertKind>>) -> Html {
    let usual = chosen.is_empty();
    let every = {
        let (chosen, all) = (chosen.clone(), all.to_vec());
        Callback::from(move |on: bool| {
            let usual = all.iter().filter(|it| it.usual).map(|it| it.kind);
            chosen.set(if on { Vec::new() } else { usual.collect() });
        })
    };
    let one = |info: &AlertKindInfo| {
        let (chosen, kind) = (chosen.clone(), info.kind);
        let onchange = {
            let chosen = chosen.clone();
            Callback::from(move |on: bool| {
                let mut kinds: BTreeSet<AlertKind> = chosen.iter().copied().collect();
                if on {
                    kinds.insert(kind);
                } else {
                    kinds.remove(&kind);
                }
                chosen.set(kinds.into_iter().collect());
            })
        };
        html! { <Check label={info.name.clone()} on={chosen.contains(&kind)} {onchange} /> }
    };
    html! {
        <>
            <Check label="All usual kinds" hint="Those that come later too." on={usual} onchange={every} />
            if !usual { <div class="checks">{ for all.iter().map(one) }</div> }
        </>
    }
}

const fn up(severity: Severity) -> &'static str {
    match severity {
        Severity::Info => "Everything",
        Severity::Warning => "Warnings and critical",
        Severity::Critical => "Critical only",
    }
}

fn addresses(rule: Option<&AlertRule>, kind: ChannelKind) -> String {
    let channels = rule.map(|rule| rule.channels.as_slice()).unwrap_or_default();
    let own = channels.iter().filter(|channel| channel.kind == kind);
    own.map(|channel| channel.to.as_str()).collect::<Vec<_>>().join("\n")
}

fn channels(kind: &str, input: &Input) -> Vec<Value> {
    let text = input.text();
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    lines.map(|to| json!({ "kind": kind, "to": to })).collect()
}

fn secrets_told(rule: &AlertRule, onclose: &Callback<()>) -> Html {
    let told = rule.channels.iter().filter_map(|channel| {
        let secret = channel.secret.clone()?;
        Some(html! { <><p><code>{ channel.to.clone() }</code></p><Code text={secret} label="Signing secret" /></> })
    });
    html! {
        <Dialog title={rule.name.to_string()} onclose={onclose.clone()} light=false>
            <p>{ "Each secret signs the deliveries to its webhook (Standard Webhooks). It is not shown again." }</p>
            { for told }
            <Button onclick={onclose.clone()}>{ "Done" }</Button>
        </Dialog>
    }
}

/// Quiet hours, as they are entered.
#[derive(Clone, PartialEq)]
struct Quiet {
    on: UseStateHandle<bool>,
    from: Input,
    to: Input,
    zone: Input,
    days: UseStateHandle<String>,
}

#[hook]
fn use_quiet(old: Option<&AlertRule>) -> Quiet {
    let old = old.and_then(|rule| rule.quiet.as_ref());
    let text = |of: Option<String>, usual: &str| of.unwrap_or_else(|| usual.to_owned());
    let days = old.map_or_else(
        || DAYS[0].0.to_owned(),
        |quiet| quiet.days.iter().map(|day| day.as_str()).collect::<Vec<_>>().join(","),
    );
    Quiet {
        on: use_state(|| old.is_some()),
        from: use_input(&text(old.map(|quiet| quiet.from.clone()), "22:00"), anything),
        to: use_input(&text(old.map(|quiet| quiet.to.clone()), "07:00"), anything),
        zone: use_input(&text(old.map(|quiet| quiet.time_zone.clone()), "UTC"), anything),
        days: use_state(|| days),
    }
}

const DAYS: [(&str, &str); 4] = [
    ("mon,tue,wed,thu,fri,sat,sun", "Every day"),
    ("mon,tue,wed,thu,fri", "Monday to Friday"),
    ("mon,tue,wed,thu,sun", "Sunday to Thursday"),
    ("sat,sun", "Saturday and Sunday"),
];

impl Quiet {
    fn said(&self) -> Value {
        if !*self.on {
            return Value::Null;
        }
        let days: Vec<Day> = self.days.split(',').filter_map(Day::named).collect();
        json!({ "time_zone": self.zone.text(), "from": self.from.text(), "to": self.to.text(), "days": days })
    }

    fn fields(&self) -> Html {
        let mut options: Vec<(AttrValue, AttrValue)> =
            DAYS.iter().map(|(days, name)| ((*days).into(), (*name).into())).collect();
        if !DAYS.iter().any(|(days, _)| *days == *self.days) {
            let own = (*self.days).clone();
            options.push((own.clone().into(), own.into()));
        }
        html! {
            <>
                <Check label="Quiet hours" hint="What is critical passes; the rest comes in one message when they end." on={*self.on} onchange={keep(&self.on)} />
                if *self.on {
                    <div class="pair">
                        <TextField label="From" path="quiet.from" input={self.from.clone()} placeholder="22:00" />
                        <TextField label="To" path="quiet.to" input={self.to.clone()} placeholder="07:00" />
                    </div>
                    <div class="pair">
                        <SelectField label="Begin on" path="quiet.days" {options} value={(*self.days).clone()} onchange={keep(&self.days)} />
                        <TextField label="Time zone" path="quiet.time_zone" input={self.zone.clone()} placeholder="Europe/Oslo" />
                    </div>
                }
            </>
        }
    }
}
