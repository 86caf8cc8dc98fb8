//! What a rule would have done to the calls that were made, before it is saved or deleted.

use ralex_api::call_rules::{CallEffect, SimulateCallRules, SimulatedCallRules, SimulatedCalls};
use yew::prelude::*;

use super::call_rules::does;
use crate::api;
use crate::components::{
    Badge, Banner, Button, Column, Failed, Kind, SelectField, Stat, Table, Tone, When,
};
use crate::hooks::{keep, use_action};
use crate::session::use_org;
use crate::text::number::{counted, grouped};

const DAYS: [u32; 4] = [7, 30, 90, 365];
const COLUMNS: [Column; 5] = [
    Column::text("Who"),
    Column::text("Model"),
    Column::text("Would be"),
    Column::number("Calls"),
    Column::text("Last"),
];
/// A dialog is no place for more lines.
const LINES: u32 = 10;

#[derive(Properties, PartialEq)]
pub struct Props {
    /// Nothing while what is written makes no rule yet.
    pub change: Option<SimulateCallRules>,
}

/// Offered to whoever may see the organisation's rules and calls.
#[component]
pub fn Past(props: &Props) -> Html {
    let org = use_org();
    let days = use_state(|| 30_u32);
    let told = use_state(|| None::<(SimulateCallRules, SimulatedCallRules)>);
    let run = use_action(keep(&told).reform(Some));
    if ["call_rule.read", "call.read"].iter().any(|right| org.blocked(right).is_some()) {
        return Html::default();
    }
    let change = props.change.clone().map(|change| SimulateCallRules {
        days: Some(*days),
        limit: Some(LINES),
        ..change
    });
    let onclick = {
        let (run, slug, change) = (run.clone(), org.slug(), change.clone());
        Callback::from(move |()| {
            let Some(change) = change.clone() else { return };
            let slug = slug.clone();
            run.run(async move {
                let told = api::call_rules::simulate(&slug, &change).await?;
                Ok((change, told))
            });
        })
    };
    let options =
        DAYS.map(|days| (days.to_string().into(), format!("{days} days").into())).to_vec();
    let ondays = keep(&days).reform(|text: String| text.parse().unwrap_or(30));
    let blocked = change.is_none().then(|| AttrValue::from("Say what the rule is first."));
    // What is in sight is of what is written.
    let shown = told.as_ref().filter(|(of, _)| Some(of) == change.as_ref());
    html! {
        <div class="past" aria-live="polite">
            <div class="panel-actions">
                <SelectField label="Calls of the last" inline=true {options} value={days.to_string()} onchange={ondays} />
                <Button kind={Kind::Plain} busy={run.running()} {blocked} {onclick}>{ "What it would have done" }</Button>
            </div>
            if let Some(problem) = run.problem() { <Failed {problem} /> }
            if let Some((_, told)) = shown { { outcome(told) } }
        </div>
    }
}

fn outcome(told: &SimulatedCallRules) -> Html {
    let unclear = (told.unclear > 0).then(|| {
        let names = told.not_kept.join(", ");
        format!("{} hinge on {names}, which is not kept of a call.", counted(told.unclear, "call"))
    });
    if told.changed == 0 {
        let tone = if told.unclear == 0 { Tone::Good } else { Tone::Warn };
        return html! {
            <Banner {tone}>
                <p>{ format!("None of {} would surely have come out otherwise.", counted(told.looked_at, "call")) }</p>
                if let Some(unclear) = unclear { <p>{ unclear }</p> }
            </Banner>
        };
    }
    html! {
        <>
            <div class="tiles">
                <Stat label="Otherwise" value={grouped(told.changed)}>{ format!("of {} since {}", counted(told.looked_at, "call"), told.since.date_naive()) }</Stat>
                if told.unclear > 0 {
                    <Stat label="Unclear" value={grouped(told.unclear)}>{ told.not_kept.join(", ") }</Stat>
                }
            </div>
            if told.looked_at < told.recorded {
                <p class="note">{ format!("There are {}; the newest were looked at.", counted(told.recorded, "call")) }</p>
            }
            <Table caption="Calls that would have come out otherwise" columns={COLUMNS.to_vec()}>
                { for told.changes.iter().map(row) }
            </Table>
            if told.more > 0 { <p class="note">{ format!("And {} more.", counted(told.more.into(), "line")) }</p> }
        </>
    }
}

fn row(line: &SimulatedCalls) -> Html {
    let (tone, _) = does(line.after);
    let who = if line.subject_name.is_empty() { &line.subject } else { &line.subject_name };
    html! {
        <tr>
            <td class="strong">{ who.clone() }<span class="faint">{ format!(" {}", line.scope) }</span></td>
            <td>{ line.model.clone() }</td>
            <td><Badge {tone}>{ becomes(line.after) }</Badge></td>
            <td class="number">{ grouped(line.calls) }</td>
            <td><When at={line.last_call} /></td>
        </tr>
    }
}

const fn becomes(effect: CallEffect) -> &'static str {
    match effect {
        CallEffect::Allow => "Allowed",
        CallEffect::Ask => "Asked about",
        CallEffect::Deny => "Denied",
    }
}
