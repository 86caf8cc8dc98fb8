//! The question whether one belongs to one more organisation, answered by who has the account that was invited.

use ralex_api::identity::Me;
use ralex_api::links::{InvitationAnswered, LinkShown};
use ralex_kernel::Code;
use yew::prelude::*;

use super::login::{LoginPage, card};
use super::password::FirstPasswordPage;
use crate::api;
use crate::components::{Button, Failed, Kind, skeleton};
use crate::hooks::{Load, use_action, use_load};
use crate::route::Route;
use crate::router;

#[derive(Properties, PartialEq)]
pub struct Props {
    pub shown: LinkShown,
    pub link: AttrValue,
    pub onchange: Callback<()>,
    pub onsignout: Callback<()>,
}

/// Has somebody sign in first where nobody is.
#[component]
pub fn Joining(props: &Props) -> Html {
    let (load, again) = use_load((), |()| api::identity::me());
    let ondone = {
        let (again, onchange) = (again.clone(), props.onchange.clone());
        Callback::from(move |()| {
            onchange.emit(());
            again.emit(());
        })
    };
    let onsignout = {
        let (again, signout) = (again.clone(), props.onsignout.clone());
        Callback::from(move |()| {
            signout.emit(());
            again.emit(());
        })
    };
    match load {
        Load::Pending => card("One moment", "It is looked at who you are.", skeleton(0, 2)),
        Load::Failed(problem) if problem.code == Code::Unauthenticated => {
            html! { <LoginPage {ondone} /> }
        }
        Load::Failed(problem) => card(
            "Welcome",
            "It cannot be told who you are.",
            html! { <Failed {problem} retry={again} /> },
        ),
        Load::Ready(me) if me.must_change_password => {
            html! { <FirstPasswordPage {ondone} {onsignout} /> }
        }
        Load::Ready(me) if me.user.email.key() != props.shown.email.key() => {
            other(&me, &props.shown, onsignout)
        }
        Load::Ready(_) => {
            html! { <Question shown={props.shown.clone()} link={props.link.clone()} onchange={props.onchange.clone()} /> }
        }
    }
}

fn other(me: &Me, shown: &LinkShown, onsignout: Callback<()>) -> Html {
    let said = format!(
        "You are signed in as {}, and this invitation is for {}.",
        me.user.email, shown.email
    );
    let part = html! {
        <>
            <p class="prose">{ said }</p>
            <Button kind={Kind::Primary} onclick={onsignout}>{ "Sign in with the other account" }</Button>
        </>
    };
    card("For another account", "Only who was invited answers it.", part)
}

#[derive(Properties, PartialEq)]
struct QuestionProps {
    shown: LinkShown,
    link: AttrValue,
    onchange: Callback<()>,
}

#[component]
fn Question(props: &QuestionProps) -> Html {
    let onchange = props.onchange.clone();
    let answer = use_action(Callback::from(move |said: InvitationAnswered| {
        onchange.emit(());
        let org = said.org.to_string();
        router::go(&if said.accepted { Route::Org { org } } else { Route::Home }.path());
    }));
    let say = |accept: bool| {
        let (answer, link) = (answer.clone(), props.link.clone());
        Callback::from(move |()| answer.run(api::links::answer(&link, accept)))
    };
    let org = props.shown.org.as_ref().map(ToString::to_string).unwrap_or_default();
    let part = html! {
        <>
            <p class="prose">{ format!("{org} invites {}, {}.", props.shown.name, props.shown.email) }</p>
            <p class="prose">{ "If somebody else made this account for you, choose another password first, and look through your sessions and tokens: whoever knows them is let in as well." }</p>
            if let Some(problem) = answer.problem() { <Failed {problem} /> }
            <div class="pair">
                <Button kind={Kind::Primary} busy={answer.running()} onclick={say(true)}>{ "Join" }</Button>
                <Button kind={Kind::Quiet} busy={answer.running()} onclick={say(false)}>{ "Decline" }</Button>
            </div>
        </>
    };
    card("One more organisation", "You belong to it once you say yes.", part)
}
