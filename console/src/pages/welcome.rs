//! Links: somebody who was invited, or who forgot their password, chooses one; and who has an account says
//! whether they belong to one more organisation.

use ralex_api::links::{LinkPurpose, LinkShown};
use ralex_kernel::Email;
use web_sys::window;
use yew::prelude::*;

use super::joining::Joining;
use super::login::card;
use crate::api;
use crate::components::{Button, Failed, Form, Kind, TextField, skeleton};
use crate::hooks::input::{parses, password};
use crate::hooks::{Load, use_action, use_input, use_load, use_title};
use crate::route::Route;
use crate::router;

/// What stands after the `#`, which no server is sent.
fn secret() -> String {
    let hash = window().and_then(|window| window.location().hash().ok()).unwrap_or_default();
    hash.trim_start_matches('#').to_owned()
}

#[derive(Properties, PartialEq)]
pub struct Props {
    /// After somebody signed in, or belongs to one more organisation.
    pub onchange: Callback<()>,
    pub onsignout: Callback<()>,
}

/// Where a link leads.
#[component]
pub fn WelcomePage(props: &Props) -> Html {
    use_title("Welcome");
    let secret = use_memo((), |()| secret());
    if secret.is_empty() {
        let lead = "What stands in a link after the # is missing. Open the whole link as it was given to you, or copy it once more.";
        return card("This address is not complete", lead, home());
    }
    html! { <Linked link={(*secret).clone()} onchange={props.onchange.clone()} onsignout={props.onsignout.clone()} /> }
}

/// To the door, for whom a link does not let in.
fn home() -> Html {
    html! { <p class="gate-foot"><Button kind={Kind::Quiet} onclick={|()| router::go(&Route::Home.path())}>{ "Go to the sign-in" }</Button></p> }
}

#[derive(Properties, PartialEq)]
struct LinkedProps {
    link: AttrValue,
    onchange: Callback<()>,
    onsignout: Callback<()>,
}

/// What a link is for.
#[component]
fn Linked(props: &LinkedProps) -> Html {
    let (load, again) = use_load(props.link.clone(), |link| api::links::show(&link));
    let chosen = use_state(|| false);
    let onchosen = {
        let chosen = chosen.clone();
        Callback::from(move |()| chosen.set(true))
    };
    match load {
        Load::Pending => card("One moment", "The link is looked at.", skeleton(0, 2)),
        Load::Failed(problem) => card(
            "This link opens nothing",
            "Links are good once, and for a while.",
            html! { <><Failed {problem} retry={again} />{ home() }</> },
        ),
        Load::Ready(_) if *chosen => card(
            "Your password is set",
            "Sign in with it now.",
            html! { <Button kind={Kind::Primary} onclick={|()| router::go(&Route::Home.path())}>{ "Sign in" }</Button> },
        ),
        Load::Ready(shown) if shown.purpose == LinkPurpose::Join => html! {
            <Joining shown={(*shown).clone()} link={props.link.clone()} onchange={props.onchange.clone()}
                onsignout={props.onsignout.clone()} />
        },
        Load::Ready(shown) => {
            html! { <Chooser shown={(*shown).clone()} link={props.link.clone()} ondone={onchosen} /> }
        }
    }
}

#[derive(Properties, PartialEq)]
struct ChooserProps {
    shown: LinkShown,
    link: AttrValue,
    ondone: Callback<()>,
}

#[component]
fn Chooser(props: &ChooserProps) -> Html {
    let new = use_input("", password);
    let set = use_action(props.ondone.clone());
    let onsubmit = {
        let (new, set, link) = (new.clone(), set.clone(), props.link.clone());
        Callback::from(move |()| set.run(api::links::set_password(&link, &new.text())))
    };
    let (title, lead) = match props.shown.purpose {
        LinkPurpose::Invited => ("Welcome", "Choose a password to come in."),
        LinkPurpose::Forgotten | LinkPurpose::Join => {
            ("Another password", "All of your sessions end with it.")
        }
    };
    let form = html! {
        <Form inputs={vec![new.clone()]} verb="Set password" running={set.running()} problem={set.problem()} {onsubmit}>
            <p class="prose">{ format!("{}, {}", props.shown.name, props.shown.email) }</p>
            // So that a keeper of passwords knows whose it is.
            <input class="sr" type="text" autocomplete="username" value={props.shown.email.to_string()} readonly=true tabindex="-1" aria-hidden="true" />
            <TextField label="New password" path="new" kind="password" input={new} autocomplete="new-password" autofocus=true
                hint="At least 8 characters, better 15. A few words in a row are easy to keep and hard to guess." />
        </Form>
    };
    card(title, lead, form)
}

#[derive(Properties, PartialEq)]
pub struct ForgottenProps {
    pub onback: Callback<()>,
}

/// Asks for a link by mail.
#[component]
pub fn ForgottenStep(props: &ForgottenProps) -> Html {
    use_title("Another password");
    let email = use_input("", parses::<Email>);
    let asked = use_state(|| false);
    let ask = {
        let asked = asked.clone();
        use_action(Callback::from(move |()| asked.set(true)))
    };
    let onsubmit = {
        let (email, ask) = (email.clone(), ask.clone());
        Callback::from(move |()| {
            let Some(email) = email.parsed() else { return };
            ask.run(api::links::forgotten(&email));
        })
    };
    let back = html! { <p class="gate-foot"><Button kind={Kind::Quiet} onclick={props.onback.clone()}>{ "Back to the sign-in" }</Button></p> };
    if *asked {
        let lead = "If somebody has an account with that address, a link is on its way. It is good for 30 minutes.";
        return card("Look into your mailbox", lead, back);
    }
    let form = html! {
        <>
        <Form inputs={vec![email.clone()]} verb="Send a link" running={ask.running()} problem={ask.problem()} {onsubmit}>
            <TextField label="E-mail" path="email" kind="email" input={email} autocomplete="username" autofocus=true />
        </Form>
        { back }
        </>
    };
    card("Another password", "A link to choose one goes to your address.", form)
}
