//! Bars over time: the shape at a glance, each value on hover and in words.

use crate::text::borrowed::digits;
use yew::prelude::*;

/// One bar.
#[derive(Clone, PartialEq)]
pub struct Bar {
    pub value: f64,
    /// On the axis, where it is shown.
    pub label: AttrValue,
    /// The whole of it in words.
    pub title: AttrValue,
}

#[derive(Properties, PartialEq)]
pub struct Props {
    pub bars: Vec<Bar>,
    /// What the chart shows, in a sentence.
    pub label: AttrValue,
    /// The tallest bar's value in words, for the axis.
    pub top: AttrValue,
}

const HEIGHT: f64 = 100.0;
const STEP: f64 = 10.0;
/// A few bars keep the width that they have among more.
const SLOTS: usize = 14;
/// Labels that fit below each other on a phone.
const LABELS: usize = 6;

#[component]
pub fn Bars(props: &Props) -> Html {
    let read = use_state(|| None::<usize>);
    let most = props.bars.iter().map(|bar| bar.value).fold(0.0, f64::max);
    let slots = props.bars.len().max(SLOTS);
    let width = (0..slots).fold(0.0, |sum, _| sum + STEP);
    let every = slots.div_ceil(LABELS);
    let told = read.and_then(|place| props.bars.get(place)).map(|bar| bar.title.clone());
    let leave = {
        let read = read.clone();
        Callback::from(move |_: MouseEvent| read.set(None))
    };
    html! {
        <figure class="chart">
            <figcaption class="chart-read">{ told.unwrap_or_else(|| props.label.clone()) }</figcaption>
            <div class="chart-area">
                <span class="chart-top">{ props.top.clone() }</span>
                <svg viewBox={format!("0 0 {} {}", digits(width), digits(HEIGHT))} preserveAspectRatio="none" role="img"
                    aria-label={props.label.clone()} onmouseleave={leave}>
                    { for props.bars.iter().enumerate().scan(0.0, |x, (place, bar)| {
                        let at = *x;
                        *x += STEP;
                        Some(column(place, bar, at, most, &read))
                    }) }
                </svg>
            </div>
            <div class="chart-axis" aria-hidden="true">
                { for (0..slots).map(|place| html! {
                    <span>{ props.bars.get(place).filter(|_| place % every == 0).map(|bar| bar.label.clone()) }</span>
                }) }
            </div>
        </figure>
    }
}

fn column(
    place: usize,
    bar: &Bar,
    x: f64,
    most: f64,
    read: &UseStateHandle<Option<usize>>,
) -> Html {
    let share = if most > 0.0 { bar.value / most } else { 0.0 };
    // A value that is there stays visible beside one that is a thousand times larger.
    let height = if bar.value > 0.0 { (share * HEIGHT).max(1.5) } else { 0.0 };
    let onmouseenter = {
        let read = read.clone();
        Callback::from(move |_| read.set(Some(place)))
    };
    let class = if **read == Some(place) { "bar on" } else { "bar" };
    html! {
        <g {class} key={place} {onmouseenter}>
            <rect class="bar-back" x={digits(x)} y="0" width={digits(STEP)} height={digits(HEIGHT)} />
            <rect class="bar-fill" x={digits(x + 1.0)} y={digits(HEIGHT - height)}
                width={digits(STEP - 2.0)} height={digits(height)} />
        </g>
    }
}
