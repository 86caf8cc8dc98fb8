//! A secret that is shown once: it is in no address, no storage and no other part of the page.

use yew::prelude::*;

use super::badge::Tone;
use super::banner::Banner;
use super::button::{Button, Kind};
use super::code::Code;
use super::dialog::Dialog;
use super::icon::Icon;

#[derive(Properties, PartialEq)]
pub struct Props {
    pub title: AttrValue,
    /// What it is (`Token`).
    pub label: AttrValue,
    pub secret: AttrValue,
    /// How to use it.
    #[prop_or_default]
    pub children: Html,
    pub onclose: Callback<()>,
}

#[component]
pub fn SecretOnce(props: &Props) -> Html {
    let href =
        format!("data:text/plain;charset=utf-8,{}%0A", crate::text::query::encode(&props.secret));
    html! {
        <Dialog title={props.title.clone()} light=false onclose={props.onclose.clone()}>
            <Banner tone={Tone::Warn}>
                <p>{ "This is shown once. Store it now; nobody, not even an owner, can show it again." }</p>
            </Banner>
            <p class="label">{ props.label.clone() }</p>
            <Code text={props.secret.clone()} label={props.label.clone()} />
            // Keeps the secret apart from what follows, in the text of the whole dialog too.
            { " " }
            { props.children.clone() }
            <footer class="dialog-foot">
                <a class="button" {href} download="ralex-secret.txt">{ Icon::Download.show() }<span>{ "Download" }</span></a>
                <Button kind={Kind::Primary} onclick={props.onclose.clone()}>{ "I stored it" }</Button>
            </footer>
        </Dialog>
    }
}
