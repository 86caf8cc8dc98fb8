//! The shape of what is coming. Styles let it appear only after 150 ms, so that a fast answer
//! does not flicker.

use yew::prelude::*;

#[derive(Properties, PartialEq)]
pub struct Props {
    #[prop_or(6)]
    pub rows: u32,
    /// Tiles above the rows.
    #[prop_or_default]
    pub tiles: u32,
}

#[component]
pub fn Skeleton(props: &Props) -> Html {
    html! {
        <div class="skeleton" aria-busy="true" role="status">
            <span class="sr">{ "Loading" }</span>
            if props.tiles > 0 {
                <div class="tiles">
                    { for (0..props.tiles).map(|_| html! { <div class="bone bone-tile" /> }) }
                </div>
            }
            { for (0..props.rows).map(|_| html! { <div class="bone bone-row" /> }) }
        </div>
    }
}
