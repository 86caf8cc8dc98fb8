//! Another secret for a token, and the end of the one before.

use ralex_api::tokens::{NewTokenAnswer, RotateToken, Token};
use yew::prelude::*;

use crate::api;
use crate::components::{ConfirmDelete, Dialog, Form, SelectField, When};
use crate::hooks::{keep, use_action};

/// For how long both secrets work, in seconds; the first is the default.
const OVERLAPS: [(&str, &str); 5] = [
    ("86400", "For a day"),
    ("3600", "For an hour"),
    ("604800", "For a week"),
    ("2592000", "For 30 days"),
    ("0", "Not at all"),
];

#[derive(Properties, PartialEq)]
pub struct Props {
    pub token: Token,
    /// Whose it is; nothing for one's own.
    #[prop_or_default]
    pub org: Option<String>,
    /// The new secret.
    pub onrotated: Callback<String>,
    pub onended: Callback<()>,
    pub onclose: Callback<()>,
}

/// While there is a former secret it can be ended; otherwise the token can get another one.
#[component]
pub fn RotateDialog(props: &Props) -> Html {
    let (id, org) = (props.token.id, props.org.clone());
    let overlap = use_state(|| OVERLAPS[0].0.to_owned());
    let rotate = use_action(props.onrotated.reform(|made: NewTokenAnswer| made.token));
    if let Some(former) = &props.token.former {
        let delete = Callback::from(move |()| api::identity::end_former(org.as_deref(), id));
        return html! {
            <ConfirmDelete title={format!("End the former secret of {}?", props.token.name)} verb="End former secret" {delete} ondone={props.onended.clone()} onclose={props.onclose.clone()}>
                <p>
                    { format!("…{} works beside …{} until ", former.last_four, props.token.last_four) }<When at={former.until} />
                    if let Some(used) = former.last_used_at { <>{ ". It was last used " }<When at={used} />{ ": something still needs it." }</> } else { { ". It was not used since." } }
                </p>
            </ConfirmDelete>
        };
    }
    let onsubmit = {
        let (rotate, overlap) = (rotate.clone(), overlap.clone());
        Callback::from(move |()| {
            let how = RotateToken { overlap_seconds: overlap.parse().ok(), expires_at: None };
            rotate.run(api::identity::rotate(org.as_deref(), id, how));
        })
    };
    let options = OVERLAPS.map(|(seconds, title)| (seconds.into(), title.into())).to_vec();
    html! {
        <Dialog title={format!("Rotate {}", props.token.name)} onclose={props.onclose.clone()}>
            <p>{ "It gets another secret and stays the same token: budgets, limits and usage go on." }</p>
            <Form inputs={vec![]} verb="Rotate" running={rotate.running()} problem={rotate.problem()} {onsubmit} oncancel={props.onclose.clone()}>
                <SelectField label="The old secret works beside it" path="overlap_seconds" {options} value={(*overlap).clone()} onchange={keep(&overlap)} />
            </Form>
        </Dialog>
    }
}
