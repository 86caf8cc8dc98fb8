//! Names: what a word that a caller wrote means here.

use std::sync::Arc;

use ralex_api::routing::Via;
use ralex_kernel::{Code, Problem};

use super::pick::Sight;
use crate::book::Entry;
use crate::rules::{DEFAULT, Route};

/// Longer chains of names are circles, or should be shorter.
pub(crate) const DEEPEST: usize = 8;

/// What a name means.
pub(crate) enum Meaning<'a> {
    Model(&'a Entry),
    Route(Arc<Route>),
}

/// A name that was looked up.
pub(crate) struct Resolved<'a> {
    pub meaning: Meaning<'a>,
    pub via: Via,
    /// The names on the way, the one asked for first.
    pub followed: Vec<String>,
}

impl<'a> Sight<'a> {
    /// What the call asks for: the header for models, the header for routes, or the body's name.
    pub(super) fn resolve(&self) -> Result<Resolved<'a>, Problem> {
        let question = self.question;
        let overridden = question.force_model.or(question.route).is_some();
        if overridden && self.wishes.no_override {
            let detail = "Here the choice of models cannot be overridden with x-ralex-model or \
                          x-ralex-route.";
            return Err(Problem::new(Code::ModelNotAllowed, detail));
        }
        if let Some(name) = question.force_model {
            let (meaning, followed) = self.follow(name)?;
            return match meaning {
                Meaning::Model(_) => Ok(Resolved { meaning, via: Via::Forced, followed }),
                Meaning::Route(_) => {
                    let told = "names a route; use x-ralex-route for routes";
                    Err(Problem::field("x-ralex-model", told))
                }
            };
        }
        let (meaning, followed) = self.follow(question.route.unwrap_or(question.model))?;
        if question.route.is_some() && matches!(meaning, Meaning::Model(_)) {
            let told = "names a model; use x-ralex-model for models";
            return Err(Problem::field("x-ralex-route", told));
        }
        let via = match &meaning {
            Meaning::Model(_) => Via::Model,
            Meaning::Route(route) if route.built_in => Via::Auto,
            Meaning::Route(_) => Via::Route,
        };
        Ok(Resolved { meaning, via, followed })
    }

    /// Follows aliases to a model or a route. A model's own name always means the model.
    pub(super) fn follow(&self, asked: &str) -> Result<(Meaning<'a>, Vec<String>), Problem> {
        let mut followed = vec![asked.to_owned()];
        let mut name = asked.to_owned();
        while followed.len() <= DEEPEST {
            if let Some(entry) = self.book.find(&name) {
                return Ok((Meaning::Model(entry), followed));
            }
            let next = match self.rules.aliases.get(&name) {
                Some(target) => target.clone(),
                None => match self.rules.route(&name) {
                    Some(route) => return Ok((Meaning::Route(route), followed)),
                    None => self.otherwise(&name, asked)?,
                },
            };
            followed.push(next.clone());
            name = next;
        }
        let detail = format!("The names {} lead in a circle.", followed.join(" → "));
        Err(Problem::new(Code::ModelNotFound, detail))
    }

    /// What `default` means, and names that nothing has.
    fn otherwise(&self, name: &str, asked: &str) -> Result<String, Problem> {
        match &self.wishes.default_route {
            Some(route) if name == DEFAULT || self.wishes.catch_all => Ok(route.clone()),
            Some(_) | None if name == DEFAULT => Ok("auto".to_owned()),
            Some(_) | None => Err(self.book.no_such_model(asked)),
        }
    }
}
