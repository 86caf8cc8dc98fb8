//! The time now, told anew often enough that relative times stay true.

use chrono::{DateTime, Utc};
use wasm_bindgen::JsCast;
use wasm_bindgen::closure::Closure;
use yew::html::ChildrenProps;
use yew::prelude::*;

const TICK_MS: i32 = 15_000;

/// The browser's clock.
pub fn now() -> DateTime<Utc> {
    #[expect(clippy::cast_possible_truncation, reason = "milliseconds since 1970 fit for ages")]
    let milliseconds = js_sys::Date::now() as i64;
    DateTime::from_timestamp_millis(milliseconds).unwrap_or(DateTime::UNIX_EPOCH)
}

/// The time zone that the browser shows times in; UTC where it does not say.
pub fn zone() -> String {
    use js_sys::{Array, Intl, Object, Reflect};
    let options = Intl::DateTimeFormat::new(&Array::new(), &Object::new()).resolved_options();
    let named = Reflect::get(&options, &"timeZone".into()).ok().and_then(|zone| zone.as_string());
    named.unwrap_or_else(|| "UTC".to_owned())
}

/// The time that the whole page agrees on.
#[hook]
pub fn use_now() -> DateTime<Utc> {
    use_context::<DateTime<Utc>>().unwrap_or_else(now)
}

/// Tells the time to everything inside it.
#[component]
pub fn Clock(props: &ChildrenProps) -> Html {
    let time = use_state_eq(now);
    {
        let time = time.clone();
        use_effect_with((), move |()| {
            let tick = Closure::<dyn Fn()>::new(move || time.set(now()));
            let window = web_sys::window();
            let timer = window.as_ref().and_then(|window| {
                let tick = tick.as_ref().unchecked_ref();
                window.set_interval_with_callback_and_timeout_and_arguments_0(tick, TICK_MS).ok()
            });
            move || {
                if let (Some(window), Some(timer)) = (window, timer) {
                    window.clear_interval_with_handle(timer);
                }
                drop(tick);
            }
        });
    }
    html! {
        <ContextProvider<DateTime<Utc>> context={*time}>{ props.children.clone() }</ContextProvider<DateTime<Utc>>>
    }
}

/// Waits this many milliseconds.
pub async fn sleep(milliseconds: i32) {
    let promise = js_sys::Promise::new(&mut |done, _| {
        if let Some(window) = web_sys::window() {
            // Without a timer the wait would never end, and no browser is without one.
            let _ =
                window.set_timeout_with_callback_and_timeout_and_arguments_0(&done, milliseconds);
        }
    });
    // A promise that nobody rejects has no error to handle.
    let _ = wasm_bindgen_futures::JsFuture::from(promise).await;
}
