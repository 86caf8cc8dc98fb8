//! A moment that is asked about instead of now, as far back as it is known.

use chrono::{DateTime, Utc};
use yew::prelude::*;

use super::budget_increase::instant;
use crate::api;
use crate::components::TextField;
use crate::hooks::{use_input, use_load};
use crate::session::use_org;
use crate::text::time::exact;

#[derive(Properties, PartialEq)]
pub struct Props {
    /// Called with the moment; with nothing for now.
    pub onchange: Callback<Option<DateTime<Utc>>>,
}

#[component]
pub fn AsOf(props: &Props) -> Html {
    let org = use_org();
    let input = use_input("", |text| {
        let wrong = !text.trim().is_empty() && instant(text).is_none();
        wrong.then(|| "Enter a day and a time.".to_owned())
    });
    let (load, _) = use_load(org.slug(), |org| api::policies::history(&org));
    let hint = load.ready().map_or_else(
        || "Now when empty.".to_owned(),
        |history| format!("Now when empty. Known since {}.", exact(history.known_since)),
    );
    let onchange = props.onchange.reform(|text: String| instant(&text));
    html! { <TextField label="As of (UTC)" path="at" kind="datetime-local" {input} {hint} {onchange} /> }
}
