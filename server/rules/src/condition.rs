//! Conditions, in CEL: parsed, bounded and tried once, asked per call.
//!
//! What always holds: a condition that was accepted names only what there is, costs a bounded
//! number of steps, and gave a truth for a call with everything and for one with nothing in it.

use std::sync::{Arc, LazyLock};

use cel::common::ast::{CallExpr, Expr, operators};
use cel::common::types::{self, CelBool, CelString};
use cel::common::value::CowVal;
use cel::parser::PrattParser;
use cel::{Context, Env, ExecutionError, IdedExpr, Value};
use moka::sync::Cache;
use ralex_kernel::Problem;
use regex_automata::meta::Regex;

use crate::bounds::{FUNCTIONS, Walk};
use crate::facts;

/// Longer ones belong into several rules.
const LONGEST: usize = 2_000;
/// The parser recurses, too.
const PARSER_DEPTH: u16 = 48;
const MOST_NODES: usize = 500;
const LONGEST_PATTERN: usize = 300;
/// Of a compiled pattern, in bytes: repeats of repeats grow fast.
const LARGEST_PATTERN: usize = 64 * 1024;

/// What calls of `matches` become: with patterns that are kept compiled.
const MATCHES: &str = "matches_kept";

static PATTERNS: LazyLock<Cache<String, Regex>> = LazyLock::new(|| Cache::new(2_000));

pub(crate) static ENV: LazyLock<Arc<Env>> = LazyLock::new(|| {
    let mut env = Env::default().with_optional_support(false).with_stdlib();
    let texts = vec![types::STRING_TYPE, types::STRING_TYPE];
    // Fails only where there is a function of this name already.
    env.add_overload(MATCHES, "matches_kept_string_string", texts, |arguments| {
        let text = |at: usize| arguments.get(at).and_then(|it| it.downcast_ref::<CelString<'_>>());
        let (Some(said), Some(pattern)) = (text(0), text(1)) else {
            return Err(ExecutionError::missing_argument_or_target());
        };
        let kept = regex(pattern.inner())
            .map_err(|told| ExecutionError::function_error("matches", told))?;
        Ok(CowVal::owned(CelBool::from(kept.is_match(said.inner()))))
    })
    .ok();
    Arc::new(env)
});

/// A pattern, compiled. It takes time that grows with the length of a text alone.
pub(crate) fn regex(pattern: &str) -> Result<Regex, String> {
    if let Some(kept) = PATTERNS.get(pattern) {
        return Ok(kept);
    }
    if pattern.len() > LONGEST_PATTERN {
        return Err(format!("the pattern has more than {LONGEST_PATTERN} bytes"));
    }
    let config = Regex::config()
        .nfa_size_limit(Some(LARGEST_PATTERN))
        .onepass_size_limit(Some(LARGEST_PATTERN))
        .hybrid_cache_capacity(LARGEST_PATTERN);
    let built = Regex::builder().configure(config).build(pattern);
    let built = built.map_err(|error| match error.syntax_error() {
        Some(wrong) => format!("the pattern is not valid: {wrong}"),
        None => "the pattern is too large: use smaller repeats".to_owned(),
    })?;
    PATTERNS.insert(pattern.to_owned(), built.clone());
    Ok(built)
}

/// What is wrong with a condition, and at which word.
#[derive(Debug)]
pub(crate) struct Mistake {
    word: Option<String>,
    told: String,
}

impl Mistake {
    pub const fn whole(told: String) -> Self {
        Self { word: None, told }
    }

    pub fn at_word(word: &str, told: String) -> Self {
        Self { word: Some(word.to_owned()), told }
    }

    pub fn name(name: &str) -> Self {
        let roots = ["call", "caller", "budget"];
        let told = if roots.contains(&name) {
            format!("`{name}` is no value by itself: name one of its fields, as `{name}.…`")
        } else {
            format!("there is no `{name}`; there are call, caller, budget and now")
        };
        Self::at_word(name, told)
    }

    pub fn field(root: &str, field: &str, known: &[&str]) -> Self {
        let told = format!("there is no `{root}.{field}`; there are {}", known.join(", "));
        Self::at_word(field, told)
    }

    pub fn function(name: &str) -> Self {
        let told = format!("there is no function `{name}`; there are {}", FUNCTIONS.join(", "));
        Self::at_word(name, told)
    }

    pub fn taken(name: &str) -> Self {
        Self::at_word(name, format!("`{name}` means something already: use another name"))
    }

    /// In words, with line and column where a word is wrong.
    fn said(self, source: &str) -> String {
        match self.word {
            Some(word) => {
                let (line, column) = place(source, &word);
                format!("line {line}, column {column}: {}", self.told)
            }
            None => self.told,
        }
    }
}

/// The fields of a name; nothing where it is none.
pub(crate) fn fields_of(root: &str) -> Option<&'static [&'static str]> {
    match root {
        "call" => Some(&facts::CALL),
        "caller" => Some(&facts::CALLER),
        "budget" => Some(&facts::BUDGET),
        _ => None,
    }
}

/// A condition that can be asked.
#[derive(Debug)]
pub(crate) struct Condition {
    expr: IdedExpr,
    /// What it reads, as `call.model`.
    pub read: Vec<String>,
}

impl Condition {
    /// Compiles and tries one; says what is wrong with it otherwise.
    pub fn compile(source: &str) -> Result<Self, String> {
        if source.trim().is_empty() || source.len() > LONGEST {
            return Err(format!("must be a CEL expression of 1 to {LONGEST} bytes"));
        }
        let parser = PrattParser::new()
            .max_recursion_depth(PARSER_DEPTH)
            .max_expression_node_count(MOST_NODES)
            .error_recovery_limit(4)
            .error_reporting_limit(4);
        let mut expr = parser.parse(source).map_err(|errors| {
            errors.errors.first().map_or_else(
                || "is no CEL expression".to_owned(),
                |error| format!("line {}, column {}: {}", error.pos.0, error.pos.1, error.msg),
            )
        })?;
        let walk = Walk::of(&expr).map_err(|mistake| mistake.said(source))?;
        keep_patterns(&mut expr);
        let condition = Self { expr, read: walk.read };
        condition.try_out().map_err(|mistake| mistake.said(source))?;
        Ok(condition)
    }

    /// The same as a problem with a field.
    pub fn check(source: &str, path: &str) -> Result<Self, Problem> {
        Self::compile(source).map_err(|told| Problem::field(path, told))
    }

    /// Whether it holds.
    ///
    /// # Errors
    /// A sentence, where it cannot be evaluated or is no truth.
    pub fn holds(&self, context: &Context<'_, '_>) -> Result<bool, String> {
        truth(Value::resolve(&self.expr, context))
    }

    /// Asks it about a call with everything in it and about one with nothing, and each part that a
    /// shorter answer would skip by itself, so that a type that does not fit shows now.
    fn try_out(&self) -> Result<(), Mistake> {
        let (full, bare) = (facts::full(), facts::bare());
        for context in [&full, &bare] {
            match Value::resolve(&self.expr, context) {
                Err(ExecutionError::NoSuchKey(key)) => return Err(absent(&key)),
                other => truth(other).map(drop).map_err(Mistake::whole)?,
            }
        }
        parts(&self.expr, &full)
    }
}

fn truth(value: Result<Value, ExecutionError>) -> Result<bool, String> {
    match value {
        Ok(Value::Bool(truth)) => Ok(truth),
        Ok(other) => Err(format!("is a {} and not true or false", other.type_of())),
        // Errors hold values, which can be a caller's own.
        Err(ExecutionError::NoSuchKey(key)) => Err(format!("there is no `{key}` in the call")),
        Err(ExecutionError::NoSuchOverload(error)) => Err(format!("cannot be evaluated: {error}")),
        Err(ExecutionError::UndeclaredReference(name)) => Err(format!("there is no `{name}`")),
        Err(_) => Err("cannot be evaluated: the types do not fit".to_owned()),
    }
}

fn absent(key: &str) -> Mistake {
    let told = format!(
        "`{key}` is not in every call: ask `has(….{key}) && …` first, so that a call without it is \
         not stopped by mistake"
    );
    Mistake::at_word(key, told)
}

/// Each side of `&&`, `||` and `?:` outside of macros, by itself.
fn parts(expr: &IdedExpr, full: &Context<'_, '_>) -> Result<(), Mistake> {
    let Expr::Call(call) = &expr.expr else { return Ok(()) };
    let choices = [operators::LOGICAL_AND, operators::LOGICAL_OR, operators::CONDITIONAL];
    for argument in &call.args {
        if choices.contains(&call.func_name.as_str()) {
            match Value::resolve(argument, full) {
                // Whoever asked `has` before knows.
                Ok(_) | Err(ExecutionError::NoSuchKey(_)) => {}
                Err(error) => truth(Err(error)).map(drop).map_err(Mistake::whole)?,
            }
        }
        parts(argument, full)?;
    }
    call.target.as_ref().map_or(Ok(()), |target| parts(target, full))
}

/// Has `matches` use patterns that are kept compiled; the one of the library compiles anew for each
/// question.
fn keep_patterns(expr: &mut IdedExpr) {
    match &mut expr.expr {
        Expr::Call(call) => {
            keep_pattern(call);
            call.args.iter_mut().for_each(keep_patterns);
            call.target.iter_mut().for_each(|target| keep_patterns(target));
        }
        Expr::Comprehension(over) => {
            let over = &mut **over;
            for part in [
                &mut over.iter_range,
                &mut over.accu_init,
                &mut over.loop_cond,
                &mut over.loop_step,
                &mut over.result,
            ] {
                keep_patterns(part);
            }
        }
        Expr::List(list) => list.elements.iter_mut().for_each(keep_patterns),
        Expr::Select(select) => keep_patterns(&mut select.operand),
        Expr::Map(_) | Expr::Struct(_) | Expr::Ident(_) | Expr::Literal(_) | Expr::Unspecified => {}
    }
}

fn keep_pattern(call: &mut CallExpr) {
    if call.func_name == "matches" {
        MATCHES.clone_into(&mut call.func_name);
        if let Some(target) = call.target.take() {
            call.args.insert(0, *target);
        }
    }
}

/// Line and column of a word, from 1.
fn place(source: &str, word: &str) -> (usize, usize) {
    let part = |c: char| c.is_alphanumeric() || c == '_';
    let at = source.match_indices(word).find(|(at, _)| {
        let before = source[..*at].chars().next_back();
        let after = source[at + word.len()..].chars().next();
        !before.is_some_and(part) && !after.is_some_and(part)
    });
    let before = &source[..at.map_or(0, |(at, _)| at)];
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    (line, column)
}
