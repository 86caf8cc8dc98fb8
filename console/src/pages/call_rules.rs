//! Call rules: which calls are denied, asked about and allowed, what holds without one, and a dry run.

use ralex_api::call_rules::{CallEffect, CallPhase, CallRule, UpdateCallRule};
use yew::prelude::*;

use super::call_rule_default::Without;
use super::call_rule_form::CallRuleForm;
use super::call_rule_places::{Places, use_writable};
use super::call_rule_tester::Tester;
use super::rule_row::{RuleActions, switched};
use crate::api;
use crate::components::{
    Badge, Button, Column, ConfirmDelete, Empty, Head, Icon, Kind, Table, Tone, show, use_toast,
};
use crate::hooks::{keep, use_action, use_load};
use crate::session::use_org;

const COLUMNS: [Column; 7] = [
    Column::text("Rule"),
    Column::text("Does"),
    Column::text("Calls").wide(),
    Column::text("Whose").wide(),
    Column::text("When").wide(),
    Column::text("Where").wide(),
    Column::text(""),
];

/// What is open over the page.
#[derive(Clone, PartialEq)]
enum Over {
    Nothing,
    Create,
    Edit(Box<CallRule>),
    Delete(Box<CallRule>),
}

#[component]
pub fn CallRulesPage() -> Html {
    let org = use_org();
    let over = use_state(|| Over::Nothing);
    let toast = use_toast();
    let (load, again) = use_load(org.slug(), |org| async move {
        let mut rules = api::call_rules::all(&org).await?;
        rules.sort_by_key(|rule| (weight(rule.effect), !rule.enabled));
        Ok(rules)
    });
    let places = use_writable("call_rule.set");
    let set = keep(&over);
    let onclose = set.reform(|()| Over::Nothing);
    // Another number asks again what would become of the tried call.
    let round = use_state(|| 0_u32);
    let done = {
        let (close, again, round) = (onclose.clone(), again.clone(), round.clone());
        Callback::from(move |said: AttrValue| {
            close.emit(());
            again.emit(());
            round.set(*round + 1);
            toast.emit(said);
        })
    };
    let create = html! {
        if places.is_any() { <Button kind={Kind::Primary} icon={Icon::Plus} onclick={set.reform(|()| Over::Create)}>{ "Create rule" }</Button> }
    };
    let whole = org.blocked("call_rule.read").is_none();
    html! {
        <>
            <Head title="Call rules" lead="Which calls may be made, by model, caller, time and money left. Rules narrow what roles give, and never widen it.">{ create.clone() }</Head>
            { show(&load, &again, |rules| html! {
                <>
                    if whole { <Without rules={(**rules).clone()} ondone={done.clone()} /> }
                    if rules.is_empty() { { nothing_yet(create) } } else {
                        <Table caption="Call rules, the weightiest first" columns={COLUMNS.to_vec()}>
                            { for rules.iter().map(|rule| html! {
                                <Row key={rule.id.to_string()} rule={rule.clone()} may={places.may_write(rule.effect, &rule.scope)} set={set.clone()} ondone={done.clone()} />
                            }) }
                        </Table>
                    }
                    if whole { <Tester round={*round} /> }
                </>
            }) }
            { over_page(&over, &org.slug(), &places, &done, onclose) }
        </>
    }
}

fn over_page(
    over: &Over,
    org: &str,
    places: &Places,
    done: &Callback<AttrValue>,
    onclose: Callback<()>,
) -> Html {
    let form = |rule: Option<CallRule>| {
        let (places, ondone) = (places.clone(), done.clone());
        html! { <CallRuleForm {rule} {places} {ondone} onclose={onclose.clone()} /> }
    };
    match over {
        Over::Nothing => Html::default(),
        Over::Create => form(None),
        Over::Edit(rule) => form(Some((**rule).clone())),
        Over::Delete(rule) => delete_dialog(org, rule, done, onclose.clone()),
    }
}

fn nothing_yet(create: Html) -> Html {
    html! {
        <Empty icon={Icon::Rule} title="No rule about calls yet">
            <p>{ "Whoever holds llm.invoke may call every model that there is. A rule denies some of those calls, or has a person asked first: a model for one group only, nothing dear at night, long answers only when somebody agrees." }</p>
            { create }
        </Empty>
    }
}

/// Denying goes before asking, and asking before allowing.
pub const fn weight(effect: CallEffect) -> u8 {
    match effect {
        CallEffect::Deny => 0,
        CallEffect::Ask => 1,
        CallEffect::Allow => 2,
    }
}

/// An effect's word and colour.
pub const fn does(effect: CallEffect) -> (Tone, &'static str) {
    match effect {
        CallEffect::Deny => (Tone::Bad, "Denies"),
        CallEffect::Ask => (Tone::Warn, "Asks"),
        CallEffect::Allow => (Tone::Good, "Allows"),
    }
}

#[derive(Properties, PartialEq)]
struct RowProps {
    rule: CallRule,
    may: bool,
    set: Callback<Over>,
    ondone: Callback<AttrValue>,
}

#[component]
fn Row(props: &RowProps) -> Html {
    let slug = use_org().slug();
    let CallRule { name, enabled, effect, condition, .. } = &props.rule;
    let switch = use_action(
        props.ondone.reform(|changed: CallRule| switched(changed.name, changed.enabled)),
    );
    let onswitch = {
        let (switch, rule) = (switch.clone(), props.rule.clone());
        Callback::from(move |()| {
            let enabled = Some(!rule.enabled);
            let change = UpdateCallRule { enabled, ..UpdateCallRule::default() };
            switch.run(api::call_rules::update(&slug, &rule, &change));
        })
    };
    let (edit, delete) = (props.rule.clone(), props.rule.clone());
    let (tone, word) = does(*effect);
    html! {
        <tr class={classes!((!enabled).then_some("gone"))}>
            <td>
                <span class="strong">{ name.to_string() }</span>
                if !props.rule.description.is_empty() { <p class="faint">{ props.rule.description.clone() }</p> }
                if let Some(why) = &props.rule.broken { <p class="note fault">{ format!("Its condition cannot be used: {why}. It counts for every call.") }</p> }
            </td>
            <td>
                if *enabled { <Badge {tone}>{ word }</Badge> } else { <Badge>{ "Off" }</Badge> }
                if let Some(problem) = switch.problem() { <p class="note fault" role="alert">{ problem.detail }</p> }
            </td>
            <td class="wide">{ calls(&props.rule) }</td>
            <td class="wide">{ whose(&props.rule) }</td>
            <td class="wide">
                if let Some(condition) = condition { <code class="clip" title={condition.clone()}>{ condition.clone() }</code> } else { <span class="faint">{ "Always" }</span> }
            </td>
            <td class="wide" title={props.rule.scope.clone()}>{ props.rule.scope_name.clone() }</td>
            <td class="number">
                if props.may {
                    <RuleActions name={name.to_string()} enabled={*enabled} switching={switch.running()} {onswitch}
                        onedit={props.set.reform(move |()| Over::Edit(Box::new(edit.clone())))}
                        ondelete={props.set.reform(move |()| Over::Delete(Box::new(delete.clone())))} />
                }
            </td>
        </tr>
    }
}

/// What is called, and how, where it is not everything.
fn calls(rule: &CallRule) -> Html {
    let all = |patterns: &[String]| patterns.iter().any(|pattern| pattern == "*");
    let listed = match rule.phase {
        CallPhase::Call => None,
        CallPhase::List => Some("What lists show"),
        CallPhase::Both => Some("Calls and what lists show"),
    };
    html! {
        <span class="badges">
            if all(&rule.resources) { <span class="faint">{ "Every model" }</span> }
            else { { for rule.resources.iter().map(|pattern| html! { <code>{ pattern.clone() }</code> }) } }
            if !all(&rule.actions) { { for rule.actions.iter().map(|action| html! { <code class="faint">{ action.clone() }</code> }) } }
            if let Some(listed) = listed { <span class="faint">{ listed }</span> }
        </span>
    }
}

fn whose(rule: &CallRule) -> Html {
    if rule.subject_names.is_empty() {
        return html! { <span class="faint">{ "Everybody" }</span> };
    }
    html! { <span class="badges">{ for rule.subject_names.iter().map(|name| html! { <Badge>{ name.clone() }</Badge> }) }</span> }
}

fn delete_dialog(
    org: &str,
    rule: &CallRule,
    ondone: &Callback<AttrValue>,
    onclose: Callback<()>,
) -> Html {
    let CallRule { id, name, scope_name, .. } = rule.clone();
    let said = AttrValue::from(format!("{name} is deleted."));
    let ondone = ondone.reform(move |()| said.clone());
    let org = org.to_owned();
    let delete = Callback::from(move |()| api::call_rules::delete(&org, id));
    html! {
        <ConfirmDelete title={format!("Delete {name}?")} verb="Delete rule" {delete} {ondone} {onclose}>
            <p>{ format!("From the next call on it says nothing in {scope_name} any more. Switched off, it would stay to be used again.") }</p>
        </ConfirmDelete>
    }
}
