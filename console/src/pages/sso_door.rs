//! The way in by an organisation's own provider, for who has not come in.

use ralex_api::sso::{SsoDoors, SsoRefusal};
use yew::prelude::*;

use crate::api;
use crate::components::{Banner, Button, Form, Kind, TextField, Tone};
use crate::hooks::input::needed;
use crate::hooks::{use_action, use_input, use_query};
use crate::pages::login::card;
use crate::route::Route;
use crate::router::{Link, use_way_back};

/// Why somebody who came back from a provider was not let in.
#[component]
pub fn Refused() -> Html {
    let (query, _) = use_query();
    let refusal = query.find("sso").and_then(SsoRefusal::named);
    html! {
        if let Some(refusal) = refusal { <Banner tone={Tone::Warn}><p>{ refusal.sentence() }</p></Banner> }
    }
}

#[derive(Properties, PartialEq)]
pub struct Props {
    pub onback: Callback<()>,
}

/// Asks where somebody belongs, and shows the ways in there.
#[component]
pub fn DoorStep(props: &Props) -> Html {
    use_way_back(true);
    let found = use_state(|| None::<SsoDoors>);
    let at = use_input("", needed);
    let look = use_action({
        let found = found.clone();
        Callback::from(move |doors: SsoDoors| {
            // With one way there is nothing to choose.
            if let [only] = doors.items.as_slice() {
                leave_for(&only.start_url);
            }
            found.set(Some(doors));
        })
    });
    let onsubmit = {
        let (look, at) = (look.clone(), at.clone());
        Callback::from(move |()| look.run(api::sso::doors(&at.text())))
    };
    let doors = found.as_ref().map(|found| found.items.clone());
    let none = doors.as_ref().is_some_and(Vec::is_empty);
    let form = html! {
        <>
            <Form inputs={vec![at.clone()]} verb="Continue" running={look.running()} problem={look.problem()} {onsubmit}>
                <TextField label="Organisation or e-mail" path="at" input={at} placeholder="acme, or ann@acme.com" autofocus=true />
            </Form>
            if none { <Banner tone={Tone::Warn}><p>{ "Nobody is let in there by single sign-on. Check how it is written, or sign in with your password." }</p></Banner> }
            <ul class="plain">
                { for doors.into_iter().flatten().map(|door| html! {
                    <li key={door.start_url.clone()}><a class="button" href={door.start_url.clone()}>{ format!("{} · {}", door.org_name, door.provider) }</a></li>
                }) }
            </ul>
            <p class="gate-foot"><Button kind={Kind::Quiet} onclick={props.onback.clone()}>{ "Use a password" }</Button></p>
        </>
    };
    card("Sign in", "By your company’s own sign-on.", form)
}

/// In the place of every page of an organisation that takes only who comes in by its provider.
pub fn sign_on_needed(org: &str, way_in: &str, glass: Option<Route>) -> Html {
    html! {
        <>
            <crate::components::Head title="Sign in once more" lead={format!("{org} takes only who comes in by its single sign-on. Nothing in it is open before that.")} />
            <p><a class="button primary" href={way_in.to_owned()}>{ "Sign in with single sign-on" }</a></p>
            if let Some(to) = glass {
                <p class="gate-foot"><Link {to}>{ "Open the break-glass access" }</Link></p>
            }
        </>
    }
}

/// The way out to a provider is an address of the server's own, which leads on from there.
pub fn leave_for(address: &str) {
    if let Some(window) = web_sys::window() {
        // A browser that does not go stays here, where the way is shown.
        window.location().set_href(address).ok();
    }
}
