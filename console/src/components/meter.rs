//! How much of a limit is used and how much is held for calls under way.

use crate::text::borrowed::digits;
use yew::prelude::*;

/// Shares of a limit, of which more than 1 in sum is over it; `label` says the same in words.
pub fn meter(used: f64, held: f64, label: String) -> Html {
    let tone = match used + held {
        over if over > 1.0 => "bad",
        near if near >= 0.8 => "warn",
        _ => "fine",
    };
    drawn(tone, used, held, label)
}

/// A share of a whole, for which being near one is no warning.
pub fn share_meter(share: f64, label: String) -> Html {
    drawn("fine", share, 0.0, label)
}

fn drawn(tone: &'static str, used: f64, held: f64, label: String) -> Html {
    let used = used.clamp(0.0, 1.0) * 100.0;
    let held = held.max(0.0).min(1.0 - used / 100.0) * 100.0;
    html! {
        <svg class={classes!("meter", tone)} viewBox="0 0 100 8" preserveAspectRatio="none" role="img" aria-label={label}>
            <rect class="meter-rest" width="100" height="8" />
            <rect class="meter-used" width={digits(used)} height="8" />
            <rect class="meter-held" x={digits(used)} width={digits(held)} height="8" />
        </svg>
    }
}
