//! An instant: how long ago to read, exact to the second on hover.

use chrono::{DateTime, SecondsFormat, Utc};
use yew::prelude::*;

use crate::hooks::{clock, use_now};
use crate::text::time::{exact, relative};

#[derive(Properties, PartialEq)]
pub struct Props {
    pub at: DateTime<Utc>,
}

#[component]
pub fn When(props: &Props) -> Html {
    let page = use_now();
    // What came after the page's last tick is not of the future.
    let now = if props.at > page { clock::now() } else { page };
    html! {
        <time datetime={props.at.to_rfc3339_opts(SecondsFormat::Secs, true)} title={exact(props.at)}>
            { relative(now, props.at) }
        </time>
    }
}
