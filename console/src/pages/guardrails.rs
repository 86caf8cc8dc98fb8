//! Guardrails: what is looked for in prompts and answers, what is done about it, and a tester.

use ralex_api::guardrails::{
    Action, Check, Direction, Guardrail, JudgeWhen, Pack, Reaction, UpdateGuardrail,
};
use yew::prelude::*;

use super::guardrail_form::GuardrailForm;
use super::guardrail_tester::Tester;
use super::rule_row::{RuleActions, switched};
use crate::api;
use crate::components::{
    Badge, Button, Column, ConfirmDelete, Empty, Head, Icon, Kind, More, Table, Tone, show,
    use_toast,
};
use crate::hooks::{Pages, keep, use_action, use_load, use_pages};
use crate::session::use_org;
use crate::text::number::counted;

const COLUMNS: [Column; 6] = [
    Column::text("Name"),
    Column::text("Looks for"),
    Column::text("Holds for").wide(),
    Column::text("Where").wide(),
    Column::text("Does"),
    Column::text(""),
];

/// What is open over the page.
#[derive(Clone, PartialEq)]
enum Over {
    Nothing,
    Create,
    Edit(Box<Guardrail>),
    Delete(Box<Guardrail>),
}

#[component]
pub fn GuardrailsPage() -> Html {
    let org = use_org();
    let over = use_state(|| Over::Nothing);
    let toast = use_toast();
    let list = use_pages(org.slug(), |org, cursor| api::guardrails::list(&org, cursor));
    let (packs, packs_again) = use_load(org.slug(), |org| api::guardrails::packs(&org));
    let may = org.can_everywhere("guardrail.set");
    let set = keep(&over);
    let onclose = set.reform(|()| Over::Nothing);
    let done = {
        let (close, again) = (onclose.clone(), list.again.clone());
        Callback::from(move |said: AttrValue| {
            close.emit(());
            again.emit(());
            toast.emit(said);
        })
    };
    let create = html! {
        if may { <Button kind={Kind::Primary} icon={Icon::Plus} onclick={set.reform(|()| Over::Create)}>{ "Create guardrail" }</Button> }
    };
    html! {
        <>
            <Head title="Guardrails" lead="What is looked for in prompts and answers, and what is done about it. Nothing is, until it is set up here.">{ create.clone() }</Head>
            { show(&packs, &packs_again, |packs| html! {
                <>
                    { show(&list.state, &list.again, |pages| if pages.items.is_empty() { nothing_yet(create) } else { html! {
                        <>
                            { table(pages, &packs.items, may, &set, &done) }
                            <More shown={pages.items.len()} noun="guardrail" more={pages.next.is_some()} fetching={pages.fetching} problem={pages.problem.clone()} onmore={list.more.clone()} />
                        </>
                    } }) }
                    <Tester packs={packs.items.clone()} />
                    { match &*over {
                        Over::Nothing => Html::default(),
                        Over::Create => html! { <GuardrailForm packs={packs.items.clone()} guardrail={None::<Guardrail>} ondone={done.clone()} {onclose} /> },
                        Over::Edit(guardrail) => html! { <GuardrailForm packs={packs.items.clone()} guardrail={Some((**guardrail).clone())} ondone={done.clone()} {onclose} /> },
                        Over::Delete(guardrail) => delete_dialog(&org.slug(), guardrail, &done, onclose),
                    } }
                </>
            }) }
        </>
    }
}

fn nothing_yet(create: Html) -> Html {
    html! {
        <Empty icon={Icon::Funnel} title="No guardrail yet">
            <p>{ "Start with the secrets pack for the whole organisation, or try a text on any pack below." }</p>{ create }
        </Empty>
    }
}

fn table(
    pages: &Pages<Guardrail>,
    packs: &[Pack],
    may: bool,
    set: &Callback<Over>,
    done: &Callback<AttrValue>,
) -> Html {
    html! {
        <Table caption="Guardrails" columns={COLUMNS.to_vec()}>
            { for pages.items.iter().map(|guardrail| html! {
                <Row key={guardrail.id.to_string()} guardrail={guardrail.clone()} looks_for={looks_for(&guardrail.check, packs)} {may} set={set.clone()} ondone={done.clone()} />
            }) }
        </Table>
    }
}

#[derive(Properties, PartialEq)]
struct RowProps {
    guardrail: Guardrail,
    looks_for: AttrValue,
    may: bool,
    set: Callback<Over>,
    ondone: Callback<AttrValue>,
}

#[component]
fn Row(props: &RowProps) -> Html {
    let slug = use_org().slug();
    let Guardrail { id, name, scope, scope_name, action, direction, enabled, .. } =
        props.guardrail.clone();
    let switch = use_action(
        props.ondone.reform(|changed: Guardrail| switched(changed.name, changed.enabled)),
    );
    let onswitch = {
        let switch = switch.clone();
        Callback::from(move |()| {
            let change = UpdateGuardrail {
                name: None,
                check: None,
                action: None,
                direction: None,
                enabled: Some(!enabled),
            };
            switch.run(api::guardrails::update(&slug, id, change));
        })
    };
    let (edit, delete) = (props.guardrail.clone(), props.guardrail.clone());
    let (tone, does) = reaction(action);
    html! {
        <tr class={classes!((!enabled).then_some("gone"))}>
            <td><span class="strong">{ name.to_string() }</span></td>
            <td>{ props.looks_for.clone() }</td>
            <td class="wide" title={scope}>{ scope_name }</td>
            <td class="wide">{ way(direction) }</td>
            <td>
                if enabled { <Badge {tone}>{ does }</Badge> } else { <Badge>{ "Off" }</Badge> }
                if let Some(problem) = switch.problem() { <p class="note fault" role="alert">{ problem.detail }</p> }
            </td>
            <td class="number">
                if props.may {
                    <RuleActions name={name.to_string()} {enabled} switching={switch.running()} {onswitch}
                        onedit={props.set.reform(move |()| Over::Edit(Box::new(edit.clone())))}
                        ondelete={props.set.reform(move |()| Over::Delete(Box::new(delete.clone())))} />
                }
            </td>
        </tr>
    }
}

fn looks_for(check: &Check, packs: &[Pack]) -> AttrValue {
    match check {
        Check::Pack { pack, rules, except, .. } => {
            let found = packs.iter().find(|known| known.name == *pack);
            let title = found.map_or(pack.as_str(), |pack| pack.title.as_str());
            match (rules, except.len()) {
                (Some(rules), _) => {
                    format!("{title}: {}", counted(rules.len() as u64, "rule")).into()
                }
                (None, 0) => title.to_owned().into(),
                (None, without) => {
                    format!("{title} without {}", counted(without as u64, "rule")).into()
                }
            }
        }
        Check::Pattern { label, .. } => format!("A pattern, as [{label}_1]").into(),
        Check::Judge { model, when, .. } => {
            let when =
                if *when == JudgeWhen::Always { "of every call" } else { "where it is suspicious" };
            format!("Injections, as {model} judges {when}").into()
        }
        Check::Topic { phrases, .. } => {
            format!("A topic: {}", counted(phrases.len() as u64, "phrase")).into()
        }
    }
}

pub const fn way(direction: Direction) -> &'static str {
    match direction {
        Direction::In => "Prompts",
        Direction::Out => "Answers",
        Direction::Both => "Prompts and answers",
    }
}

const fn reaction(reaction: Reaction) -> (Tone, &'static str) {
    match reaction {
        Reaction::Advised => (Tone::Info, "As advised"),
        Reaction::Flag => acts(Action::Flag),
        Reaction::Redact => acts(Action::Redact),
        Reaction::Ask => acts(Action::Ask),
        Reaction::Block => acts(Action::Block),
    }
}

/// An action's word and colour.
pub const fn acts(action: Action) -> (Tone, &'static str) {
    match action {
        Action::Flag => (Tone::Plain, "Flags"),
        Action::Redact => (Tone::Warn, "Redacts"),
        Action::Ask => (Tone::Warn, "Asks"),
        Action::Block => (Tone::Bad, "Blocks"),
    }
}

fn delete_dialog(
    org: &str,
    guardrail: &Guardrail,
    ondone: &Callback<AttrValue>,
    onclose: Callback<()>,
) -> Html {
    let Guardrail { id, name, scope_name, .. } = guardrail.clone();
    let said = AttrValue::from(format!("{name} is deleted."));
    let ondone = ondone.reform(move |()| said.clone());
    let org = org.to_owned();
    let delete = Callback::from(move |()| api::guardrails::delete(&org, id));
    html! {
        <ConfirmDelete title={format!("Delete {name}?")} verb="Delete guardrail" {delete} {ondone} {onclose}>
            <p>{ format!("From the next call on it is not looked for in {scope_name} any more. What other guardrails ask for stays.") }</p>
        </ConfirmDelete>
    }
}
