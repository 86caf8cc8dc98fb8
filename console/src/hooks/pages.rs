//! Lists that may be long: the first page at once, the next ones on demand.

use std::cell::Cell;
use std::rc::Rc;

use ralex_api::{Page, Problem};
use wasm_bindgen_futures::spawn_local;
use yew::prelude::*;

use super::load::Load;
use crate::api::client::Answer;

/// A list as far as it is fetched.
#[derive(Clone, PartialEq)]
pub struct Pages<T> {
    pub items: Vec<T>,
    pub next: Option<String>,
    pub fetching: bool,
    /// Why the last "more" failed; what was there stays.
    pub problem: Option<Problem>,
}

/// What a page does with a list.
pub struct List<T> {
    pub state: Load<Pages<T>>,
    pub more: Callback<()>,
    pub again: Callback<()>,
}

/// Fetches the first page when the page opens and whenever `wants` changes.
#[hook]
pub fn use_pages<T, W, F, A>(wants: W, fetch: F) -> List<T>
where
    T: Clone + 'static,
    W: Clone + PartialEq + 'static,
    F: Fn(W, Option<String>) -> A + 'static,
    A: Future<Output = Answer<Page<T>>> + 'static,
{
    let state = use_state(|| Load::Pending);
    let round = use_state(|| 0_u32);
    let alive = use_mut_ref(|| Rc::new(Cell::new(true)));
    let last = use_mut_ref(|| None::<W>);
    let fetch = Rc::new(fetch);
    {
        let (state, fetch, alive) = (state.clone(), Rc::clone(&fetch), Rc::clone(&alive));
        use_effect_with((wants.clone(), *round), move |(wants, _)| {
            if last.borrow_mut().replace(wants.clone()).as_ref() != Some(wants) {
                state.set(Load::Pending);
            }
            let current = Rc::new(Cell::new(true));
            alive.replace(Rc::clone(&current));
            let (answer, still) = (fetch(wants.clone(), None), Rc::clone(&current));
            spawn_local(async move {
                let answer = answer.await;
                if still.get() {
                    state.set(first(answer));
                }
            });
            move || current.set(false)
        });
    }
    let more = {
        let state = state.clone();
        Callback::from(move |()| {
            let Load::Ready(pages) = &*state else { return };
            let Some(cursor) = pages.next.clone().filter(|_| !pages.fetching) else { return };
            let before = Pages::clone(pages);
            state.set(Load::Ready(Rc::new(Pages { fetching: true, ..before.clone() })));
            let (answer, state) = (fetch(wants.clone(), Some(cursor)), state.clone());
            let still = Rc::clone(&alive.borrow());
            spawn_local(async move {
                let answer = answer.await;
                if still.get() {
                    state.set(Load::Ready(Rc::new(next(before, answer))));
                }
            });
        })
    };
    let again = Callback::from(move |()| round.set(*round + 1));
    List { state: (*state).clone(), more, again }
}

fn first<T>(answer: Answer<Page<T>>) -> Load<Pages<T>> {
    match answer {
        Ok(page) => Load::Ready(Rc::new(Pages {
            items: page.items,
            next: page.next_cursor,
            fetching: false,
            problem: None,
        })),
        Err(problem) => Load::Failed(problem),
    }
}

fn next<T>(mut pages: Pages<T>, answer: Answer<Page<T>>) -> Pages<T> {
    match answer {
        Ok(page) => {
            pages.items.extend(page.items);
            pages.next = page.next_cursor;
            pages.problem = None;
        }
        Err(problem) => pages.problem = Some(problem),
    }
    pages.fetching = false;
    pages
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_next_page_keeps_what_was_there() {
        let Load::Ready(pages) = first(Ok(Page { items: vec![1], next_cursor: Some("c".into()) }))
        else {
            panic!("the first page was good");
        };
        let failed = next(Pages::clone(&pages), Err(Problem::not_found("page")));
        assert_eq!((failed.items.as_slice(), failed.next.as_deref()), (&[1][..], Some("c")));
        assert!(failed.problem.is_some());
        let good = next(failed, Ok(Page { items: vec![2], next_cursor: None }));
        assert_eq!((good.items, good.next, good.problem), (vec![1, 2], None, None));
    }
}
