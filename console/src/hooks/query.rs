//! State that lives in the address: filters, ranges, the selected row.

use yew::prelude::*;

use crate::router::{go, use_location};
use crate::text::query::Query;

/// The address's query, and how to change it; each change is a step that "back" undoes.
#[hook]
pub fn use_query() -> (Query, Callback<Query>) {
    let location = use_location();
    let query = Query::parse(&location.query);
    let set = Callback::from(move |query: Query| go(&format!("{}{query}", location.path)));
    (query, set)
}
