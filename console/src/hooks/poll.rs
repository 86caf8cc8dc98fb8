//! Asking again and again, one question at a time, for as long as the tab is in sight.

use std::cell::Cell;
use std::rc::Rc;

use ralex_api::Problem;
use wasm_bindgen_futures::spawn_local;
use yew::prelude::*;

use super::clock::sleep;
use crate::api::client::Answer;

const PAUSE_MS: i32 = 2_000;

/// What polling found last.
pub struct Poll<T> {
    pub latest: Option<Rc<T>>,
    /// Why it stopped.
    pub problem: Option<Problem>,
    /// Forgets what was found and why it stopped, and begins anew.
    pub restart: Callback<()>,
}

/// Asks every two seconds while `running`, until an answer is a failure.
#[hook]
pub fn use_poll<T, W, F, A>(wants: W, running: bool, fetch: F) -> Poll<T>
where
    T: 'static,
    W: Clone + PartialEq + 'static,
    F: Fn(W) -> A + 'static,
    A: Future<Output = Answer<T>> + 'static,
{
    let latest = use_state(|| None::<(W, Rc<T>)>);
    let problem = use_state(|| None::<Problem>);
    let round = use_state(|| 0_u32);
    {
        let (latest, problem) = (latest.clone(), problem.clone());
        use_effect_with((wants.clone(), running, *round), move |(wants, running, _)| {
            let alive = Rc::new(Cell::new(*running));
            let (wants, still) = (wants.clone(), Rc::clone(&alive));
            spawn_local(async move {
                while still.get() {
                    sleep(PAUSE_MS).await;
                    if !still.get() || hidden() {
                        continue;
                    }
                    let answer = fetch(wants.clone()).await;
                    if !still.get() {
                        return;
                    }
                    match answer {
                        Ok(value) => {
                            latest.set(Some((wants.clone(), Rc::new(value))));
                            problem.set(None);
                        }
                        Err(why) => return problem.set(Some(why)),
                    }
                }
            });
            move || alive.set(false)
        });
    }
    let restart = {
        let (latest, problem) = (latest.clone(), problem.clone());
        Callback::from(move |()| {
            latest.set(None);
            problem.set(None);
            round.set(*round + 1);
        })
    };
    // An answer to another question is none.
    let latest = latest.as_ref().filter(|(of, _)| *of == wants).map(|(_, found)| Rc::clone(found));
    Poll { latest, problem: (*problem).clone(), restart }
}

fn hidden() -> bool {
    let document = web_sys::window().and_then(|window| window.document());
    document.is_some_and(|document| document.hidden())
}
