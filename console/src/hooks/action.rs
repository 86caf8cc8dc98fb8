//! Writing: one request at a time, its failure kept for the form that sent it.

use ralex_api::Problem;
use wasm_bindgen_futures::spawn_local;
use yew::prelude::*;

use crate::api::client::Answer;

/// A write and how it goes.
pub struct Action<T> {
    running: UseStateHandle<bool>,
    problem: UseStateHandle<Option<Problem>>,
    done: Callback<T>,
}

impl<T> Clone for Action<T> {
    fn clone(&self) -> Self {
        Self {
            running: self.running.clone(),
            problem: self.problem.clone(),
            done: self.done.clone(),
        }
    }
}

impl<T: 'static> Action<T> {
    pub fn running(&self) -> bool {
        *self.running
    }

    pub fn problem(&self) -> Option<Problem> {
        (*self.problem).clone()
    }

    /// Sends, unless the last one is still under way.
    pub fn run(&self, write: impl Future<Output = Answer<T>> + 'static) {
        if *self.running {
            return;
        }
        self.running.set(true);
        self.problem.set(None);
        let this = self.clone();
        spawn_local(async move {
            let answer = write.await;
            this.running.set(false);
            match answer {
                Ok(value) => this.done.emit(value),
                Err(problem) => this.problem.set(Some(problem)),
            }
        });
    }
}

/// A write that calls `done` with its answer.
#[hook]
pub fn use_action<T: 'static>(done: Callback<T>) -> Action<T> {
    let running = use_state(|| false);
    let problem = use_state(|| None);
    Action { running, problem, done }
}
