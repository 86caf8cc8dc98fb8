//! How spend came about and may go on: a line until now, and a band until the end.

use ralex_api::forecast::Forecast;
use ralex_kernel::Money;
use yew::prelude::*;

use crate::text::borrowed::{digits, fixed};
use crate::text::money::short;
use crate::text::time::day;

const WIDTH: f64 = 600.0;
const HEIGHT: f64 = 100.0;

pub fn outlook(forecast: &Forecast) -> Html {
    let highest = forecast.ahead.iter().map(|band| band.high).chain(forecast.limit);
    let most = highest.chain([forecast.spent]).max().unwrap_or(Money::ZERO);
    let place = Place { forecast, most: nanos(most).max(1.0) };
    let past = forecast.past.iter().map(|point| place.of(point.at, point.spent));
    let middle = forecast.ahead.iter().map(|band| place.of(band.at, band.middle));
    let high = forecast.ahead.iter().map(|band| place.of(band.at, band.high));
    let low = forecast.ahead.iter().rev().map(|band| place.of(band.at, band.low));
    let limit = forecast.limit.map(|limit| place.height(limit));
    let label = said(forecast);
    html! {
        <figure class="chart outlook">
            <figcaption class="chart-read">{ label.clone() }</figcaption>
            <div class="chart-area">
                <span class="chart-top">{ short(most) }</span>
                <svg viewBox={format!("0 0 {} {}", digits(WIDTH), digits(HEIGHT))} preserveAspectRatio="none" role="img" aria-label={label}>
                    <polygon class="outlook-band" points={joined(high.chain(low))} />
                    <polyline class="outlook-ahead" points={joined(middle)} />
                    <polyline class="outlook-past" points={joined(past)} />
                    if let Some(y) = limit { <line class="outlook-limit" x1="0" x2={digits(WIDTH)} y1={digits(y)} y2={digits(y)} /> }
                </svg>
            </div>
            <div class="chart-axis" aria-hidden="true">
                <span>{ day(forecast.from) }</span><span class="end">{ day(forecast.until) }</span>
            </div>
            <p class="outlook-keys">
                <span><i class="key outlook-past" />{ "Spent" }</span>
                if !forecast.ahead.is_empty() { <span><i class="key outlook-band" />{ "Four times in five" }</span> }
                if forecast.limit.is_some() { <span><i class="key outlook-limit" />{ "Limit" }</span> }
            </p>
        </figure>
    }
}

/// The whole of it in a sentence.
fn said(forecast: &Forecast) -> String {
    let spent = short(forecast.spent);
    match &forecast.expected {
        Some(expected) => format!(
            "{spent} spent; by {} likely {}, four times in five between {} and {}",
            day(forecast.until),
            short(expected.middle),
            short(expected.low),
            short(expected.high)
        ),
        None => format!("{spent} spent; too little history to tell how it goes on"),
    }
}

/// Where in the drawing something is.
struct Place<'a> {
    forecast: &'a Forecast,
    most: f64,
}

impl Place<'_> {
    fn of(&self, at: chrono::DateTime<chrono::Utc>, spent: Money) -> (f64, f64) {
        let whole = (self.forecast.until - self.forecast.from).as_seconds_f64().max(1.0);
        let part = (at - self.forecast.from).as_seconds_f64() / whole;
        (part.clamp(0.0, 1.0) * WIDTH, self.height(spent))
    }

    fn height(&self, spent: Money) -> f64 {
        HEIGHT * (1.0 - nanos(spent) / self.most * 0.96)
    }
}

#[expect(clippy::cast_precision_loss, reason = "a place in a drawing")]
fn nanos(amount: Money) -> f64 {
    amount.as_nanos() as f64
}

fn joined(points: impl Iterator<Item = (f64, f64)>) -> String {
    points.map(|(x, y)| format!("{},{}", fixed(x, 1), fixed(y, 2))).collect::<Vec<_>>().join(" ")
}
