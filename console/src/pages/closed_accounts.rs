//! Closed accounts: people whose account an operator has closed on the whole deployment.

use ralex_api::operators::{AccountDeactivation, DeactivateAccount, DeactivatedAccount};
use ralex_kernel::Email;
use yew::prelude::*;

use crate::api;
use crate::components::{
    Button, Column, ConfirmDelete, Dialog, Empty, Form, Icon, Kind, More, Table, TextField, When,
    show, use_toast,
};
use crate::hooks::input::{needed, parses};
use crate::hooks::{Pages, keep, use_action, use_input, use_pages};

const COLUMNS: [Column; 4] =
    [Column::text("Name"), Column::text("Closed"), Column::text("Why"), Column::text("")];

/// What is open over the list.
#[derive(Clone, PartialEq)]
enum Over {
    Nothing,
    Close,
    Open(Box<DeactivatedAccount>),
}

#[component]
pub fn ClosedAccounts() -> Html {
    let over = use_state(|| Over::Nothing);
    let toast = use_toast();
    let list =
        use_pages((), |(), cursor| async move { api::operators::closed(cursor.as_deref()).await });
    let set = keep(&over);
    let onclose = set.reform(|()| Over::Nothing);
    let done = {
        let (onclose, again) = (onclose.clone(), list.again.clone());
        Callback::from(move |said: AttrValue| {
            onclose.emit(());
            again.emit(());
            toast.emit(said);
        })
    };
    html! {
        <>
            <div class="list-head">
                <p class="faint">{ "For somebody who has left every organisation at once, or whose account is in the wrong hands." }</p>
                <Button kind={Kind::Primary} icon={Icon::Stop} onclick={set.reform(|()| Over::Close)}>{ "Close an account" }</Button>
            </div>
            { show(&list.state, &list.again, |pages| table(pages, &list.more, &set)) }
            { match &*over {
                Over::Nothing => Html::default(),
                Over::Close => html! { <Closer ondone={done} {onclose} /> },
                Over::Open(account) => open_dialog(account, &done, onclose),
            } }
        </>
    }
}

fn table(pages: &Pages<DeactivatedAccount>, more: &Callback<()>, set: &Callback<Over>) -> Html {
    if pages.items.is_empty() {
        return html! { <Empty icon={Icon::Stop} title="No account is closed"><p>{ "Whose account is closed can log in nowhere on this deployment." }</p></Empty> };
    }
    html! {
        <>
            <Table caption="Closed accounts" columns={COLUMNS.to_vec()}>
                { for pages.items.iter().map(|account| row(account, set)) }
            </Table>
            <More shown={pages.items.len()} noun="account" more={pages.next.is_some()} fetching={pages.fetching} problem={pages.problem.clone()} onmore={more.clone()} />
        </>
    }
}

fn row(account: &DeactivatedAccount, set: &Callback<Over>) -> Html {
    let (user, chosen) = (&account.user, Box::new(account.clone()));
    let open = set.reform(move |()| Over::Open(chosen.clone()));
    html! {
        <tr key={user.id.to_string()}>
            <td><span class="strong">{ user.name.to_string() }</span>{ " " }<span class="faint">{ user.email.to_string() }</span></td>
            <td><When at={account.at} /></td>
            <td>{ account.reason.clone() }</td>
            <td class="number"><Button onclick={open}>{ "Open again" }</Button></td>
        </tr>
    }
}

#[derive(Properties, PartialEq)]
struct CloserProps {
    ondone: Callback<AttrValue>,
    onclose: Callback<()>,
}

#[component]
fn Closer(props: &CloserProps) -> Html {
    let close = use_action(props.ondone.reform(|done: AccountDeactivation| {
        let AccountDeactivation { account, sessions_ended, tokens_ended, .. } = done;
        let name = account.user.name;
        format!(
            "{name}'s account is closed: {sessions_ended} sessions and {tokens_ended} tokens ended."
        )
        .into()
    }));
    let (email, reason) = (use_input("", parses::<Email>), use_input("", needed));
    let onsubmit = {
        let (email, reason, close) = (email.clone(), reason.clone(), close.clone());
        Callback::from(move |()| {
            let Some(email) = email.parsed() else { return };
            close.run(api::operators::close(&DeactivateAccount { email, reason: reason.text() }));
        })
    };
    html! {
        <Dialog title="Close an account" onclose={props.onclose.clone()}>
            <Form inputs={vec![email.clone(), reason.clone()]} verb="Close account" running={close.running()} problem={close.problem()}
                {onsubmit} oncancel={props.onclose.clone()}>
                <p class="prose">{ "Within a second nothing is open to them any more, in no organisation: their sessions, tokens and links end for good, and they are no operator. Tokens of teams and programs go on. The account can be opened again." }</p>
                <TextField label="E-mail" path="email" kind="email" input={email} autofocus=true />
                <TextField label="Why" path="reason" input={reason} hint="The log of each of their organisations says so." />
            </Form>
        </Dialog>
    }
}

fn open_dialog(
    account: &DeactivatedAccount,
    ondone: &Callback<AttrValue>,
    onclose: Callback<()>,
) -> Html {
    let (id, name) = (account.user.id, account.user.name.to_string());
    let title = format!("Open {name}'s account again?");
    let delete = Callback::from(move |()| api::operators::reopen(id));
    let ondone = ondone.reform(move |()| format!("{name} can log in again.").into());
    html! {
        <ConfirmDelete {title} verb="Open account" {delete} {ondone} {onclose}>
            <p>{ "They can log in with their password or passkey, and hold in each organisation what they were given there. Sessions and tokens that were ended stay so; they are no operator." }</p>
        </ConfirmDelete>
    }
}
