//! Writing: one request at a time, its failure kept for the form that sent it.

use std::pin::Pin;

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
        let done = self.done.clone();
        let write = async move {
            write.await.map(|value| Box::new(move || done.emit(value)) as Box<dyn FnOnce()>)
        };
        send(self.running.clone(), self.problem.clone(), Box::pin(write));
    }
}

/// A write on its way, and what to do when it went well.
type Writing = Pin<Box<dyn Future<Output = Answer<Box<dyn FnOnce()>>>>>;

/// The same for every type, so that what an action adds is its answer and no more.
fn send(running: UseStateHandle<bool>, problem: UseStateHandle<Option<Problem>>, write: Writing) {
    if *running {
        return;
    }
    running.set(true);
    problem.set(None);
    spawn_local(async move {
        let answer = write.await;
        running.set(false);
        match answer {
            Ok(done) => done(),
            Err(why) => problem.set(Some(why)),
        }
    });
}

/// A write that calls `done` with its answer.
#[hook]
pub fn use_action<T: 'static>(done: Callback<T>) -> Action<T> {
    let running = use_state(|| false);
    let problem = use_state(|| None);
    Action { running, problem, done }
}
