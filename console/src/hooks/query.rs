//! State that lives in the address: filters, ranges, the selected row.

use yew::prelude::*;
use yew_router::prelude::*;

use crate::route::Route;
use crate::text::query::Query;

/// The address's query, and how to change it; each change is a step that "back" undoes.
#[hook]
pub fn use_query() -> (Query, Callback<Query>) {
    let location = use_location();
    let navigator = use_navigator();
    let route = use_route::<Route>();
    let query = location.map(|location| Query::parse(location.query_str())).unwrap_or_default();
    let set = Callback::from(move |query: Query| {
        if let (Some(navigator), Some(route)) = (&navigator, &route) {
            // A list of pairs of texts always has a written form.
            let _ = navigator.push_with_query(route, query.pairs());
        }
    });
    (query, set)
}
