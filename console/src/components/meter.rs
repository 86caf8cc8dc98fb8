//! How much of a limit is used and how much is held for calls under way.

use yew::prelude::*;

#[derive(Properties, PartialEq)]
pub struct Props {
    /// Shares of the limit; more than 1 in sum is over it.
    pub used: f64,
    #[prop_or_default]
    pub held: f64,
    /// A share of a whole, for which being near one is no warning.
    #[prop_or_default]
    pub plain: bool,
    /// The same in words.
    pub label: AttrValue,
}

#[component]
pub fn Meter(props: &Props) -> Html {
    let used = props.used.clamp(0.0, 1.0) * 100.0;
    let held = props.held.clamp(0.0, 1.0 - used / 100.0) * 100.0;
    let tone = match props.used + props.held {
        _ if props.plain => "fine",
        over if over > 1.0 => "bad",
        near if near >= 0.8 => "warn",
        _ => "fine",
    };
    html! {
        <svg class={classes!("meter", tone)} viewBox="0 0 100 8" preserveAspectRatio="none" role="img" aria-label={props.label.clone()}>
            <rect class="meter-rest" width="100" height="8" />
            <rect class="meter-used" width={used.to_string()} height="8" />
            <rect class="meter-held" x={used.to_string()} width={held.to_string()} height="8" />
        </svg>
    }
}
