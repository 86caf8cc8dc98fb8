//! The shape of what is coming. Styles let it appear only after 150 ms, so that a fast answer
//! does not flicker.

use yew::prelude::*;

/// Tiles, and rows below them.
pub fn skeleton(tiles: u32, rows: u32) -> Html {
    html! {
        <div class="skeleton" aria-busy="true" role="status">
            <span class="sr">{ "Loading" }</span>
            if tiles > 0 {
                <div class="tiles">
                    { for (0..tiles).map(|_| html! { <div class="bone bone-tile" /> }) }
                </div>
            }
            { for (0..rows).map(|_| html! { <div class="bone bone-row" /> }) }
        </div>
    }
}
