//! What a condition may be: every name known, and a bound on what it can cost, by walking its tree.
//!
//! CEL ends always, but lists within lists multiply: as in Kubernetes, the worst case is reckoned
//! when a condition is written, with the longest lists that a call may bring.

use cel::IdedExpr;
use cel::common::ast::{ComprehensionExpr, EntryExpr, Expr, LiteralValue, operators};
use regex_automata::meta::Regex;

use crate::call::MOST_ITEMS;
use crate::condition::{Mistake, fields_of, regex};

/// The interpreter recurses, so what nests is kept shallow.
const DEEPEST: usize = 40;
/// In steps of some tens of nanoseconds each.
const DEAREST: u64 = 100_000;

/// What a pattern costs, in steps.
const PATTERN: u64 = 50;

/// The functions that a condition may call, beside operators.
pub(crate) const FUNCTIONS: [&str; 26] = [
    "size",
    "contains",
    "startsWith",
    "endsWith",
    "matches",
    "int",
    "uint",
    "double",
    "string",
    "bool",
    "timestamp",
    "duration",
    "getFullYear",
    "getMonth",
    "getDate",
    "getDayOfMonth",
    "getDayOfWeek",
    "getDayOfYear",
    "getHours",
    "getMinutes",
    "getSeconds",
    "getMilliseconds",
    "min",
    "max",
    "dyn",
    "type",
];

const OPERATORS: [&str; 18] = [
    operators::CONDITIONAL,
    operators::LOGICAL_AND,
    operators::LOGICAL_OR,
    operators::LOGICAL_NOT,
    operators::SUBSTRACT,
    operators::ADD,
    operators::MULTIPLY,
    operators::DIVIDE,
    operators::MODULO,
    operators::EQUALS,
    operators::NOT_EQUALS,
    operators::GREATER_EQUALS,
    operators::LESS_EQUALS,
    operators::GREATER,
    operators::LESS,
    operators::NEGATE,
    operators::INDEX,
    operators::IN,
];

/// Walks a condition's tree.
pub(crate) struct Walk {
    /// Names that macros around this place have bound.
    bound: Vec<String>,
    /// Fields of the call that it reads, as `call.model`.
    pub read: Vec<String>,
}

impl Walk {
    pub fn of(expr: &IdedExpr) -> Result<Self, Mistake> {
        let mut walk = Self { bound: Vec::new(), read: Vec::new() };
        let cost = walk.step(expr, 0)?;
        if cost > DEAREST {
            let told = format!(
                "could cost {cost} steps for one call, and may {DEAREST}: go through fewer lists \
                 within lists"
            );
            return Err(Mistake::whole(told));
        }
        Ok(walk)
    }

    /// What it costs at most, where all of it is allowed.
    fn step(&mut self, expr: &IdedExpr, depth: usize) -> Result<u64, Mistake> {
        if depth > DEEPEST {
            return Err(Mistake::whole("nests too deep; use several rules".to_owned()));
        }
        let depth = depth + 1;
        match &expr.expr {
            Expr::Literal(_) => Ok(1),
            Expr::Ident(name) if self.bound.contains(name) || name.starts_with('@') => Ok(1),
            Expr::Ident(name) if name == "now" => {
                self.read.push("now".to_owned());
                Ok(1)
            }
            Expr::Ident(name) => Err(Mistake::name(name)),
            Expr::Select(select) => match &select.operand.expr {
                Expr::Ident(root) if !self.bound.contains(root) && fields_of(root).is_some() => {
                    self.field(root, &select.field)
                }
                _ => Ok(1 + self.step(&select.operand, depth)?),
            },
            Expr::Call(call) => {
                let name = call.func_name.as_str();
                let known = OPERATORS.contains(&name) || FUNCTIONS.contains(&name);
                if !known && name != operators::NOT_STRICTLY_FALSE {
                    return Err(Mistake::function(name));
                }
                let mut cost = 1;
                if let Some(target) = &call.target {
                    cost += self.step(target, depth)?;
                }
                for argument in &call.args {
                    cost += self.step(argument, depth)?;
                }
                if name == operators::IN {
                    cost += call.args.last().map_or(0, size);
                }
                if name == "matches" {
                    pattern(call.args.last())?;
                    cost += PATTERN;
                }
                Ok(cost)
            }
            Expr::List(list) => {
                let mut cost = 1;
                for element in &list.elements {
                    cost += self.step(element, depth)?;
                }
                Ok(cost)
            }
            Expr::Map(map) => self.map(map, depth),
            Expr::Comprehension(over) => self.comprehension(over, depth),
            Expr::Struct(_) => Err(Mistake::whole("may not make messages".to_owned())),
            Expr::Unspecified => Err(Mistake::whole("is no CEL expression".to_owned())),
        }
    }

    fn field(&mut self, root: &str, field: &str) -> Result<u64, Mistake> {
        let known = fields_of(root).unwrap_or_default();
        if !known.contains(&field) {
            return Err(Mistake::field(root, field, known));
        }
        self.read.push(format!("{root}.{field}"));
        Ok(2)
    }

    fn map(&mut self, map: &cel::common::ast::MapExpr, depth: usize) -> Result<u64, Mistake> {
        let mut cost = 1;
        for entry in &map.entries {
            if let EntryExpr::MapEntry(entry) = &entry.expr {
                cost += self.step(&entry.key, depth)? + self.step(&entry.value, depth)?;
            }
        }
        Ok(cost)
    }

    fn comprehension(&mut self, over: &ComprehensionExpr, depth: usize) -> Result<u64, Mistake> {
        let names = [Some(&over.iter_var), over.iter_var2.as_ref(), Some(&over.accu_var)];
        if let Some(taken) = names.iter().flatten().find(|name| fields_of(name).is_some()) {
            return Err(Mistake::taken(taken));
        }
        let before = self.step(&over.iter_range, depth)? + self.step(&over.accu_init, depth)?;
        let bound = self.bound.len();
        self.bound.extend(names.into_iter().flatten().cloned());
        let round = self.step(&over.loop_cond, depth)? + self.step(&over.loop_step, depth)?;
        let after = self.step(&over.result, depth)?;
        self.bound.truncate(bound);
        let items = size(&over.iter_range);
        // A list that grows is copied with each item.
        let copies = match &over.accu_init.expr {
            Expr::List(_) => items.saturating_mul(items) / 16,
            _ => 0,
        };
        Ok(before + after + items.saturating_mul(round).saturating_add(copies))
    }
}

/// How many items a list can have.
fn size(expr: &IdedExpr) -> u64 {
    match &expr.expr {
        Expr::List(list) => list.elements.len() as u64,
        Expr::Map(map) => map.entries.len() as u64,
        Expr::Call(call) if call.func_name == operators::ADD => call.args.iter().map(size).sum(),
        Expr::Call(call) if call.func_name == operators::CONDITIONAL => {
            call.args.iter().skip(1).map(size).max().unwrap_or(0)
        }
        Expr::Comprehension(over) => size(&over.iter_range),
        Expr::Literal(_) => 1,
        Expr::Call(_) | Expr::Ident(_) | Expr::Select(_) | Expr::Struct(_) | Expr::Unspecified => {
            MOST_ITEMS as u64
        }
    }
}

/// A pattern has to stand in the condition, so that it is known not to be a bomb.
fn pattern(argument: Option<&IdedExpr>) -> Result<Regex, Mistake> {
    let literal = argument.and_then(|argument| match &argument.expr {
        Expr::Literal(LiteralValue::String(text)) => Some(text.inner()),
        _ => None,
    });
    let Some(text) = literal else {
        let told = "`matches` takes a pattern that stands in the condition as text";
        return Err(Mistake::at_word("matches", told.to_owned()));
    };
    regex(text).map_err(|told| Mistake::at_word("matches", told))
}
