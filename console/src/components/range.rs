//! A range of days: a few common ones, and two date fields for every other.

use chrono::{DateTime, TimeDelta, Utc};
use web_sys::HtmlInputElement;
use yew::prelude::*;

use super::segments::Segments;
use crate::hooks::input::unique;
use crate::hooks::{use_now, use_query};
use crate::text::query::Query;
use crate::text::time::{iso_date, midnight};

/// The instants that the address's `from` and `to` mean; the last day counts whole.
pub fn bounds(query: &Query) -> (Option<DateTime<Utc>>, Option<DateTime<Utc>>) {
    let from = query.find("from").and_then(midnight);
    let to = query.find("to").and_then(midnight).map(|day| day + TimeDelta::days(1));
    (from, to)
}

#[derive(Properties, PartialEq)]
pub struct Props {
    /// What an address without a range means (`30`), in days; 0 for everything.
    pub days: u16,
}

#[component]
pub fn Range(props: &Props) -> Html {
    let (query, set) = use_query();
    let now = use_now();
    let ids = use_memo((), |()| (unique(), unique()));
    let today = iso_date(now);
    let start = |days: i64| iso_date(now - TimeDelta::days(days - 1));
    let (from, to) = (query.find("from").unwrap_or_default(), query.find("to").unwrap_or_default());
    let presets = [1_u16, 7, 30, 90];
    let chosen = presets
        .into_iter()
        .find(|days| to.is_empty() && from == start(i64::from(*days)))
        .or((from.is_empty() && to.is_empty()).then_some(props.days))
        .map_or_else(AttrValue::default, |days| days.to_string().into());
    let pick = {
        let (query, set, days) = (query.clone(), set.clone(), props.days);
        Callback::from(move |choice: String| {
            let chosen: u16 = choice.parse().unwrap_or_default();
            let from = if chosen == days {
                String::new()
            } else {
                iso_date(now - TimeDelta::days(i64::from(chosen) - 1))
            };
            set.emit(query.with("from", &from).with("to", ""));
        })
    };
    let change = |name: &'static str| {
        let (query, set) = (query.clone(), set.clone());
        Callback::from(move |event: Event| {
            let day = event.target_unchecked_into::<HtmlInputElement>().value();
            set.emit(query.with(name, &day));
        })
    };
    let mut options: Vec<(AttrValue, AttrValue)> = vec![
        ("1".into(), "Today".into()),
        ("7".into(), "7 d".into()),
        ("30".into(), "30 d".into()),
        ("90".into(), "90 d".into()),
    ];
    if props.days == 0 {
        options.insert(0, ("0".into(), "All".into()));
    }
    html! {
        <div class="range">
            <Segments label="Range" {options} value={chosen} onchange={pick} />
            <label class="sr" for={ids.0.clone()}>{ "From" }</label>
            <input id={ids.0.clone()} type="date" value={from.to_owned()} max={today.clone()} onchange={change("from")} />
            <span aria-hidden="true">{ "–" }</span>
            <label class="sr" for={ids.1.clone()}>{ "To" }</label>
            <input id={ids.1.clone()} type="date" value={to.to_owned()} max={today} onchange={change("to")} />
        </div>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_day_of_a_range_counts_whole() {
        let (from, to) = bounds(&Query::parse("?from=2026-03-01&to=2026-03-01"));
        assert_eq!(to.zip(from).map(|(to, from)| (to - from).num_hours()), Some(24));
        assert_eq!(bounds(&Query::parse("?from=nonsense")), (None, None));
    }
}
