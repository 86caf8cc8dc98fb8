//! Operators: who manages a deployment's organisations.

use ralex_api::operators::{FactorsReset, NewOperator, Operator, ResetFactors};
use ralex_kernel::Email;
use yew::prelude::*;

use crate::api;
use crate::components::{
    Badge, Button, Column, ConfirmDelete, Dialog, Form, Icon, IconButton, Kind, Table, TextField,
    Tone, When, show, use_toast,
};
use crate::hooks::input::{needed, parses};
use crate::hooks::{keep, use_action, use_input, use_load};

const COLUMNS: [Column; 4] =
    [Column::text("Name"), Column::text("Second factor"), Column::text("Since"), Column::text("")];

/// What is open over the list.
#[derive(Clone, PartialEq)]
enum Over {
    Nothing,
    Add,
    Remove(Box<Operator>),
    Reset,
}

#[component]
pub fn Operators() -> Html {
    let over = use_state(|| Over::Nothing);
    let toast = use_toast();
    let (load, again) = use_load((), |()| api::operators::operators());
    let set = keep(&over);
    let onclose = set.reform(|()| Over::Nothing);
    let done = {
        let (onclose, again) = (onclose.clone(), again.clone());
        Callback::from(move |said: AttrValue| {
            onclose.emit(());
            again.emit(());
            toast.emit(said);
        })
    };
    html! {
        <>
            <div class="list-head">
                <p class="faint">{ "They hold the keys of the house, so each should have a second factor." }</p>
                <Button icon={Icon::Shield} onclick={set.reform(|()| Over::Reset)}>{ "Reset second factors" }</Button>
                <Button kind={Kind::Primary} icon={Icon::Plus} onclick={set.reform(|()| Over::Add)}>{ "Add operator" }</Button>
            </div>
            { show(&load, &again, |all| html! {
                <Table caption="Operators" columns={COLUMNS.to_vec()}>
                    { for all.items.iter().map(|operator| row(operator, all.items.len() > 1, &set)) }
                </Table>
            }) }
            { match &*over {
                Over::Nothing => Html::default(),
                Over::Add => html! { <Adder ondone={done} {onclose} /> },
                Over::Reset => html! { <Resetter ondone={done} {onclose} /> },
                Over::Remove(operator) => remove_dialog(operator, &done, onclose),
            } }
        </>
    }
}

fn row(operator: &Operator, may: bool, set: &Callback<Over>) -> Html {
    let (user, chosen) = (&operator.user, Box::new(operator.clone()));
    let (tone, factor) =
        if operator.second_factor { (Tone::Good, "Yes") } else { (Tone::Warn, "No") };
    html! {
        <tr key={user.id.to_string()}>
            <td><span class="strong">{ user.name.to_string() }</span>{ " " }<span class="faint">{ user.email.to_string() }</span></td>
            <td><Badge {tone}>{ factor }</Badge></td>
            <td><When at={operator.since} /></td>
            <td class="number">
                if may { <IconButton icon={Icon::Trash} label={format!("Remove {}", user.name)} onclick={set.reform(move |()| Over::Remove(chosen.clone()))} /> }
            </td>
        </tr>
    }
}

#[derive(Properties, PartialEq)]
struct AdderProps {
    ondone: Callback<AttrValue>,
    onclose: Callback<()>,
}

#[component]
fn Adder(props: &AdderProps) -> Html {
    let add = use_action(
        props.ondone.reform(|new: Operator| format!("{} is an operator.", new.user.name).into()),
    );
    let email = use_input("", parses::<Email>);
    let onsubmit = {
        let (email, add) = (email.clone(), add.clone());
        Callback::from(move |()| {
            let Some(email) = email.parsed() else { return };
            add.run(api::operators::add(&NewOperator { email }));
        })
    };
    html! {
        <Dialog title="Add operator" onclose={props.onclose.clone()}>
            <Form inputs={vec![email.clone()]} verb="Add operator" running={add.running()} problem={add.problem()}
                {onsubmit} oncancel={props.onclose.clone()}>
                <TextField label="E-mail" path="email" kind="email" input={email} hint="Of somebody with an account here." autofocus=true />
            </Form>
        </Dialog>
    }
}

/// Helps somebody in who has lost every second factor.
#[component]
fn Resetter(props: &AdderProps) -> Html {
    let reset = use_action(props.ondone.reform(|done: FactorsReset| {
        let told = if done.told { "They are told by mail." } else { "Tell them: no mail did." };
        format!("{} signs in with the password alone now. {told}", done.user.name).into()
    }));
    let (email, reason) = (use_input("", parses::<Email>), use_input("", needed));
    let onsubmit = {
        let (email, reason, reset) = (email.clone(), reason.clone(), reset.clone());
        Callback::from(move |()| {
            let Some(email) = email.parsed() else { return };
            reset
                .run(api::operators::reset_factors(&ResetFactors { email, reason: reason.text() }));
        })
    };
    html! {
        <Dialog title="Reset second factors" onclose={props.onclose.clone()}>
            <Form inputs={vec![email.clone(), reason.clone()]} verb="Reset second factors" running={reset.running()} problem={reset.problem()}
                {onsubmit} oncancel={props.onclose.clone()}>
                <p class="prose">{ "For somebody who lost their app, passkeys and recovery codes. Make sure it is them who asks: afterwards the password alone opens their account, until they register another factor. Their sessions end." }</p>
                <TextField label="E-mail" path="email" kind="email" input={email} autofocus=true />
                <TextField label="Why" path="reason" input={reason} hint="The log of each of their organisations says so." />
            </Form>
        </Dialog>
    }
}

fn remove_dialog(operator: &Operator, ondone: &Callback<AttrValue>, onclose: Callback<()>) -> Html {
    let (id, name) = (operator.user.id, operator.user.name.to_string());
    let title = format!("Remove {name}?");
    let delete = Callback::from(move |()| api::operators::remove(id));
    let ondone = ondone.reform(move |()| format!("{name} is no operator any more.").into());
    html! {
        <ConfirmDelete {title} verb="Remove" {delete} {ondone} {onclose}>
            <p>{ "They manage no organisations any more. Their account and what they hold inside organisations stay." }</p>
        </ConfirmDelete>
    }
}
