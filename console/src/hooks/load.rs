//! Fetching: a page is loading, failed or ready, and nothing else.

use std::cell::Cell;
use std::rc::Rc;

use ralex_api::Problem;
use wasm_bindgen_futures::spawn_local;
use yew::prelude::*;

use crate::api::client::Answer;

/// The three states of what a page shows.
pub enum Load<T> {
    Pending,
    Failed(Problem),
    Ready(Rc<T>),
}

impl<T> Clone for Load<T> {
    fn clone(&self) -> Self {
        match self {
            Self::Pending => Self::Pending,
            Self::Failed(problem) => Self::Failed(problem.clone()),
            Self::Ready(value) => Self::Ready(Rc::clone(value)),
        }
    }
}

impl<T> Load<T> {
    pub fn ready(&self) -> Option<&Rc<T>> {
        match self {
            Self::Ready(value) => Some(value),
            Self::Pending | Self::Failed(_) => None,
        }
    }
}

/// Fetches when the page opens and whenever `wants` changes; the callback fetches again while the
/// old answer stays in sight.
#[hook]
pub fn use_load<T, W, F, A>(wants: W, fetch: F) -> (Load<T>, Callback<()>)
where
    T: 'static,
    W: Clone + PartialEq + 'static,
    F: FnOnce(W) -> A + 'static,
    A: Future<Output = Answer<T>> + 'static,
{
    let state = use_state(|| Load::Pending);
    let round = use_state(|| 0_u32);
    let last = use_mut_ref(|| None::<W>);
    {
        let state = state.clone();
        use_effect_with((wants, *round), move |(wants, _)| {
            if last.borrow_mut().replace(wants.clone()).as_ref() != Some(wants) {
                state.set(Load::Pending);
            }
            let alive = Rc::new(Cell::new(true));
            spawn_local(settle(fetch(wants.clone()), state, Rc::clone(&alive)));
            move || alive.set(false)
        });
    }
    let again = Callback::from(move |()| round.set(*round + 1));
    ((*state).clone(), again)
}

/// Apart from the hook, so that it is there once for each type and not for each page.
async fn settle<T>(
    answer: impl Future<Output = Answer<T>>,
    state: UseStateHandle<Load<T>>,
    alive: Rc<Cell<bool>>,
) {
    let answer = answer.await;
    // Else a later question has been asked meanwhile, or the page is gone.
    if alive.get() {
        state.set(match answer {
            Ok(value) => Load::Ready(Rc::new(value)),
            Err(problem) => Load::Failed(problem),
        });
    }
}
