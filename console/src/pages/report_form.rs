//! Asking for a report, once or again and again.

use chrono::{DateTime, Datelike, Months, NaiveDate, TimeDelta, Utc};
use ralex_api::reports::{NewReport, Report, ReportFilters, ReportKind, ReportSample};
use yew::prelude::*;

use crate::api;
use crate::components::{Dialog, Form, SelectField, TextField};
use crate::hooks::input::anything;
use crate::hooks::{Input, keep, use_action, use_input, use_now};
use crate::session::use_org;
use crate::text::time::midnight;

/// Every kind, for a picker.
pub fn kinds() -> Vec<(AttrValue, AttrValue)> {
    ReportKind::ALL.iter().map(|kind| (kind.as_str().into(), kind.title().into())).collect()
}

/// What a kind shows, in a sentence.
pub const fn shows(kind: ReportKind) -> &'static str {
    match kind {
        ReportKind::AccessReview => {
            "Everybody, every right with who gave it, tokens, and what changed."
        }
        ReportKind::KeyLifecycle => "Keys with age, use, rotations and denials; never a value.",
        ReportKind::AuditExtract => "Events with a bundle that anybody can verify.",
        ReportKind::DataSubject => "All that is kept about one person (GDPR 15 and 20).",
        ReportKind::AiRegister => "Systems, purposes, models and exact volumes; who oversees them.",
        ReportKind::ControlHealth => "Whether the log, its copies, the books and the walls hold.",
    }
}

#[derive(Properties, PartialEq)]
pub struct Props {
    pub ondone: Callback<Report>,
    pub onclose: Callback<()>,
}

/// What narrows a report; which of it a kind takes shows as fields.
#[derive(Clone, PartialEq)]
pub struct Narrowed {
    team: Input,
    person: Input,
    actor: Input,
    action: Input,
    target: Input,
    size: Input,
    seed: Input,
}

#[hook]
pub fn use_narrowed() -> Narrowed {
    Narrowed {
        team: use_input("", anything),
        person: use_input("", anything),
        actor: use_input("", anything),
        action: use_input("", anything),
        target: use_input("", anything),
        size: use_input("", anything),
        seed: use_input("", anything),
    }
}

impl Narrowed {
    pub fn inputs(&self) -> Vec<Input> {
        [&self.team, &self.person, &self.actor, &self.action, &self.target, &self.size, &self.seed]
            .map(Input::clone)
            .to_vec()
    }

    pub fn filters(&self, kind: ReportKind) -> ReportFilters {
        let of = |input: &Input, fits: bool| input.filled().filter(|_| fits);
        let extract = kind == ReportKind::AuditExtract;
        let by_team = matches!(kind, ReportKind::AccessReview | ReportKind::AiRegister);
        ReportFilters {
            team: of(&self.team, by_team),
            person: of(&self.person, kind == ReportKind::DataSubject),
            actor: of(&self.actor, extract),
            action: of(&self.action, extract),
            target: of(&self.target, extract),
            outcome: None,
        }
    }

    pub fn sample(&self, kind: ReportKind) -> Option<ReportSample> {
        let size = self.size.parsed().filter(|_| kind.samples())?;
        Some(ReportSample { size, seed: self.seed.filled() })
    }

    pub fn fields(&self, kind: ReportKind) -> Html {
        let text = |label: &'static str, path: &'static str, input: &Input, hint: &'static str| {
            html! { <TextField {label} {path} input={input.clone()} {hint} /> }
        };
        html! {
            <>
                if matches!(kind, ReportKind::AccessReview | ReportKind::AiRegister) {
                    { text("Team", "filters.team", &self.team, "Its slug; all teams when empty.") }
                }
                if kind == ReportKind::DataSubject {
                    { text("Person", "filters.person", &self.person, "Their e-mail address.") }
                }
                if kind == ReportKind::AuditExtract {
                    { text("Actor", "filters.actor", &self.actor, "An e-mail address, token:<id> or system; all when empty.") }
                    { text("Action", "filters.action", &self.action, "Such as member.*; all when empty.") }
                    { text("Target", "filters.target", &self.target, "Such as budget:*; all when empty.") }
                }
                if kind.samples() {
                    { text("Random sample of", "sample.size", &self.size, "Up to 500 items; everything when empty.") }
                    if self.size.filled().is_some() {
                        { text("Seed", "sample.seed", &self.seed, "The same seed selects the same items; one is drawn and shown when empty.") }
                    }
                }
            </>
        }
    }
}

const PERIODS: [(&str, &str); 6] = [
    ("30", "The last 30 days"),
    ("90", "The last 90 days"),
    ("month", "The last whole month"),
    ("quarter", "The last whole quarter"),
    ("all", "From the beginning"),
    ("days", "From one day to another"),
];

/// From when to when; nothing for what the server takes by itself.
fn bounds(
    period: &str,
    now: DateTime<Utc>,
    (from, to): (&Input, &Input),
) -> (Option<DateTime<Utc>>, Option<DateTime<Utc>>) {
    let first = |day: NaiveDate| midnight(&day.to_string());
    let month = now.date_naive().with_day(1).unwrap_or_default();
    let quarter = month - Months::new((month.month() - 1) % 3);
    match period {
        "90" => (Some(now - TimeDelta::days(90)), None),
        "month" => (first(month - Months::new(1)), first(month)),
        "quarter" => (first(quarter - Months::new(3)), first(quarter)),
        "all" => (midnight("2020-01-01"), None),
        "days" => {
            let last = midnight(&to.text()).map(|day| day + TimeDelta::days(1));
            (midnight(&from.text()), last.filter(|last| *last < now))
        }
        _thirty => (None, None),
    }
}

#[component]
pub fn ReportForm(props: &Props) -> Html {
    let org = use_org();
    let now = use_now();
    let kind = use_state(|| ReportKind::AccessReview);
    let period = use_state(|| "30".to_owned());
    let (from, to) = (use_input("", anything), use_input("", anything));
    let narrowed = use_narrowed();
    let save = use_action(props.ondone.clone());
    let onsubmit = {
        let (save, narrowed, kind, period) =
            (save.clone(), narrowed.clone(), *kind, (*period).clone());
        let (from, to, slug) = (from.clone(), to.clone(), org.slug());
        Callback::from(move |()| {
            let whole = kind == ReportKind::DataSubject && period == "30";
            let period = if whole { "all" } else { &period };
            let (from, to) = bounds(period, now, (&from, &to));
            let new = NewReport {
                kind,
                from,
                to,
                filters: narrowed.filters(kind),
                formats: Vec::new(),
                sample: narrowed.sample(kind),
            };
            save.run(api::reports::create(&slug, &new));
        })
    };
    let onkind = {
        let kind = kind.clone();
        Callback::from(move |name: String| {
            kind.set(ReportKind::named(&name).unwrap_or(ReportKind::AccessReview));
        })
    };
    let periods = PERIODS.map(|(value, text)| (value.into(), text.into())).to_vec();
    let inputs = narrowed.inputs();
    html! {
        <Dialog title="Make a report" onclose={props.onclose.clone()}>
            <Form {inputs} verb="Make it" running={save.running()} problem={save.problem()} {onsubmit} oncancel={props.onclose.clone()}>
                <SelectField label="Kind" options={kinds()} value={kind.as_str()} onchange={onkind} hint={shows(*kind)} />
                <SelectField label="Period" path="from" options={periods} value={(*period).clone()} onchange={keep(&period)} />
                if *period == "days" {
                    <TextField label="From" kind="date" input={from} />
                    <TextField label="To" kind="date" input={to} hint="That day is included." />
                }
                { narrowed.fields(*kind) }
            </Form>
        </Dialog>
    }
}
