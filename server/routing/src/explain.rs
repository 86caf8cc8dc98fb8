//! A choice in words: for the caller's header, for the record of the call, and for people who ask.

use ralex_api::routing::{Considered, Explanation, PriceRange, Task, Via};
use ralex_kernel::Money;

use crate::choose::{Candidate, Choice, Picked, Placed, Sight};

/// More candidates than this are no help to a reader, and make a record large.
const MOST: usize = 20;

/// What was picked, with its explanation.
pub(crate) fn choice(sight: &Sight<'_>, picked: Picked, task: Task) -> Choice {
    let explanation = explanation(sight, &picked, &task);
    let candidates = picked.placed.into_iter().map(candidate).collect();
    Choice {
        candidates,
        route: picked.route,
        task,
        explanation,
        shadow: picked.shadow,
        escalation: picked.escalation,
    }
}

fn candidate(placed: Placed) -> Candidate {
    let Placed { ranked, reason, .. } = placed;
    Candidate {
        success: ranked.parts.success,
        expected_cost: ranked.expected,
        plan: ranked.plan,
        reason,
    }
}

fn explanation(sight: &Sight<'_>, picked: &Picked, task: &Task) -> Explanation {
    let chosen = picked.placed.first().map(|first| first.ranked.plan.name.clone());
    let chosen = chosen.unwrap_or_default();
    let mut left_out = picked.left_out.clone();
    left_out.truncate(MOST);
    let mut explanation = Explanation {
        asked: sight.asked().to_owned(),
        via: picked.via,
        route: picked.route.clone(),
        followed: picked.followed.clone(),
        task: Some(task.clone()),
        candidates: picked.placed.iter().take(MOST).map(considered).collect(),
        left_out,
        chosen,
        shadow: picked.shadow.as_ref().map(|plan| plan.name.clone()),
        price: price(&picked.placed),
        summary: String::new(),
        notes: picked.notes.clone(),
    };
    explanation.summary = summary(&explanation);
    explanation
}

fn considered(placed: &Placed) -> Considered {
    let ranked = &placed.ranked;
    Considered {
        model: ranked.plan.name.clone(),
        provider: ranked.plan.provider_slug.clone(),
        reason: placed.reason.clone(),
        score: placed.scored.then_some(ranked.score),
        parts: placed.scored.then(|| ranked.parts.clone()),
        expected_cost: ranked.expected,
        worst_case: ranked.worst,
        samples: ranked.samples,
    }
}

fn price(placed: &[Placed]) -> PriceRange {
    let expected = || placed.iter().map(|one| one.ranked.expected);
    let first = placed.first().map(|one| &one.ranked);
    PriceRange {
        expected: first.map_or(Money::ZERO, |first| first.expected),
        worst_case: first.map_or(Money::ZERO, |first| first.worst),
        cheapest: expected().min().unwrap_or(Money::ZERO),
        dearest: expected().max().unwrap_or(Money::ZERO),
    }
}

fn summary(explanation: &Explanation) -> String {
    let chosen = &explanation.chosen;
    let Some(first) = explanation.candidates.first() else { return String::new() };
    let told = match (&explanation.task, explanation.via) {
        (Some(task), Via::Auto | Via::Route) => {
            let kind = task.kind.as_str().replace('_', " ");
            format!("{chosen} for {kind} of difficulty {}: {}", task.difficulty, first.reason)
        }
        (_, Via::Model | Via::Forced | Via::Auto | Via::Route) => {
            format!("{chosen}: {}", first.reason)
        }
    };
    let cost = format!("expected to cost ${}", first.expected_cost);
    match explanation.left_out.len() {
        0 => format!("{told}; {cost}."),
        1 => format!("{told}; {cost}; 1 model could not answer."),
        count => format!("{told}; {cost}; {count} models could not answer."),
    }
}

/// `model=…; via=…; route=…; task=…; difficulty=…; score=…`: short, and safe in a header.
pub(crate) fn header(explanation: &Explanation) -> String {
    let mut parts = vec![format!("model={}", plain(&explanation.chosen))];
    parts.push(format!("via={}", explanation.via));
    if let Some(route) = &explanation.route {
        parts.push(format!("route={}", plain(route)));
    }
    if let Some(task) = &explanation.task {
        parts.push(format!("task={}", task.kind));
        parts.push(format!("difficulty={}", task.difficulty));
    }
    let scored = explanation.candidates.first().and_then(|first| first.score);
    if let Some(score) = scored {
        parts.push(format!("score={score:.2}"));
    }
    parts.join("; ")
}

/// Names can hold any character; a header cannot.
fn plain(name: &str) -> String {
    name.chars().map(|c| if c.is_ascii_graphic() && c != ';' { c } else { '_' }).collect()
}
