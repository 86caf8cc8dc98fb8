//! Picking: from a route to the models that answer, in order.

#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "estimates need no more than a few digits"
)]

use std::sync::Arc;
use std::time::Duration;

use ralex_api::routing::{Escalation, LeftOut, Pick, Refusal, RouteStep, RouteTarget, Task, Via};
use ralex_kernel::{Code, OrgId, Problem};

use super::name::{DEEPEST, Meaning, Resolved};
use super::{Question, filter};
use crate::book::{Book, Entry};
use crate::breaker::Breakers;
use crate::condition::Facts;
use crate::learned::Learned;
use crate::plan::Plan;
use crate::rank::{Ranked, View, rank};
use crate::ranking::Ranking;
use crate::rules::{Route, Rules, Wishes};
use crate::sticky::{Sticky, share};

/// Everything that a choice looks at.
pub(crate) struct Sight<'a> {
    pub org: OrgId,
    pub question: &'a Question<'a>,
    pub task: &'a Task,
    pub book: &'a Book,
    pub rules: &'a Rules,
    pub wishes: Wishes,
    pub learned: &'a Learned,
    pub ranking: &'a Ranking,
    pub breakers: &'a Breakers,
    pub sticky: &'a Sticky,
    /// Decides between weights and shares.
    pub draw: u64,
}

/// A model in its place, with the reason for it.
pub(crate) struct Placed {
    pub ranked: Ranked,
    pub reason: String,
    /// True where its score put it there.
    pub scored: bool,
}

/// What came out, before it is put into words.
pub(crate) struct Picked {
    pub via: Via,
    pub route: Option<String>,
    pub followed: Vec<String>,
    pub placed: Vec<Placed>,
    pub left_out: Vec<LeftOut>,
    pub notes: Vec<String>,
    pub shadow: Option<Arc<Plan>>,
    pub escalation: Option<Escalation>,
}

/// What is gathered on the way.
#[derive(Default)]
struct Gathered {
    /// The caller's token names what was asked for, which allows whatever stands behind it.
    named: bool,
    left_out: Vec<LeftOut>,
    /// Left out for their health alone.
    ill: Vec<Placed>,
    notes: Vec<String>,
}

impl<'a> Sight<'a> {
    pub fn choose(&self) -> Result<Picked, Problem> {
        let resolved = self.resolve()?;
        let named = resolved.followed.iter().any(|name| self.allowed(name));
        let mut gathered = Gathered { named, ..Gathered::default() };
        match &resolved.meaning {
            Meaning::Model(entry) => self.named_model(entry, &resolved, gathered),
            Meaning::Route(route) => {
                let mut placed = self.walk(route, 0, &mut gathered)?;
                if placed.is_empty() && !gathered.ill.is_empty() {
                    gathered.notes.push("All that could answer failed lately.".to_owned());
                    placed.append(&mut gathered.ill);
                }
                if placed.is_empty() {
                    return Err(filter::nobody(self.asked(), &gathered.left_out));
                }
                self.spare(&mut placed, &mut gathered.left_out);
                let shadow = self.shadow(route, &placed, &mut gathered);
                let ranks = route.spec.steps.iter().any(|step| ranks(step.pick));
                let own = route.spec.escalation.clone();
                let general = || self.rules.settings.escalation.clone().filter(|_| ranks);
                Ok(Picked {
                    via: resolved.via,
                    route: Some(route.name.clone()),
                    followed: resolved.followed,
                    escalation: own.or_else(general),
                    placed,
                    left_out: gathered.left_out,
                    notes: gathered.notes,
                    shadow,
                })
            }
        }
    }

    pub fn asked(&self) -> &str {
        self.question.force_model.or(self.question.route).unwrap_or(self.question.model)
    }

    /// A model that was named: itself, and what the organisation lets follow it.
    fn named_model(
        &self,
        entry: &Entry,
        resolved: &Resolved<'_>,
        mut gathered: Gathered,
    ) -> Result<Picked, Problem> {
        let plan = &entry.plan;
        if let Some((why, told)) = self.forbids(plan, gathered.named) {
            return Err(self.forbidden(plan, why, &told));
        }
        let fallbacks = self.rules.settings.fallbacks.iter().find(|one| one.model == plan.name);
        let fallbacks = fallbacks.map(|one| one.to.as_slice()).unwrap_or_default();
        if let (Some(problem), true) = (entry.off_problem(), fallbacks.is_empty()) {
            return Err(problem);
        }
        let mut placed = Vec::new();
        let reason = match resolved.via {
            Via::Forced => "x-ralex-model names it",
            Via::Model | Via::Route | Via::Auto => "the call names it",
        };
        if entry.is_on() {
            let first = self.place(plan, reason);
            // A model that fails lately is still tried where there is nothing else.
            if self.ill(plan) && !fallbacks.is_empty() {
                gathered.sick(first);
            } else {
                placed.push(first);
            }
        } else {
            gathered.leave(plan, Refusal::SwitchedOff, "it or its provider is switched off");
        }
        for name in fallbacks {
            let more = self.expand(name, "the fallback", 0, &mut gathered)?;
            add(&mut placed, more);
        }
        if placed.is_empty() {
            placed.append(&mut gathered.ill);
        }
        if placed.is_empty() {
            return Err(filter::nobody(self.asked(), &gathered.left_out));
        }
        Ok(Picked {
            via: resolved.via,
            route: None,
            followed: resolved.followed.clone(),
            placed,
            left_out: gathered.left_out,
            notes: gathered.notes,
            shadow: None,
            escalation: None,
        })
    }

    fn forbidden(&self, plan: &Plan, why: Refusal, told: &str) -> Problem {
        let asked = self.asked();
        let detail = match (why, self.question.allowed) {
            (Refusal::NotAllowed, Some(names)) => format!(
                "This token may not use the model `{asked}`. It may use {}.",
                names.join(", ")
            ),
            _ => format!("The model {} may not answer this call: {told}.", plan.name),
        };
        Problem::new(Code::ModelNotAllowed, detail)
    }

    /// The models of a route, in order.
    fn walk(
        &self,
        route: &Route,
        depth: usize,
        gathered: &mut Gathered,
    ) -> Result<Vec<Placed>, Problem> {
        let mut placed = match self.step(route, gathered) {
            Some((at, step)) => self.targets(route, at, step, depth, gathered)?,
            None => Vec::new(),
        };
        if let Some(canary) = &route.spec.canary
            && share(self.draw, &format!("canary {}", route.name)) * 100.0 < canary.percent
        {
            let reason = format!("it is the canary of {}, for {} %", route.name, canary.percent);
            let first = self.expand(&canary.model, &reason, depth + 1, gathered)?;
            let rest = std::mem::replace(&mut placed, first);
            add(&mut placed, rest);
        }
        for name in &route.spec.fallbacks {
            let reason = format!("a fallback of {}", route.name);
            let more = self.expand(name, &reason, depth + 1, gathered)?;
            add(&mut placed, more);
        }
        if placed.is_empty() && gathered.left_out.is_empty() && gathered.ill.is_empty() {
            gathered.notes.push(format!("No step of {} holds for this call.", route.name));
        }
        Ok(placed)
    }

    /// The first step whose condition holds.
    fn step<'r>(
        &self,
        route: &'r Route,
        gathered: &mut Gathered,
    ) -> Option<(usize, &'r RouteStep)> {
        let facts = self.facts();
        for (at, (step, condition)) in route.spec.steps.iter().zip(&route.conditions).enumerate() {
            match condition.as_ref().map(|condition| condition.holds(&facts)) {
                None | Some(Ok(true)) => return Some((at, step)),
                Some(Ok(false)) => {}
                Some(Err(told)) => {
                    let note =
                        format!("The condition of step {} of {} {told}.", at + 1, route.name);
                    gathered.notes.push(note);
                }
            }
        }
        None
    }

    fn targets(
        &self,
        route: &Route,
        at: usize,
        step: &RouteStep,
        depth: usize,
        gathered: &mut Gathered,
    ) -> Result<Vec<Placed>, Problem> {
        let place = if route.spec.steps.len() > 1 {
            format!("step {} of {}", at + 1, route.name)
        } else {
            route.name.clone()
        };
        let mut placed = Vec::new();
        if ranks(step.pick) {
            let plans = self.ranked_plans(step, depth, gathered)?;
            return Ok(self.ranked(step.pick, plans, gathered));
        }
        let targets: Vec<&RouteTarget> = match step.pick {
            Pick::Weighted => self.weighted(route, &step.targets),
            Pick::Order | Pick::Auto | Pick::Fast | Pick::Balanced | Pick::Best => {
                step.targets.iter().collect()
            }
        };
        let sum: u32 = step.targets.iter().map(|target| target.weight).sum();
        for target in targets {
            let reason = match step.pick {
                Pick::Weighted => format!("{place}, weight {} of {sum}", target.weight),
                Pick::Order | Pick::Auto | Pick::Fast | Pick::Balanced | Pick::Best => {
                    place.clone()
                }
            };
            let more = self.expand(&target.name, &reason, depth + 1, gathered)?;
            add(&mut placed, more);
        }
        Ok(placed)
    }

    /// The targets in an order that chance decides by their weights, or the session where the
    /// route is sticky: every order has the probability that weights without replacement give.
    fn weighted<'r>(&self, route: &Route, targets: &'r [RouteTarget]) -> Vec<&'r RouteTarget> {
        let draw = match (route.spec.sticky, self.question.session) {
            (true, Some(session)) => crate::sticky::spread(session, &route.name),
            _ => self.draw,
        };
        let mut keyed: Vec<(f64, &RouteTarget)> = targets
            .iter()
            .filter(|target| target.weight > 0)
            .map(|target| {
                let share = share(draw, &target.name).max(f64::MIN_POSITIVE);
                (-share.ln() / f64::from(target.weight), target)
            })
            .collect();
        keyed.sort_by(|(one, _), (other, _)| one.total_cmp(other));
        keyed.into_iter().map(|(_, target)| target).collect()
    }

    /// The models that a step ranks: its targets', or all.
    fn ranked_plans(
        &self,
        step: &RouteStep,
        depth: usize,
        gathered: &mut Gathered,
    ) -> Result<Vec<Arc<Plan>>, Problem> {
        let mut plans: Vec<Arc<Plan>> = Vec::new();
        if step.targets.is_empty() {
            for entry in self.book.entries() {
                plans.extend(self.fits(entry, "", gathered).map(|_| entry.plan.clone()));
            }
            return Ok(plans);
        }
        for target in &step.targets {
            for placed in self.expand(&target.name, "", depth + 1, gathered)? {
                if !plans.iter().any(|plan| plan.model == placed.ranked.plan.model) {
                    plans.push(placed.ranked.plan);
                }
            }
        }
        Ok(plans)
    }

    fn ranked(&self, pick: Pick, plans: Vec<Arc<Plan>>, gathered: &mut Gathered) -> Vec<Placed> {
        let ranked = rank(&self.view(), pick, plans);
        let mut placed: Vec<Placed> = ranked
            .into_iter()
            .enumerate()
            .map(|(at, ranked)| {
                let reason = if at == 0 {
                    format!("the best score for {pick}")
                } else {
                    format!("number {} for {pick}", at + 1)
                };
                Placed { ranked, reason, scored: true }
            })
            .collect();
        self.explore(&mut placed, gathered);
        self.stay(&mut placed);
        placed
    }

    /// Now and then, where the organisation wants it, another model than the first.
    fn explore(&self, placed: &mut Vec<Placed>, gathered: &mut Gathered) {
        let percent = self.rules.settings.explore_percent;
        let others = placed.len().saturating_sub(1).min(3);
        if percent <= 0.0 || others == 0 || share(self.draw, "explore") * 100.0 >= percent {
            return;
        }
        let at = 1 + (share(self.draw, "explored") * others as f64) as usize;
        let mut other = placed.remove(at.min(others));
        other.reason = format!("tried to learn from, as {percent} % of ranked calls are");
        gathered
            .notes
            .push("This call explores: its model is not the first of the ranking.".into());
        placed.insert(0, other);
    }

    /// A session stays with its model, whose caches know it.
    fn stay(&self, placed: &mut Vec<Placed>) {
        let minutes = self.rules.settings.sticky_minutes;
        let (Some(session), true) = (self.question.session, minutes > 0) else { return };
        let stays = Duration::from_mins(u64::from(minutes));
        if let Some(model) = self.sticky.model(self.org, session, stays)
            && let Some(at) = placed.iter().position(|one| one.ranked.plan.name == model)
        {
            let mut own = placed.remove(at);
            "the session stays with it".clone_into(&mut own.reason);
            placed.insert(0, own);
        }
        if let (Some(first), false) = (placed.first(), self.question.dry) {
            self.sticky.remember(self.org, session, &first.ranked.plan.name, stays);
        }
    }

    /// The models behind a name that a route leads to.
    fn expand(
        &self,
        name: &str,
        reason: &str,
        depth: usize,
        gathered: &mut Gathered,
    ) -> Result<Vec<Placed>, Problem> {
        if depth > DEEPEST {
            gathered.notes.push(format!("{name} lies too deep within other routes."));
            return Ok(Vec::new());
        }
        match self.follow(name) {
            Ok((Meaning::Model(entry), _)) => {
                Ok(self.fits(entry, reason, gathered).into_iter().collect())
            }
            Ok((Meaning::Route(route), _)) => self.walk(&route, depth + 1, gathered),
            // A model that was deleted must not stop those beside it.
            Err(_) => {
                gathered.notes.push(format!("There is no {name}, which the route names."));
                Ok(Vec::new())
            }
        }
    }

    /// The model in its place, unless something keeps it from this call.
    fn fits(&self, entry: &Entry, reason: &str, gathered: &mut Gathered) -> Option<Placed> {
        let plan = &entry.plan;
        if gathered.left_out.iter().any(|out| out.model == plan.name) {
            return None;
        }
        if let Some((why, told)) = self.unfit(entry, gathered.named) {
            gathered.leave(plan, why, &told);
            return None;
        }
        let placed = self.place(plan, reason);
        if self.ill(plan) {
            gathered.sick(placed);
            return None;
        }
        Some(placed)
    }

    fn place(&self, plan: &Arc<Plan>, reason: &str) -> Placed {
        let ranked = self.view().judge(Pick::Auto, plan.clone());
        Placed { ranked, reason: reason.to_owned(), scored: false }
    }

    fn shadow(
        &self,
        route: &Route,
        placed: &[Placed],
        gathered: &mut Gathered,
    ) -> Option<Arc<Plan>> {
        // A copy costs as much as an answer.
        let shadow = route.spec.shadow.as_ref().filter(|_| self.question.degraded.is_none())?;
        if share(self.draw, &format!("shadow {}", route.name)) * 100.0 >= shadow.percent {
            return None;
        }
        let Ok((Meaning::Model(entry), _)) = self.follow(&shadow.model) else {
            gathered.notes.push(format!("There is no model {} for the shadow.", shadow.model));
            return None;
        };
        let same = placed.first().is_some_and(|first| first.ranked.plan.model == entry.plan.model);
        (!same && self.unfit(entry, gathered.named).is_none()).then(|| entry.plan.clone())
    }

    fn view(&self) -> View<'_> {
        View {
            ranking: self.ranking,
            task: self.task,
            learned: self.learned,
            preferred: &self.wishes.preferred,
            max_output: self.question.sample.max_output,
            weights: self.rules.settings.weights.as_ref(),
        }
    }

    fn facts(&self) -> Facts<'_> {
        let (question, sample) = (self.question, &self.question.sample);
        let slug = |slug: Option<&'a String>| slug.map_or("", String::as_str);
        Facts {
            task: self.task,
            model: question.model,
            input_tokens: self.task.input_tokens,
            max_output: sample.max_output.unwrap_or(0),
            turns: sample.turns,
            tools: sample.tools,
            images: sample.images,
            structured: sample.structured,
            reasoning: sample.reasoning,
            streamed: sample.streamed,
            dialect: question.dialect,
            team: slug(question.at.team().and_then(|team| self.rules.teams.get(&team))),
            project: slug(question.at.project().and_then(|id| self.rules.projects.get(&id))),
            labels: question.labels,
            headers: question.headers,
            budget_left_percent: question.budget_left_percent,
            now: question.now,
        }
    }
}

impl Gathered {
    fn leave(&mut self, plan: &Plan, why: Refusal, told: &str) {
        let model = plan.name.clone();
        self.left_out.push(LeftOut { model, why, detail: told.to_owned() });
    }

    fn sick(&mut self, placed: Placed) {
        let plan = placed.ranked.plan.clone();
        self.leave(&plan, Refusal::Health, "its calls failed lately, and it is given a rest");
        self.ill.push(placed);
    }
}

const fn ranks(pick: Pick) -> bool {
    match pick {
        Pick::Auto | Pick::Fast | Pick::Balanced | Pick::Best => true,
        Pick::Order | Pick::Weighted => false,
    }
}

/// Adds those that are not there yet.
fn add(placed: &mut Vec<Placed>, more: Vec<Placed>) {
    for one in more {
        if !placed.iter().any(|there| there.ranked.plan.model == one.ranked.plan.model) {
            placed.push(one);
        }
    }
}
