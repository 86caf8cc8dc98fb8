//! Kept answers: whether there are any, for how long, and what they saved.

use ralex_api::resilience::{Cache, CacheMode, SetCache};
use yew::prelude::*;

use crate::api;
use crate::components::segments::Segments;
use crate::components::{Button, Form, Stat, TextField, show, use_toast};
use crate::hooks::{use_action, use_input, use_load};
use crate::session::use_org;
use crate::text::money::{exact, short};
use crate::text::number::grouped;

const WEEK: u32 = 7 * 24 * 60 * 60;

#[component]
pub fn CacheCard() -> Html {
    let org = use_org();
    let (load, again) =
        use_load(org.slug(), |org| async move { api::resilience::cache(&org).await });
    html! {
        <section class="panel">
            <h2>{ "Kept answers" }</h2>
            <p class="faint">{ "The same request of the same team is answered again without a provider, at no cost. Answers stay in memory and never leave the organisation." }</p>
            { show(&load, &again, |cache| html! {
                <>
                    <div class="stats">
                        <Stat label="Saved in 30 days" value={short(cache.saved)} title={exact(cache.saved)} />
                        <Stat label="Answered from memory" value={grouped(cache.hits)}>{ format!("of {} calls", grouped(cache.calls)) }</Stat>
                    </div>
                    if org.can("org.update") {
                        <Settings cache={(**cache).clone()} onchange={again.clone()} />
                    }
                </>
            }) }
        </section>
    }
}

#[derive(Properties, PartialEq)]
struct Props {
    cache: Cache,
    onchange: Callback<()>,
}

#[component]
fn Settings(props: &Props) -> Html {
    let org = use_org();
    let toast = use_toast();
    let mode = use_state(|| props.cache.mode);
    let seconds = use_input(&props.cache.ttl_seconds.to_string(), lifetime);
    let saved = {
        let (toast, onchange) = (toast.clone(), props.onchange.clone());
        use_action(Callback::from(move |_: Cache| {
            toast.emit("Saved.".into());
            onchange.emit(());
        }))
    };
    let cleared = {
        let onchange = props.onchange.clone();
        use_action(Callback::from(move |()| {
            toast.emit("All kept answers are forgotten.".into());
            onchange.emit(());
        }))
    };
    let onsubmit = {
        let (saved, mode, seconds, org) =
            (saved.clone(), mode.clone(), seconds.clone(), org.slug());
        Callback::from(move |()| {
            let Some(ttl_seconds) = seconds.parsed() else { return };
            let (org, set) = (org.clone(), SetCache { mode: *mode, ttl_seconds });
            saved.run(async move { api::resilience::set_cache(&org, set).await });
        })
    };
    let onclear = {
        let (cleared, org) = (cleared.clone(), org.slug());
        Callback::from(move |()| {
            let org = org.clone();
            cleared.run(async move { api::resilience::clear_cache(&org).await });
        })
    };
    let onmode = {
        let mode = mode.clone();
        Callback::from(move |word: String| {
            if let Some(chosen) = CacheMode::parse(&word) {
                mode.set(chosen);
            }
        })
    };
    let options: Vec<(AttrValue, AttrValue)> = [
        (CacheMode::Off, "None"),
        (CacheMode::Deterministic, "Of calls with temperature 0"),
        (CacheMode::All, "Of all calls"),
    ]
    .map(|(mode, word)| (mode.as_str().into(), word.into()))
    .to_vec();
    html! {
        <Form inputs={vec![seconds.clone()]} verb="Save" running={saved.running()} problem={saved.problem().or(cleared.problem())} {onsubmit}>
            <Segments label="Answers that are kept" {options} value={(*mode).as_str().to_owned()} onchange={onmode} />
            <TextField label="Kept for, in seconds" input={seconds} />
            <Button busy={cleared.running()} onclick={onclear}>{ "Forget all now" }</Button>
        </Form>
    }
}

fn lifetime(text: &str) -> Option<String> {
    let good = text.trim().parse().is_ok_and(|seconds: u32| (1..=WEEK).contains(&seconds));
    (!good).then(|| format!("A number of seconds from 1 to {WEEK}."))
}
