//! What is said to whoever invited somebody.

use ralex_api::identity::User;
use ralex_api::links::Invitation;
use web_sys::window;
use yew::prelude::*;

use crate::components::secret::SecretOnce;
use crate::components::{Banner, Dialog, Tone};

pub fn is_in(user: &User, invitation: Option<&Invitation>) -> AttrValue {
    let mailed = invitation.is_some_and(|it| it.mailed);
    let how = if mailed { " An invitation is on its way." } else { "" };
    let when = if invitation.is_some_and(|it| it.has_account) { " once they say so" } else { "" };
    format!("{} is in{when}.{how}", user.name).into()
}

/// What to hand over to somebody whom no mail reaches.
pub fn handed_over(user: &User, invitation: &Invitation, onclose: Callback<()>) -> Html {
    let why = invitation.failure.clone();
    let Some(link) = invitation.link.clone() else {
        return html! {
            <Dialog title={format!("{} was not reached", user.name)} {onclose}>
                <Banner tone={Tone::Warn}>{ why }</Banner>
                <p class="prose">{ "They are in another organisation too, so the link is shown to nobody. Invite them again once mail works." }</p>
            </Dialog>
        };
    };
    let origin = window().and_then(|window| window.location().origin().ok()).unwrap_or_default();
    let secret = if link.starts_with('/') { format!("{origin}{link}") } else { link };
    html! {
        <SecretOnce title={format!("Invite {}", user.name)} label="Link" {secret} {onclose}>
            <p class="prose">{ format!("Hand it to {} on a safe way; it is good once, for seven days.", user.email) }</p>
            if invitation.has_account { <p class="prose">{ "They have an account already, sign in with it, and say whether they join." }</p> }
            if let Some(why) = why { <p class="faint">{ why }</p> }
        </SecretOnce>
    }
}
