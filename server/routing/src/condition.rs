//! Conditions of a route's steps, in CEL: compiled once, asked per call.
//!
//! What always holds: a condition that was accepted parses, names only what there is, and gave a
//! truth for a sample call; one that fails on a real call counts as not holding, and says so.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, LazyLock};

use cel::{Context, Env, ExecutionError, Program, Value};
use chrono::{DateTime, Datelike, FixedOffset, Timelike, Utc};
use ralex_api::routing::Task;
use ralex_kernel::Problem;

/// Longer ones belong into several steps.
const LONGEST: usize = 1_000;
/// The parser and the interpreter recurse, so what nests is kept shallow: brackets, prefixes of
/// one thing (`!!a`), and operators and dots in a row.
const DEEPEST: usize = 8;
const PREFIXES: usize = 3;
/// Sums, comparisons and choices, each of which is a level of its own; `&&` and `||` are balanced.
const OPERATORS: usize = 40;
const SUMS: usize = 8;
/// Dots within one word, `a.b.c`.
const DOTS: usize = 6;
const PARSER_STACK: usize = 64 * 1024 * 1024;
/// Lists are cut here, so that no condition walks through thousands of tools.
const MOST_ITEMS: usize = 64;

static ENV: LazyLock<Arc<Env>> = LazyLock::new(|| Arc::new(Env::stdlib()));

/// The names that a condition can use.
pub const NAMES: [&str; 17] = [
    "task",
    "model",
    "input_tokens",
    "max_output",
    "turns",
    "tools",
    "images",
    "structured",
    "reasoning",
    "streamed",
    "dialect",
    "team",
    "project",
    "labels",
    "headers",
    "budget_left_percent",
    "time",
];

/// A compiled condition.
pub(crate) struct Condition {
    program: Program,
}

/// What a condition sees of a call.
#[derive(Clone, Debug)]
pub(crate) struct Facts<'a> {
    pub task: &'a Task,
    pub model: &'a str,
    pub input_tokens: u64,
    pub max_output: u64,
    pub turns: usize,
    pub tools: &'a [String],
    pub images: usize,
    pub structured: bool,
    pub reasoning: bool,
    pub streamed: bool,
    pub dialect: &'a str,
    pub team: &'a str,
    pub project: &'a str,
    pub labels: &'a [String],
    pub headers: &'a BTreeMap<String, String>,
    /// 100 where there is no budget.
    pub budget_left_percent: f64,
    pub now: DateTime<Utc>,
}

impl Condition {
    /// Compiles `source` and tries it. `path` is the field that a problem names.
    pub fn compile(source: &str, path: &str) -> Result<Self, Problem> {
        if source.trim().is_empty() || source.len() > LONGEST {
            let detail = format!("must be a condition of 1 to {LONGEST} characters");
            return Err(Problem::field(path, detail));
        }
        if !is_shallow(source) {
            let told = "nests too deep or has too many operators; use several steps";
            return Err(Problem::field(path, told));
        }
        let program = parse(source).map_err(|told| Problem::field(path, told))?;
        check_names(&program, source, path)?;
        let condition = Self { program };
        condition.holds(&sample()).map_err(|error| Problem::field(path, error))?;
        Ok(condition)
    }

    /// True where the condition holds.
    ///
    /// # Errors
    /// A sentence, where it cannot be evaluated or is no truth.
    pub fn holds(&self, facts: &Facts<'_>) -> Result<bool, String> {
        match self.program.execute(&facts.context()) {
            Ok(Value::Bool(truth)) => Ok(truth),
            Ok(other) => Err(format!("is a {} and not true or false", other.type_of())),
            // What a call does not have, such as a header, equals nothing.
            Err(ExecutionError::NoSuchKey(_)) => Ok(false),
            Err(error) => Err(format!("cannot be evaluated: {error}")),
        }
    }
}

/// Parses on a thread of its own: the parser takes some hundred kilobytes of stack for each
/// bracket, more than a thread that serves has to spare.
fn parse(source: &str) -> Result<Program, String> {
    let parsed = std::thread::scope(|scope| {
        let parser = std::thread::Builder::new().stack_size(PARSER_STACK);
        parser.spawn_scoped(scope, || ENV.compile(source)).map(std::thread::ScopedJoinHandle::join)
    });
    match parsed {
        Ok(Ok(Ok(program))) => Ok(program),
        Ok(Ok(Err(errors))) => Err(errors.errors.first().map_or_else(
            || "is not a CEL expression".to_owned(),
            |error| format!("line {}, column {}: {}", error.pos.0, error.pos.1, error.msg),
        )),
        Ok(Err(_)) | Err(_) => Err("cannot be read now".to_owned()),
    }
}

/// Counts without regard to quotes: a text that looks deep is refused too, which harms nobody.
fn is_shallow(source: &str) -> bool {
    let (mut depth, mut prefixes, mut dots) = (0usize, 0usize, 0usize);
    for sign in source.chars().filter(|sign| !sign.is_whitespace()) {
        match sign {
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth = depth.saturating_sub(1),
            '!' | '-' => prefixes += 1,
            '.' => dots += 1,
            _ => {}
        }
        if !matches!(sign, '!' | '-') {
            prefixes = 0;
        }
        if "!-+*/%<>=&|?:,".contains(sign) {
            dots = 0;
        }
        if depth > DEEPEST || prefixes > PREFIXES || dots > DOTS {
            return false;
        }
    }
    let count = |signs: &str| source.chars().filter(|sign| signs.contains(*sign)).count();
    count("+-*/%?") <= SUMS && count("<>=&|!") <= 2 * OPERATORS
}

fn check_names(program: &Program, source: &str, path: &str) -> Result<(), Problem> {
    let references = program.references();
    let mut unknown: Vec<&str> = references
        .variables()
        .into_iter()
        // A comprehension's own names start with an `@`, or are bound by a macro.
        .filter(|name| !name.starts_with('@') && !NAMES.contains(name) && !bound(source, name))
        .collect();
    unknown.sort_unstable();
    let Some(name) = unknown.first() else { return Ok(()) };
    let (line, column) = place(source, name);
    let names = NAMES.join(", ");
    let told = format!("line {line}, column {column}: there is no `{name}`; there are {names}");
    Err(Problem::field(path, told))
}

/// True for the variable of `all(x, …)`, `exists(x, …)`, `filter(x, …)` and `map(x, …)`.
fn bound(source: &str, name: &str) -> bool {
    let squeezed: String = source.split_whitespace().collect();
    ["all(", "exists(", "exists_one(", "filter(", "map("]
        .iter()
        .any(|macro_name| squeezed.contains(&format!(".{macro_name}{name},")))
}

/// Line and column of a word, from 1.
fn place(source: &str, name: &str) -> (usize, usize) {
    let word = |c: char| c.is_alphanumeric() || c == '_' || c == '.';
    let at = source.match_indices(name).find(|(at, _)| {
        let before = source[..*at].chars().next_back();
        let after = source[at + name.len()..].chars().next();
        !before.is_some_and(word) && !after.is_some_and(|c| c.is_alphanumeric() || c == '_')
    });
    let before = &source[..at.map_or(0, |(at, _)| at)];
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    (line, column)
}

impl Facts<'_> {
    fn context(&self) -> Context<'static, 'static> {
        let mut context = Context::with_env(ENV.clone());
        let mut set = |name: &str, value: Value| context.add_variable_from_value(name, value);
        set("task", self.task_value());
        set("model", self.model.into());
        set("input_tokens", whole(self.input_tokens));
        set("max_output", whole(self.max_output));
        set("turns", whole(self.turns as u64));
        set("tools", list(self.tools));
        set("images", whole(self.images as u64));
        set("structured", self.structured.into());
        set("reasoning", self.reasoning.into());
        set("streamed", self.streamed.into());
        set("dialect", self.dialect.into());
        set("team", self.team.into());
        set("project", self.project.into());
        set("labels", list(self.labels));
        set("headers", strings(self.headers));
        set("budget_left_percent", self.budget_left_percent.into());
        let now: DateTime<FixedOffset> = self.now.into();
        let time = [
            ("now", Value::Timestamp(now)),
            ("hour", whole(u64::from(self.now.hour()))),
            ("weekday", whole(u64::from(self.now.weekday().number_from_monday()))),
        ];
        set("time", fields(time));
        context
    }

    fn task_value(&self) -> Value {
        let task = self.task;
        fields([
            ("kind", task.kind.as_str().into()),
            ("family", task.family.as_str().into()),
            ("difficulty", whole(u64::from(task.difficulty))),
            ("confidence", task.confidence.into()),
            ("size", task.size.as_str().into()),
            ("language", task.language.as_deref().unwrap_or_default().into()),
            ("programming", list(&task.programming)),
            ("file_types", list(&task.file_types)),
            ("multi_step", task.multi_step.into()),
        ])
    }
}

fn whole(number: u64) -> Value {
    Value::Int(i64::try_from(number).unwrap_or(i64::MAX))
}

fn list(items: &[String]) -> Value {
    let items: Vec<Value> =
        items.iter().take(MOST_ITEMS).map(|item| item.as_str().into()).collect();
    items.into()
}

fn strings(map: &BTreeMap<String, String>) -> Value {
    let map: HashMap<String, Value> = map
        .iter()
        .take(MOST_ITEMS)
        .map(|(name, value)| (name.clone(), value.as_str().into()))
        .collect();
    map.into()
}

fn fields<const N: usize>(fields: [(&str, Value); N]) -> Value {
    let map: HashMap<String, Value> =
        fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    map.into()
}

/// A call with something in every field, to try a new condition on.
fn sample() -> Facts<'static> {
    static TASK: LazyLock<Task> = LazyLock::new(|| Task {
        kind: ralex_api::routing::TaskKind::CodeGeneration,
        family: ralex_api::routing::Family::Code,
        difficulty: 5,
        confidence: 0.9,
        size: ralex_api::routing::SizeClass::Small,
        input_tokens: 100,
        language: Some("eng".to_owned()),
        programming: vec!["rust".to_owned()],
        file_types: vec!["rs".to_owned()],
        tools: 1,
        multi_step: false,
    });
    static TOOLS: LazyLock<Vec<String>> = LazyLock::new(|| vec!["read_file".to_owned()]);
    static NONE: BTreeMap<String, String> = BTreeMap::new();
    Facts {
        task: &TASK,
        model: "auto",
        input_tokens: 100,
        max_output: 1000,
        turns: 1,
        tools: &TOOLS,
        images: 0,
        structured: false,
        reasoning: false,
        streamed: true,
        dialect: "openai_chat",
        team: "team",
        project: "project",
        labels: &[],
        headers: &NONE,
        budget_left_percent: 50.0,
        now: DateTime::UNIX_EPOCH,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(source: &str) -> String {
        Condition::compile(source, "when").err().expect("refused").errors.remove(0).message
    }

    fn holds(source: &str) -> bool {
        Condition::compile(source, "when").unwrap().holds(&sample()).unwrap()
    }

    #[test]
    fn a_condition_reads_the_call() {
        assert!(holds("task.kind == 'code_generation' && task.difficulty >= 5"));
        assert!(holds("tools.exists(t, t.startsWith('read')) && input_tokens < 1000"));
        assert!(holds("budget_left_percent <= 50.0 && time.hour == 0"));
        assert!(holds("'rust' in task.programming && !('pii' in labels)"));
        assert!(!holds("headers['x-env'] == 'prod'"));
        assert!(!holds("has(headers.x_env) && headers.x_env == 'prod'"));
    }

    #[test]
    fn a_mistake_is_refused_with_its_place() {
        assert!(
            refused("task.kind ==").starts_with("line 1, column "),
            "{}",
            refused("task.kind ==")
        );
        let unknown = refused("input_tokens > 5 &&\n  tokens > 3");
        assert!(unknown.starts_with("line 2, column 3: there is no `tokens`"), "{unknown}");
        assert!(refused("task.difficulty > 'x'").contains("cannot be evaluated"));
        assert!(refused("input_tokens").contains("not true or false"));
        assert!(refused(" ").contains("1 to 1000"));
    }

    #[test]
    fn no_condition_is_deep_enough_to_exhaust_the_stack() {
        for deep in ["(", "!", "-", "a.", "[", "{", "a?a:", "a+", "a&&", "[a].all(a,"] {
            let most = refused(&format!("{}true", deep.repeat(900 / deep.len())));
            assert!(most.contains("too deep"), "{deep}: {most}");
        }
        let brackets = format!("{}true{}", "(".repeat(DEEPEST), ")".repeat(DEEPEST));
        assert!(holds(&brackets));
        assert!(holds(&format!("true{}", "&&true".repeat(OPERATORS))));
        assert!(holds(&format!("0{} == {SUMS}", "+1".repeat(SUMS))));
        assert!(holds(&format!("{}0{} == {SUMS}", "(".repeat(DEEPEST), "+1)".repeat(SUMS))));
        let equal = format!("true{}", "==true".repeat(OPERATORS));
        assert!(holds(&equal));
    }
}
