//! Conditions that mean well and conditions that do not.

use std::time::{Duration, Instant};

use serde_json::{Value as Json, json};

use crate::call::{Arguments, Call, Left, Resource, Who};
use crate::condition::Condition;
use crate::facts::{self, Place};

fn refused(source: &str) -> String {
    Condition::compile(source).err().unwrap_or_else(|| panic!("accepted: {source}"))
}

fn who() -> Who {
    Who {
        subject: ralex_kernel::Subject::User(ralex_kernel::UserId::generate()),
        token: None,
        address: Some([192, 0, 2, 7].into()),
        groups: vec![(ralex_kernel::GroupId::generate(), "contractors".to_owned())],
        roles: vec!["developer".to_owned()],
    }
}

/// What a condition says of a call with these arguments, at 23:30 in Berlin.
fn asked(source: &str, arguments: &Json) -> Result<bool, String> {
    let condition = Condition::compile(source).unwrap_or_else(|told| panic!("{source}: {told}"));
    let (who, tags) = (who(), vec!["env=prod".to_owned()]);
    let arguments = Arguments::of(arguments.as_object().unwrap());
    let call = Call {
        action: "model.call.generate",
        resource: Resource { model: "large", upstream_model: "gpt-5", provider: "openai" },
        asked: "large",
        at: ralex_kernel::ScopePath::Org,
        who: &who,
        dialect: "openai_chat",
        streamed: false,
        max_output: 9000,
        arguments: &arguments,
        labels: &[],
        tags: &tags,
        left: Left { micros: 2_500_000, percent: 5.0 },
        now: "2026-03-01T22:30:00Z".parse().unwrap(),
    };
    condition.holds(&facts::context(&call, Place { team: "red", project: "" }, |_| true))
}

fn holds(source: &str) -> bool {
    asked(source, &json!({ "max_tokens": 9000, "tools": ["shell", "read"] })).unwrap()
}

#[test]
fn a_condition_reads_arguments_labels_caller_time_and_budget() {
    for source in [
        "call.model == 'large' && call.provider == 'openai' && call.upstream_model == 'gpt-5'",
        "has(call.arguments.max_tokens) && call.arguments.max_tokens > 8000",
        "call.max_output > 8192 && call.max_output < 9000.5",
        "has(call.arguments.tools) && call.arguments.tools.exists(t, t in ['shell', 'exec'])",
        "has(call.arguments.tools) && 'shell' in call.arguments.tools",
        "'env=prod' in call.tags && !('pii' in call.labels)",
        "call.tags.exists(t, t.matches('^env=(prod|live)$'))",
        "caller.kind == 'user' && 'contractors' in caller.groups && 'developer' in caller.roles",
        "caller.address.startsWith('192.0.2.')",
        "now.getHours('Europe/Berlin') >= 22 || now.getHours('Europe/Berlin') < 6",
        "now < timestamp('2026-04-01T00:00:00Z')",
        "budget.left < 5000000 && budget.left_percent <= 10.0",
        "call.team == 'red' && call.action.startsWith('model.call')",
        "size(call.tags) == 1 ? true : call.streamed",
    ] {
        assert!(holds(source), "{source}");
    }
    assert!(!holds("call.arguments.all(k, k != 'max_tokens')"));
}

#[test]
fn a_mistake_is_refused_with_its_place() {
    assert!(
        refused("call.model ==").starts_with("line 1, column "),
        "{}",
        refused("call.model ==")
    );
    let name = refused("call.streamed &&\n  model == 'x'");
    assert!(name.starts_with("line 2, column 3: there is no `model`"), "{name}");
    let field = refused("call.modle == 'x'");
    assert!(field.starts_with("line 1, column 6: there is no `call.modle`; there are"), "{field}");
    let function = refused("call.model.lowerAscii() == 'x'");
    assert!(function.contains("there is no function `lowerAscii`"), "{function}");
    assert!(refused("call == caller").contains("is no value by itself"));
    assert!(refused("call['model'] == 'x'").contains("is no value by itself"));
    assert!(refused(" ").contains("1 to 2000 bytes"));
    assert!(refused("call.model").contains("not true or false"));
    assert!(refused("call.tags.exists(call, call == 'x')").contains("means something already"));
}

#[test]
fn a_type_that_does_not_fit_shows_when_it_is_written_also_where_it_would_be_skipped() {
    assert!(refused("call.max_output > 'many'").contains("cannot be evaluated"));
    assert!(refused("call.model == 'no such' && call.model > 5").contains("cannot be evaluated"));
    assert!(refused("true || now > 5").contains("cannot be evaluated"));
    let absent = refused("call.arguments.max_tokens > 8000");
    assert!(absent.contains("ask `has(") && absent.starts_with("line 1, column 16"), "{absent}");
    // Whoever asked first is right.
    assert!(Condition::compile("has(call.arguments.x) && call.arguments.x > 1").is_ok());
}

#[test]
fn what_cannot_be_evaluated_says_so_and_never_what_the_caller_wrote() {
    let source = "has(call.arguments.max_tokens) && call.arguments.max_tokens > 8000";
    let told = asked(source, &json!({ "max_tokens": "my secret" })).unwrap_err();
    assert!(!told.contains("secret"), "{told}");
    let many: Vec<String> = (0..2_000).map(|at| format!("tool-{at}")).collect();
    let told = asked("has(call.arguments.tools)", &json!({ "tools": many })).unwrap_err();
    assert!(told.contains("arguments"), "{told}");
}

/// Each on a thread with less stack than those that serve.
fn compiled_on_a_small_stack(source: String) -> Result<(), String> {
    let small = std::thread::Builder::new().stack_size(1024 * 1024);
    let compile = move || Condition::compile(&source).map(drop);
    small.spawn(compile).unwrap().join().unwrap()
}

#[test]
fn no_condition_is_deep_or_long_enough_to_exhaust_anything() {
    let began = Instant::now();
    for deep in ["(", "call.tags", "[", "{", "a?a:", "a+", "[a].all(a,", "{1:"] {
        let source = format!("{}true", deep.repeat(1_990 / deep.len()));
        let told = compiled_on_a_small_stack(source);
        assert!(told.is_err(), "{deep}");
    }
    // The parser balances what is joined by `&&`, and takes pairs of `!` away.
    assert!(compiled_on_a_small_stack(format!("{}true", "true&&".repeat(200))).is_ok());
    assert!(compiled_on_a_small_stack(format!("{}true", "!".repeat(1_990))).is_ok());
    // What killed older parsers: brackets that open all kinds of things at once.
    let killer = "[{([{([{(".repeat(14);
    assert!(compiled_on_a_small_stack(killer).is_err());
    assert!(compiled_on_a_small_stack("a".repeat(1_000_000)).is_err());
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    let brackets = format!("{}true{}", "(".repeat(20), ")".repeat(20));
    assert!(compiled_on_a_small_stack(brackets).is_ok());
    let long = format!("true{}", " && true".repeat(30));
    compiled_on_a_small_stack(long).unwrap();
}

#[test]
fn lists_within_lists_and_patterns_of_patterns_are_refused_by_what_they_could_cost() {
    let nested = "call.tags.all(a, call.tags.all(b, a == b))";
    assert!(refused(nested).contains("could cost"), "{}", refused(nested));
    let third = "[1,2].all(a, [1,2].all(b, [1,2].all(c, a + b + c > 0)))";
    assert!(Condition::compile(third).is_ok());
    let literal = format!("[{}]", vec!["1"; 200].join(","));
    assert!(
        refused(&format!("{literal}.all(a, {literal}.all(b, {literal}.all(c, true)))")).len() > 5
    );
    assert!(refused("call.model.matches(call.provider)").contains("stands in the condition"));
    assert!(refused("call.model.matches('(')").contains("not valid"));
    let bomb = r"call.model.matches('((a{99}){99}){99}')";
    assert!(refused(bomb).contains("too large"), "{}", refused(bomb));
    assert!(refused(&format!("call.model.matches('{}')", "a".repeat(301))).contains("300 bytes"));
    // Backtracking would take ages; this takes no longer than the text is.
    let text = format!("{}!", "a".repeat(200_000));
    let began = Instant::now();
    let slow = r"has(call.arguments.user) && call.arguments.user.matches('^(a+)+$')";
    assert!(!asked(slow, &json!({ "user": text })).unwrap());
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
}

#[test]
fn the_dearest_condition_that_is_allowed_ends_soon_on_the_largest_call() {
    let tools: Vec<String> = (0..1_024).map(|at| format!("tool-{at}")).collect();
    let source = "has(call.arguments.tools) && call.arguments.tools\
                  .exists(t, ['a', 'b'].exists(p, t.startsWith(p)))";
    let began = Instant::now();
    assert!(!asked(source, &json!({ "tools": tools })).unwrap());
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
}
