//! What holds for all rules and calls, tried on random ones.

use std::sync::Arc;
use std::time::Instant;

use proptest::prelude::*;
use proptest::sample::select;
use ralex_api::call_rules::CallEffect;
use ralex_kernel::{CallRuleId, ScopePath, Subject, TeamId, UserId};

use crate::call::{Arguments, Call, Left, Resource, Who};
use crate::judge::{Verdict, judge};
use crate::ruleset::{Compiled, Rules};
use crate::sql::Stored;

const EFFECTS: [&str; 3] = ["allow", "ask", "deny"];
const CONDITIONS: [Option<&str>; 6] = [
    None,
    Some("call.max_output > 5000"),
    Some("'env=prod' in call.tags"),
    Some("caller.kind == 'user'"),
    // Fails where there is something in the arguments that is no number.
    Some("has(call.arguments.n) && call.arguments.n > 1"),
    // Was written for another release.
    Some("call.weather == 'fine'"),
];

fn team() -> TeamId {
    TeamId::from(uuid::Uuid::from_u128(7))
}

fn rule() -> impl Strategy<Value = Stored> {
    let words = (
        select(&EFFECTS[..]),
        select(&["list", "call", "both"][..]),
        select(&["*", "model.call", "model.call.embeddings", "model.list"][..]),
        select(&["*", "model:large", "model:gpt-*", "provider:openai", "provider:x"][..]),
        select(&CONDITIONS[..]),
    );
    (words, any::<bool>(), any::<bool>(), any::<u128>()).prop_map(
        |((effect, phase, action, resource, condition), scoped, roles, id)| {
            let subjects = if roles { vec!["role:developer".to_owned()] } else { Vec::new() };
            stored(id, (effect, phase), (action, resource), (scoped, subjects, condition))
        },
    )
}

fn stored(
    id: u128,
    (effect, phase): (&str, &str),
    (action, resource): (&str, &str),
    (scoped, subjects, condition): (bool, Vec<String>, Option<&str>),
) -> Stored {
    let now = chrono::DateTime::UNIX_EPOCH;
    Stored {
        id: CallRuleId::from(uuid::Uuid::from_u128(id)),
        team: scoped.then(team),
        project: None,
        scope: String::new(),
        scope_name: String::new(),
        name: "Rule".parse().unwrap(),
        description: String::new(),
        effect: effect.to_owned(),
        phase: phase.to_owned(),
        actions: vec![action.to_owned()],
        resources: vec![resource.to_owned()],
        subjects,
        subject_names: Vec::new(),
        condition: condition.map(str::to_owned),
        message: String::new(),
        enabled: true,
        version: 1,
        created_by: String::new(),
        created_at: now,
        updated_by: String::new(),
        updated_at: now,
    }
}

#[derive(Clone, Debug)]
struct Asked {
    action: &'static str,
    model: &'static str,
    roles: bool,
    scoped: bool,
    max_output: u64,
    tagged: bool,
    n: Option<&'static str>,
}

fn asked() -> impl Strategy<Value = Asked> {
    let words = (
        select(&["model.call.generate", "model.call.embeddings", "model.list"][..]),
        select(&["large", "small"][..]),
        select(&[None, Some("2"), Some("\"two\"")][..]),
    );
    (words, any::<bool>(), any::<bool>(), any::<bool>(), select(&[100u64, 9000][..])).prop_map(
        |((action, model, n), roles, scoped, tagged, max_output)| Asked {
            action,
            model,
            roles,
            scoped,
            max_output,
            tagged,
            n,
        },
    )
}

fn verdict(rules: &Rules, asked: &Asked) -> Verdict {
    let who = Who {
        subject: Subject::User(UserId::from(uuid::Uuid::from_u128(1))),
        token: None,
        address: None,
        groups: Vec::new(),
        roles: asked.roles.then(|| "developer".to_owned()).into_iter().collect(),
    };
    let fields = format!("{{\"n\": {}}}", asked.n.unwrap_or("null"));
    let mut fields: serde_json::Map<_, _> = serde_json::from_str(&fields).unwrap();
    fields.retain(|_, value| !value.is_null());
    let (arguments, tags) = (Arguments::of(&fields), vec!["env=prod".to_owned()]);
    let call = Call {
        action: asked.action,
        resource: Resource { model: asked.model, upstream_model: "gpt-5", provider: "openai" },
        asked: asked.model,
        at: if asked.scoped { ScopePath::Team { team: team() } } else { ScopePath::Org },
        who: &who,
        dialect: "openai_chat",
        streamed: false,
        max_output: asked.max_output,
        arguments: &arguments,
        labels: &[],
        tags: if asked.tagged { &tags } else { &[] },
        left: Left::ALL,
        now: chrono::DateTime::UNIX_EPOCH,
    };
    judge(rules, &call)
}

fn rules(stored: &[Stored], default_effect: CallEffect) -> Rules {
    let compiled = stored.iter().map(|stored| Arc::new(Compiled::of(stored))).collect();
    Rules::new(compiled, default_effect)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn the_order_of_rows_changes_nothing(
        stored in prop::collection::vec(rule(), 0..8),
        turned in any::<prop::sample::Index>(),
        asked in asked(),
        default in select(CallEffect::ALL),
    ) {
        let mut other = stored.clone();
        if !other.is_empty() {
            let at = turned.index(other.len());
            other.rotate_left(at);
            other.reverse();
        }
        let one = verdict(&rules(&stored, default), &asked);
        let two = verdict(&rules(&other, default), &asked);
        prop_assert_eq!(one.effect, two.effect);
        prop_assert_eq!(one.stamp(), two.stamp());
    }

    #[test]
    fn a_rule_more_that_denies_or_asks_never_makes_a_call_freer(
        stored in prop::collection::vec(rule(), 0..8),
        more in rule(),
        asked in asked(),
        default in select(CallEffect::ALL),
    ) {
        let before = verdict(&rules(&stored, default), &asked).effect;
        let stricter = more.effect() != CallEffect::Allow;
        let mut with = stored;
        with.push(more);
        let after = verdict(&rules(&with, default), &asked).effect;
        // Their order is that of strictness. Asking may stand where a default would have denied:
        // it says more of this call than the default does.
        if stricter && default == CallEffect::Allow {
            prop_assert!(after >= before, "{before:?} became {after:?}");
        }
        if before == CallEffect::Deny && default != CallEffect::Deny {
            prop_assert_eq!(after, CallEffect::Deny);
        }
    }

    #[test]
    fn a_rule_that_allows_never_undoes_one_that_asks_or_denies(
        stored in prop::collection::vec(rule(), 0..8),
        asked in asked(),
    ) {
        let without: Vec<Stored> =
            stored.iter().filter(|rule| rule.effect() != CallEffect::Allow).cloned().collect();
        let all = verdict(&rules(&stored, CallEffect::Allow), &asked).effect;
        let strict = verdict(&rules(&without, CallEffect::Allow), &asked).effect;
        prop_assert_eq!(all, strict);
    }
}

#[test]
fn what_cannot_be_evaluated_stops_where_it_would_stop_and_lets_nothing_pass() {
    let broken = "has(call.arguments.n) && call.arguments.n > 1";
    let asked = Asked {
        action: "model.call.generate",
        model: "large",
        roles: false,
        scoped: false,
        max_output: 1,
        tagged: false,
        n: Some("\"two\""),
    };
    for (effect, default, becomes) in [
        ("deny", CallEffect::Allow, CallEffect::Deny),
        ("ask", CallEffect::Allow, CallEffect::Ask),
        ("allow", CallEffect::Deny, CallEffect::Deny),
    ] {
        for condition in [broken, "call.weather == 'fine'", "("] {
            let row = stored(1, (effect, "call"), ("*", "*"), (false, vec![], Some(condition)));
            let verdict = verdict(&rules(&[row], default), &asked);
            assert_eq!(verdict.effect, becomes, "{effect} {condition}");
            let failed = verdict.by.first().is_some_and(|applied| applied.failed.is_some());
            assert_eq!(failed, effect != "allow");
        }
    }
    let mut row = stored(1, ("deny", "call"), ("*", "*"), (false, vec![], None));
    row.subjects = vec!["nobody".to_owned()];
    assert_eq!(verdict(&rules(&[row], CallEffect::Allow), &asked).effect, CallEffect::Deny);
}

#[test]
fn nobody_is_asked_about_what_is_shown() {
    let asked = Asked {
        action: "model.list",
        model: "large",
        roles: false,
        scoped: false,
        max_output: 0,
        tagged: false,
        n: None,
    };
    let row = stored(1, ("ask", "both"), ("*", "*"), (false, vec![], None));
    assert_eq!(verdict(&rules(&[row], CallEffect::Ask), &asked).effect, CallEffect::Allow);
    assert_eq!(verdict(&rules(&[], CallEffect::Deny), &asked).effect, CallEffect::Deny);
}

/// Not a test of a limit: prints what a decision takes. `cargo test --release -p ralex-rules --
/// --ignored --nocapture`.
#[test]
#[ignore = "measures"]
fn how_long_a_decision_takes() {
    let asked = Asked {
        action: "model.call.generate",
        model: "large",
        roles: true,
        scoped: true,
        max_output: 100,
        tagged: false,
        n: None,
    };
    for count in [1u128, 10, 100, 500] {
        for condition in [None, Some("call.max_output > 5000 && 'env=prod' in call.tags")] {
            let resource = if condition.is_none() { "model:other-*" } else { "*" };
            let rows: Vec<Stored> = (0..count)
                .map(|id| stored(id, ("deny", "call"), ("*", resource), (false, vec![], condition)))
                .collect();
            let rules = rules(&rows, CallEffect::Allow);
            let (began, rounds) = (Instant::now(), 2_000u32);
            for _ in 0..rounds {
                assert_eq!(verdict(&rules, &asked).effect, CallEffect::Allow);
            }
            let each = began.elapsed() / rounds;
            println!("{count} rules, condition {}: {each:?}", condition.is_some());
        }
    }
}
