//! A record as it is, indented, with its names told apart from its values.

use serde_json::Value;
use yew::prelude::*;

use crate::text::json::compact;

pub fn record(value: &Value, label: &'static str) -> Html {
    html! {
        <pre class="json" tabindex="0" aria-label={label}>{ shown(value, 0) }</pre>
    }
}

fn shown(value: &Value, depth: usize) -> Html {
    match value {
        Value::Object(fields) if !fields.is_empty() => {
            let rows = fields.iter().map(|(name, value)| {
                html! { <><span class="json-name">{ format!("\"{name}\"") }</span>{ ": " }{ shown(value, depth + 1) }</> }
            });
            block('{', rows.collect(), '}', depth)
        }
        Value::Array(items) if !items.is_empty() => {
            block('[', items.iter().map(|item| shown(item, depth + 1)).collect(), ']', depth)
        }
        Value::String(_) => html! { <span class="json-text">{ text(value) }</span> },
        Value::Number(_) | Value::Bool(_) | Value::Null => {
            html! { <span class="json-value">{ text(value) }</span> }
        }
        Value::Object(_) | Value::Array(_) => html! { { text(value) } },
    }
}

fn text(value: &Value) -> String {
    compact(value).unwrap_or_default()
}

fn block(open: char, rows: Vec<Html>, close: char, depth: usize) -> Html {
    let (inner, outer) = ("  ".repeat(depth + 1), "  ".repeat(depth));
    let last = rows.len() - 1;
    html! {
        <>
            { open }{ "\n" }
            { for rows.into_iter().enumerate().map(|(place, row)| html! {
                <>{ inner.clone() }{ row }{ if place == last { "\n" } else { ",\n" } }</>
            }) }
            { outer }{ close }
        </>
    }
}
