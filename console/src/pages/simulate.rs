//! A change of roles on trial: put together here or pasted, and who would gain or lose what where.

use ralex_api::access::BindingEffect;
use ralex_api::simulate::{Proposal, RefusedUses, Simulated, SimulatedChange};
use yew::prelude::*;

use super::simulate_compose::Compose;
use crate::api;
use crate::components::{
    Badge, Banner, Button, Column, Failed, Icon, IconButton, Kind, SelectField, Stat, Table, Tone,
    When,
};
use crate::hooks::{keep, use_action};
use crate::session::use_org;
use crate::text::number::{counted, grouped};

const CHANGES: [Column; 4] = [
    Column::text("Who"),
    Column::text("Where"),
    Column::text("Could also"),
    Column::text("Could no more"),
];
const USES: [Column; 5] = [
    Column::text("Who"),
    Column::text("Where"),
    Column::text("By").wide(),
    Column::number("Calls"),
    Column::text("Last"),
];
const DAYS: [u32; 4] = [7, 30, 90, 365];

/// A change and how each of its parts reads, in the order of the proposal.
#[derive(Clone, Default, PartialEq)]
pub struct Change {
    pub proposal: Proposal,
    /// Who is meant, and what the bindings are that would end, by their ids.
    pub named: Vec<(String, String)>,
}

impl Change {
    pub fn is_empty(&self) -> bool {
        let Proposal { bind, unbind, roles, .. } = &self.proposal;
        bind.is_empty() && unbind.is_empty() && roles.is_empty()
    }

    /// Each part in words.
    fn words(&self) -> Vec<String> {
        let Proposal { bind, unbind, roles, .. } = &self.proposal;
        let named = |id: &str| {
            let found = self.named.iter().find(|(known, _)| known == id);
            found.map_or(id, |(_, words)| words.as_str()).to_owned()
        };
        let bind = bind.iter().map(|new| {
            let place = new.scope.as_deref().unwrap_or("org");
            let verb = if new.effect == BindingEffect::Deny { "Deny" } else { "Give" };
            format!("{verb} {} to {} at {place}", new.role, named(&new.subject))
        });
        let unbind = unbind.iter().map(|id| format!("Take away {}", named(&id.to_string())));
        let roles = roles.iter().map(|role| {
            let parts = role
                .permissions
                .iter()
                .cloned()
                .chain(role.includes.iter().map(ToString::to_string));
            format!("Role {} would be {}", role.name, parts.collect::<Vec<_>>().join(", "))
        });
        bind.chain(unbind).chain(roles).collect()
    }

    /// The same without one part.
    fn without(&self, at: usize) -> Self {
        let mut next = self.clone();
        let Proposal { bind, unbind, roles, .. } = &mut next.proposal;
        let (given, ended) = (bind.len(), unbind.len());
        if at < given {
            bind.remove(at);
        } else if at < given + ended {
            unbind.remove(at - given);
        } else if at < given + ended + roles.len() {
            roles.remove(at - given - ended);
        }
        next
    }
}

#[component]
pub fn Simulate() -> Html {
    let org = use_org();
    let change = use_state(Change::default);
    let told = use_state(|| None::<(Change, Simulated)>);
    let run = use_action(keep(&told).reform(Some));
    let days = change.proposal.days.unwrap_or(30);
    let onrun = {
        let (run, slug, change) = (run.clone(), org.slug(), change.clone());
        Callback::from(move |()| {
            let (slug, change) = (slug.clone(), (*change).clone());
            run.run(async move {
                let told = api::policies::simulate(&slug, &change.proposal).await?;
                Ok((change, told))
            });
        })
    };
    let ondays = {
        let change = change.clone();
        Callback::from(move |days: String| {
            let mut next = (*change).clone();
            next.proposal.days = days.parse().ok();
            change.set(next);
        })
    };
    let options =
        DAYS.map(|days| (days.to_string().into(), format!("{days} days").into())).to_vec();
    let blocked = change.is_empty().then(|| AttrValue::from("Add a change first."));
    // What is in sight is of the change that is in sight.
    let shown = told.as_ref().filter(|(of, _)| *of == *change);
    html! {
        <section class="panel" aria-labelledby="simulate">
            <h2 id="simulate">{ "Try a change" }</h2>
            <p class="lead">{ "Who would gain or lose what where, and which calls of the last days would have been refused. Nothing is changed." }</p>
            <Compose change={(*change).clone()} onchange={keep(&change)} />
            if !change.is_empty() { { parts(&change) } }
            <div class="panel-actions">
                <SelectField label="Calls of the last" inline=true {options} value={days.to_string()} onchange={ondays} />
                <Button kind={Kind::Primary} busy={run.running()} {blocked} onclick={onrun}>{ "Show what it would do" }</Button>
            </div>
            if let Some(problem) = run.problem() { <Failed {problem} /> }
            if let Some((_, told)) = shown { { outcome(told) } }
        </section>
    }
}

fn parts(change: &UseStateHandle<Change>) -> Html {
    html! {
        <ul class="rows" aria-label="Changes to try">
            { for change.words().into_iter().enumerate().map(|(at, words)| {
                let onclick = {
                    let change = change.clone();
                    Callback::from(move |()| change.set(change.without(at)))
                };
                html! { <li key={at}><span>{ words.clone() }</span><IconButton icon={Icon::Close} label={format!("Without: {words}")} {onclick} /></li> }
            }) }
        </ul>
    }
}

fn outcome(told: &Simulated) -> Html {
    let uses = &told.uses;
    if told.gaining + told.losing == 0 && uses.refused == 0 {
        return html! { <Banner tone={Tone::Good}><p>{ "Nobody would gain or lose anything." }</p></Banner> };
    }
    html! {
        <div class="tested" aria-live="polite">
            <div class="tiles">
                <Stat label="Gain something" value={grouped(told.gaining.into())}>{ "people and programs" }</Stat>
                <Stat label="Lose something" value={grouped(told.losing.into())}>{ "people and programs" }</Stat>
                <Stat label="Calls refused" value={grouped(uses.refused)}>{ format!("of {} since {}", grouped(uses.recorded), uses.since.date_naive()) }</Stat>
                if uses.refused_already > 0 {
                    <Stat label="Refused already" value={grouped(uses.refused_already)}>{ "by the rules of today" }</Stat>
                }
            </div>
            if !told.changes.is_empty() {
                <Table caption="Who gains and loses what" columns={CHANGES.to_vec()}>{ for told.changes.iter().map(changed) }</Table>
                { more(told.more_changes) }
            }
            if !uses.by.is_empty() {
                <h3>{ "Calls that would have been refused" }</h3>
                <Table caption="Calls that would have been refused" columns={USES.to_vec()}>{ for uses.by.iter().map(refused) }</Table>
                { more(uses.more) }
            }
        </div>
    }
}

fn more(count: u32) -> Html {
    if count == 0 {
        return Html::default();
    }
    html! { <p class="faint">{ format!("And {} that are not shown.", counted(count.into(), "line")) }</p> }
}

fn changed(change: &SimulatedChange) -> Html {
    let names = |tone: Tone, all: &[String]| {
        html! { <span class="badges">{ for all.iter().map(|name| html! { <Badge {tone}>{ name.clone() }</Badge> }) }</span> }
    };
    html! {
        <tr key={format!("{} {}", change.subject, change.scope)}>
            <td class="strong" title={change.subject.clone()}>{ change.subject_name.clone() }</td>
            <td><code>{ change.scope.clone() }</code></td>
            <td>{ names(Tone::Good, &change.gains) }</td>
            <td>{ names(Tone::Bad, &change.loses) }</td>
        </tr>
    }
}

fn refused(uses: &RefusedUses) -> Html {
    html! {
        <tr key={format!("{} {} {}", uses.subject, uses.scope, uses.permission)}>
            <td class="strong" title={uses.subject.clone()}>{ uses.subject_name.clone() }</td>
            <td><code>{ uses.scope.clone() }</code></td>
            <td class="wide"><code>{ uses.permission.clone() }</code></td>
            <td class="number">{ grouped(uses.uses) }</td>
            <td><When at={uses.last_used} /></td>
        </tr>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_reads_in_words_and_loses_the_part_that_is_taken_out() {
        let text = r#"{"bind":[{"subject":"group:night","role":"developer","scope":"team:blue","effect":"deny"}],
            "unbind":["01890a5d-ac96-774b-bcce-b302099a8057"],"roles":[{"name":"keeper","permissions":["call.read"],"includes":["viewer"]}]}"#;
        let named =
            vec![("01890a5d-ac96-774b-bcce-b302099a8057".into(), "viewer of Kim at org".into())];
        let change = Change { proposal: serde_json::from_str(text).unwrap(), named };
        assert_eq!(
            change.words(),
            [
                "Deny developer to group:night at team:blue",
                "Take away viewer of Kim at org",
                "Role keeper would be call.read, viewer"
            ]
        );
        assert_eq!(change.without(1).words().len(), 2);
        assert!(change.without(0).without(0).without(0).is_empty());
    }
}
