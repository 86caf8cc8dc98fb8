//! Lists that may be long: the first page at once, the next ones on demand.

use std::any::Any;
use std::cell::Cell;
use std::pin::Pin;
use std::rc::Rc;

use ralex_api::{Page, Problem};
use wasm_bindgen_futures::spawn_local;
use yew::prelude::*;

use super::load::{Load, use_question};
use crate::api::client::Answer;

/// A list as far as it is fetched.
#[derive(Clone, PartialEq)]
pub struct Pages<T> {
    pub items: Rc<Vec<T>>,
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
    let question = use_question(wants.clone());
    let fetch = move |cursor| -> Coming {
        let answer = fetch(wants.clone(), cursor);
        Box::pin(async move { answer.await.map(fetched) })
    };
    let (state, more, again) = use_listing(question, Rc::new(fetch));
    List { state: state.and_then(Listing::pages), more, again }
}

/// A list of whatever type, whose items are a `Vec` of it.
#[derive(Clone)]
struct Listing {
    items: Rc<dyn Any>,
    next: Option<String>,
    fetching: bool,
    problem: Option<Problem>,
}

impl Listing {
    fn pages<T: 'static>(&self) -> Option<Pages<T>> {
        let items = Rc::clone(&self.items).downcast().ok()?;
        let (next, problem) = (self.next.clone(), self.problem.clone());
        Some(Pages { items, next, fetching: self.fetching, problem })
    }
}

/// Makes one `Vec` of the items before a page, if there are any, and its own.
type Join = Box<dyn FnOnce(Option<Rc<dyn Any>>) -> Rc<dyn Any>>;

/// A page of whatever type.
struct Fetched {
    join: Join,
    next: Option<String>,
}

type Coming = Pin<Box<dyn Future<Output = Answer<Fetched>>>>;

fn fetched<T: Clone + 'static>(page: Page<T>) -> Fetched {
    let join = |before: Option<Rc<dyn Any>>| -> Rc<dyn Any> {
        let before = before.and_then(|items| items.downcast::<Vec<T>>().ok());
        let mut items = before.map(Rc::unwrap_or_clone).unwrap_or_default();
        items.extend(page.items);
        Rc::new(items)
    };
    Fetched { join: Box::new(join), next: page.next_cursor }
}

/// The same for every type, so that what a list adds is its question and no more.
#[hook]
fn use_listing(
    question: u32,
    fetch: Rc<dyn Fn(Option<String>) -> Coming>,
) -> (Load<Listing>, Callback<()>, Callback<()>) {
    let state = use_state(|| Load::Pending);
    let round = use_state(|| 0_u32);
    let alive = use_mut_ref(|| Rc::new(Cell::new(true)));
    let last = use_mut_ref(|| 0_u32);
    {
        let (state, fetch, alive) = (state.clone(), Rc::clone(&fetch), Rc::clone(&alive));
        use_effect_with((question, *round), move |(question, _)| {
            if last.replace(*question) != *question {
                state.set(Load::Pending);
            }
            let current = Rc::new(Cell::new(true));
            alive.replace(Rc::clone(&current));
            let (answer, still) = (fetch(None), Rc::clone(&current));
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
            let Load::Ready(listing) = &*state else { return };
            let Some(cursor) = listing.next.clone().filter(|_| !listing.fetching) else { return };
            let before = Listing::clone(listing);
            state.set(Load::Ready(Rc::new(Listing { fetching: true, ..before.clone() })));
            let (answer, state) = (fetch(Some(cursor)), state.clone());
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
    ((*state).clone(), more, again)
}

fn first(answer: Answer<Fetched>) -> Load<Listing> {
    match answer {
        Ok(Fetched { join, next }) => Load::Ready(Rc::new(Listing {
            items: join(None),
            next,
            fetching: false,
            problem: None,
        })),
        Err(problem) => Load::Failed(problem),
    }
}

fn next(mut listing: Listing, answer: Answer<Fetched>) -> Listing {
    match answer {
        Ok(Fetched { join, next }) => {
            listing.items = join(Some(listing.items));
            listing.next = next;
            listing.problem = None;
        }
        Err(problem) => listing.problem = Some(problem),
    }
    listing.fetching = false;
    listing
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(items: &[i32], next: Option<&str>) -> Fetched {
        fetched(Page { items: items.to_vec(), next_cursor: next.map(str::to_owned) })
    }

    #[test]
    fn a_failed_next_page_keeps_what_was_there() {
        let Load::Ready(begun) = first(Ok(page(&[1], Some("c")))) else {
            panic!("the first page was good");
        };
        let failed = next(Listing::clone(&begun), Err(Problem::not_found("page")));
        let seen = failed.pages::<i32>().unwrap();
        assert_eq!((seen.items.as_slice(), seen.next.as_deref()), (&[1][..], Some("c")));
        assert!(seen.problem.is_some());
        let good = next(failed, Ok(page(&[2], None))).pages::<i32>().unwrap();
        assert_eq!((good.items.as_slice(), good.next, good.problem), (&[1, 2][..], None, None));
        assert!(begun.pages::<u8>().is_none(), "a list of something else");
    }
}
