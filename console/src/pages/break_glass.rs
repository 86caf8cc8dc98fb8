//! Break-glass: who may open it, whether it is open, and what came of each use.

use ralex_api::break_glass::{BreakGlass, BreakGlassArmed, BreakGlassOpening, BreakGlassState};
use yew::prelude::*;

use super::break_glass_forms::{ArmForm, OpenForm, ReviewForm};
use super::passkeys::passkey_button;
use crate::api;
use crate::components::{
    Badge, Banner, Button, Column, Confirm, Empty, Failed, Head, Icon, Kind, More, Table, Tone,
    When, key_value, show, use_toast,
};
use crate::hooks::{Pages, keep, use_action, use_load, use_pages};
use crate::session::{use_org, use_session};
use crate::text::time::exact;

const COLUMNS: [Column; 5] = [
    Column::text("Asked"),
    Column::text("Who").wide(),
    Column::text("Reason"),
    Column::text("State"),
    Column::text("Review"),
];

/// What lies over the page.
#[derive(Clone, PartialEq)]
enum Over {
    Nothing,
    Arm,
    Disarm,
    Open,
    Review(Box<BreakGlassOpening>),
}

#[component]
pub fn BreakGlassPage() -> Html {
    let (org, session, toast) = (use_org(), use_session(), use_toast());
    let (load, again) = use_load(org.slug(), |org| api::break_glass::show(&org));
    let list = use_pages(org.slug(), |org, cursor| api::break_glass::openings(&org, cursor));
    let over = use_state(|| Over::Nothing);
    let onclose = keep(&over).reform(|()| Over::Nothing);
    let ondone = {
        let (close, again, listed) = (onclose.clone(), again.clone(), list.again.clone());
        Callback::from(move |said: AttrValue| {
            close.emit(());
            again.emit(());
            listed.emit(());
            // What one may do has changed with it.
            if let Some(session) = &session {
                session.refresh.emit(());
            }
            toast.emit(said);
        })
    };
    let known = load.ready().cloned();
    let dialog = known.as_ref().map(|told| match &*over {
        Over::Nothing => Html::default(),
        Over::Arm => html! { <ArmForm told={(**told).clone()} ondone={ondone.clone()} onclose={onclose.clone()} /> },
        Over::Disarm => html! { <Disarm ondone={ondone.clone()} onclose={onclose.clone()} /> },
        Over::Open => html! { <OpenForm longest={told.armed.as_ref().map_or(60, |it| it.longest_minutes)} ondone={ondone.clone()} onclose={onclose.clone()} /> },
        Over::Review(opening) => html! { <ReviewForm opening={(**opening).clone()} ondone={ondone.clone()} onclose={onclose.clone()} /> },
    });
    let set = |what: Over| keep(&over).reform(move |()| what.clone());
    let review = {
        let over = keep(&over);
        over.reform(|it: BreakGlassOpening| Over::Review(Box::new(it)))
    };
    let armed = known.as_ref().is_some_and(|told| told.armed.is_some());
    let may_open = known.as_ref().is_some_and(|told| told.is_named && told.current.is_none());
    let may_arm = known.as_ref().is_some_and(|told| told.may_arm);
    html! {
        <>
            <Head title="Break-glass" lead="A dormant way in for an emergency. Two named people open it together, each by a passkey, for an hour at most.">
                if may_open { <Button kind={Kind::Primary} icon={Icon::Warn} onclick={set(Over::Open)}>{ "Open" }</Button> }
                if may_arm { <Button icon={Icon::Edit} onclick={set(Over::Arm)}>{ if armed { "Change" } else { "Arm" } }</Button> }
                if may_arm && armed { <Button onclick={set(Over::Disarm)}>{ "Disarm" }</Button> }
                <Button icon={Icon::Rotate} onclick={again.clone()}>{ "Refresh" }</Button>
            </Head>
            { show(&load, &again, |told| standing(told, &ondone)) }
            { show(&list.state, &list.again, |pages| table(pages, &list.more, &review)) }
            { dialog.unwrap_or_default() }
        </>
    }
}

fn standing(told: &BreakGlass, ondone: &Callback<AttrValue>) -> Html {
    html! {
        <>
            if let Some(current) = &told.current { <Current opening={current.clone()} ondone={ondone.clone()} /> }
            if told.drill_due {
                <Banner tone={Tone::Warn}><p>{ "It was neither drilled nor opened for more than 92 days. What nobody tries may not work when it is needed." }</p></Banner>
            }
            { match &told.armed {
                Some(armed) => key_value(&facts(armed, told)),
                None => html! { <Empty icon={Icon::Shield} title="Not armed"><p>{ "Nobody can open it. Whoever holds break_glass.arm says who may, and what it gives." }</p></Empty> },
            } }
        </>
    }
}

fn facts(armed: &BreakGlassArmed, told: &BreakGlass) -> Vec<(AttrValue, Html)> {
    let last = |at: Option<chrono::DateTime<chrono::Utc>>| at.map_or("Never".to_owned(), exact);
    let people = html! {
        <ul class="plain">
            { for armed.people.iter().map(|it| html! {
                <li key={it.email.clone()}>
                    { format!("{} ({})", it.name, it.email) }
                    if let Some(why) = &it.hindered { { " " }<Badge tone={Tone::Bad}>{ format!("Cannot open it: {why}") }</Badge> }
                </li>
            }) }
        </ul>
    };
    let list = |names: &[String]| html! { <code>{ names.join(", ") }</code> };
    vec![
        ("May open it".into(), people),
        (
            "Gives".into(),
            html! {
                <details>
                    <summary>{ format!("{} permissions of the role {}", armed.permissions.len(), armed.role) }</summary>
                    { list(&armed.permissions) }
                </details>
            },
        ),
        ("Never gives".into(), list(&told.never)),
        ("Longest time".into(), html! { { format!("{} minutes", armed.longest_minutes) } }),
        ("Armed".into(), html! { { format!("{}, {}", armed.armed_by, exact(armed.armed_at)) } }),
        ("Last drill".into(), html! { { last(told.last_drill_at) } }),
        ("Last opened".into(), html! { { last(told.last_opened_at) } }),
    ]
}

#[derive(Properties, PartialEq)]
struct CurrentProps {
    opening: BreakGlassOpening,
    ondone: Callback<AttrValue>,
}

/// What waits to be confirmed or is open, and what whoever reads it may do with it.
#[component]
fn Current(props: &CurrentProps) -> Html {
    let slug = use_org().slug();
    let opening = &props.opening;
    let is_open = opening.state == BreakGlassState::Open;
    let confirm = use_action(props.ondone.reform(|now: BreakGlassOpening| {
        if now.drill { "Drilled. It gave nothing." } else { "It is open." }.into()
    }));
    let end = use_action(props.ondone.reform(|_: BreakGlassOpening| "It is over.".into()));
    let onend = {
        let (end, slug, id) = (end.clone(), slug.clone(), opening.id.to_string());
        Callback::from(move |()| end.run(api::break_glass::end(&slug, &id)))
    };
    let ask = {
        let id = opening.id.to_string();
        move || -> super::passkeys::Answering<BreakGlassOpening> {
            Box::pin(api::break_glass::confirm(slug.clone(), id.clone()))
        }
    };
    let what = if opening.drill { "a drill" } else { "the break-glass access" };
    let said = match (&opening.confirmed_by, opening.until) {
        (Some(second), Some(until)) => {
            format!("{} and {second} have opened it, until {}.", opening.asked_by, exact(until))
        }
        _ => format!(
            "{} asks for {what}, for {} minutes. Another named person can confirm it until {}.",
            opening.asked_by,
            opening.minutes,
            exact(opening.confirm_until)
        ),
    };
    html! {
        <Banner tone={if is_open { Tone::Bad } else { Tone::Warn }}>
            <p><strong>{ said }</strong></p>
            <p>{ format!("Reason: {}", opening.reason) }</p>
            if opening.may_confirm { { passkey_button("Confirm with a passkey", Kind::Primary, &confirm, ask) } }
            if let Some(problem) = end.problem() { <Failed {problem} /> }
            if opening.may_end {
                <Button busy={end.running()} onclick={onend}>{ if is_open { "End it now" } else { "Withdraw it" } }</Button>
            }
        </Banner>
    }
}

fn table(
    pages: &Pages<BreakGlassOpening>,
    more: &Callback<()>,
    review: &Callback<BreakGlassOpening>,
) -> Html {
    if pages.items.is_empty() {
        return html! { <Empty icon={Icon::Check} title="Never used"><p>{ "Uses and drills appear here, each with its review." }</p></Empty> };
    }
    let row = |it: &BreakGlassOpening| {
        let second = it.confirmed_by.as_ref().map(|who| format!(" and {who}")).unwrap_or_default();
        let onclick = {
            let it = it.clone();
            review.reform(move |()| it.clone())
        };
        html! {
            <tr key={it.id.to_string()}>
                <td><When at={it.asked_at} /></td>
                <td class="wide strong">{ format!("{}{second}", it.asked_by) }</td>
                <td>{ it.reason.clone() }</td>
                <td>{ badge(it) }</td>
                <td>
                    if it.may_review { <Button {onclick}>{ "Review" }</Button> } else { { reviewed(it) } }
                </td>
            </tr>
        }
    };
    html! {
        <>
            <Table caption="Uses of the break-glass access" columns={COLUMNS.to_vec()}>{ for pages.items.iter().map(row) }</Table>
            <More shown={pages.items.len()} noun="use" more={pages.next.is_some()} fetching={pages.fetching}
                problem={pages.problem.clone()} onmore={more.clone()} />
        </>
    }
}

fn badge(opening: &BreakGlassOpening) -> Html {
    let (tone, word) = match opening.state {
        BreakGlassState::Asked => (Tone::Warn, "Waiting"),
        BreakGlassState::Open => (Tone::Bad, "Open"),
        BreakGlassState::Withdrawn => (Tone::Plain, "Withdrawn"),
        BreakGlassState::Expired => (Tone::Plain, "Not confirmed"),
        BreakGlassState::Ended if opening.drill => (Tone::Good, "Drilled"),
        BreakGlassState::Ended => (Tone::Plain, "Over"),
    };
    html! { <Badge {tone}>{ word }</Badge> }
}

fn reviewed(opening: &BreakGlassOpening) -> Html {
    match (&opening.reviewed_by, &opening.note) {
        (Some(by), Some(note)) => html! { { format!("{by}: {note}") } },
        _ if opening.state == BreakGlassState::Ended && !opening.drill => {
            html! { <Badge tone={Tone::Warn}>{ "Waits" }</Badge> }
        }
        _ => html! { "none" },
    }
}

#[derive(Properties, PartialEq)]
struct DisarmProps {
    ondone: Callback<AttrValue>,
    onclose: Callback<()>,
}

#[component]
fn Disarm(props: &DisarmProps) -> Html {
    let slug = use_org().slug();
    let act = use_action(props.ondone.reform(|()| "Nobody can open it any more.".into()));
    let onconfirm = {
        let act = act.clone();
        Callback::from(move |()| act.run(api::break_glass::disarm(&slug)))
    };
    html! {
        <Confirm title="Disarm the break-glass access?" verb="Disarm" running={act.running()} problem={act.problem()} {onconfirm} onclose={props.onclose.clone()}>
            <p>{ "Nobody can open it until it is armed again. Uses that wait for their review stay." }</p>
        </Confirm>
    }
}
