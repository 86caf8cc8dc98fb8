//! Fetching: a page is loading, failed or ready, and nothing else.

use std::any::Any;
use std::cell::Cell;
use std::pin::Pin;
use std::rc::Rc;

use ralex_api::Problem;
use wasm_bindgen_futures::spawn_local;
use yew::prelude::*;

use crate::api::client::Answer;

/// The three states of what a page shows.
pub enum Load<T: ?Sized> {
    Pending,
    Failed(Problem),
    Ready(Rc<T>),
}

impl<T: ?Sized> Clone for Load<T> {
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

impl<T: ?Sized> Load<T> {
    /// What is made of what is there; nothing yet where nothing can be.
    pub fn and_then<U>(self, make: impl FnOnce(&T) -> Option<U>) -> Load<U> {
        match self {
            Self::Pending => Load::Pending,
            Self::Failed(problem) => Load::Failed(problem),
            Self::Ready(value) => {
                make(&value).map_or(Load::Pending, |made| Load::Ready(Rc::new(made)))
            }
        }
    }
}

impl Load<dyn Any> {
    /// What every answer to one question is.
    fn of<T: 'static>(&self) -> Load<T> {
        match self {
            Self::Pending => Load::Pending,
            Self::Failed(problem) => Load::Failed(problem.clone()),
            Self::Ready(value) => Rc::clone(value).downcast().map_or(Load::Pending, Load::Ready),
        }
    }
}

/// An answer of whatever type.
type Coming = Pin<Box<dyn Future<Output = Answer<Rc<dyn Any>>>>>;

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
    let question = use_question(wants.clone());
    let fetch = move || -> Coming {
        let answer = fetch(wants);
        Box::pin(async move { answer.await.map(|value| Rc::new(value) as Rc<dyn Any>) })
    };
    let (state, again) = use_answer(question, Box::new(fetch));
    (state.of(), again)
}

/// How often `wants` has changed.
#[hook]
pub fn use_question<W: PartialEq + 'static>(wants: W) -> u32 {
    let last = use_mut_ref(|| (None, 0_u32));
    let (known, number) = &mut *last.borrow_mut();
    if known.as_ref() != Some(&wants) {
        *known = Some(wants);
        *number += 1;
    }
    *number
}

/// The same for every type, so that what a page adds is its question and no more.
#[hook]
fn use_answer(question: u32, fetch: Box<dyn FnOnce() -> Coming>) -> (Load<dyn Any>, Callback<()>) {
    let state = use_state(|| Load::Pending);
    let round = use_state(|| 0_u32);
    let last = use_mut_ref(|| 0_u32);
    {
        let state = state.clone();
        use_effect_with((question, *round), move |(question, _)| {
            if last.replace(*question) != *question {
                state.set(Load::Pending);
            }
            let alive = Rc::new(Cell::new(true));
            let (answer, still) = (fetch(), Rc::clone(&alive));
            spawn_local(async move {
                let answer = answer.await;
                // Else a later question has been asked meanwhile, or the page is gone.
                if still.get() {
                    state.set(answer.map_or_else(Load::Failed, Load::Ready));
                }
            });
            move || alive.set(false)
        });
    }
    let again = Callback::from(move |()| round.set(*round + 1));
    ((*state).clone(), again)
}
