//! What a change of rules would have done to the calls that were made.
//!
//! Each call is held against the rules of today and against those that would be, with what is recorded of
//! it. What its body said, what its budgets had left and where it came from are not kept; where an answer
//! hinges on one of them it is called unclear, never guessed. Groups and roles are those of today.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use cel::Context;
use chrono::{DateTime, TimeDelta, Utc};
use ralex_access::{Permission, Snapshot};
use ralex_api::call_rules::{CallEffect, SimulateCallRules, SimulatedCallRules, SimulatedCalls};
use ralex_kernel::{CallRuleId, Caller, Code, OrgId, Problem, ScopePath, Subject, TokenId};
use ralex_store::problem;

use crate::call::{Arguments, Call, Left, Phase, Resource, Who};
use crate::judge::{Verdict, weigh};
use crate::ruleset::{Asked, Compiled, Rules};
use crate::sql::recorded::{self, Recorded};
use crate::sql::{self, Filter};
use crate::{CallRules, facts};

const DAYS: u32 = 30;
const MOST_DAYS: u32 = 366;
const LINES: u32 = 100;
const MOST_LINES: u32 = 1_000;
/// Rules that are taken away at once.
const MOST_WITHOUT: usize = 100;
/// Calls that are looked at.
const MOST_CALLS: i64 = 50_000;
/// What is not looked at by then is left out, and said to be.
const PATIENCE: Duration = Duration::from_secs(10);

/// What conditions may ask about, and nobody wrote down.
const NOT_KEPT: [&str; 6] = [
    "call.max_output",
    "call.arguments",
    "call.labels",
    "caller.address",
    "budget.left",
    "budget.left_percent",
];

/// The rules of today, those that would be, and what is different about them.
struct Compared {
    before: Arc<Rules>,
    after: Rules,
    changed: Vec<Arc<Compiled>>,
    snapshot: Arc<Snapshot>,
    org: OrgId,
    now: DateTime<Utc>,
}

/// What becomes of one call.
enum Outcome {
    Same,
    Unclear(BTreeSet<&'static str>),
    Other { before: CallEffect, after: Verdict },
}

impl CallRules {
    /// What a change of rules would have done to recorded calls.
    pub async fn simulate(
        &self,
        caller: &Caller,
        org: OrgId,
        change: SimulateCallRules,
    ) -> Result<SimulatedCallRules, Problem> {
        let access = &self.0.access;
        access.allow(caller, org, Permission::CallRuleRead, ScopePath::Org).await?;
        access.allow(caller, org, Permission::CallRead, ScopePath::Org).await?;
        let days = within("days", change.days.unwrap_or(DAYS), MOST_DAYS)?;
        let limit = within("limit", change.limit.unwrap_or(LINES), MOST_LINES)? as usize;
        let now = self.0.clock.now();
        let since = now - TimeDelta::days(i64::from(days));
        let compared = self.compare(org, change, now).await?;
        let mut tx = self.0.db.tenant(org).await?;
        let count = recorded::count(&mut tx, org, since).await.map_err(problem)?;
        let calls = recorded::newest(&mut tx, org, since, MOST_CALLS).await.map_err(problem)?;
        drop(tx);
        let look = move || {
            let told = compared.look(&calls, limit);
            SimulatedCallRules { since, recorded: count.unsigned_abs(), ..told }
        };
        let done = tokio::task::spawn_blocking(look).await;
        done.map_err(|_| Problem::new(Code::Unavailable, "The server is stopping."))
    }

    async fn compare(
        &self,
        org: OrgId,
        change: SimulateCallRules,
        now: DateTime<Utc>,
    ) -> Result<Compared, Problem> {
        let SimulateCallRules { draft, without, default_effect, .. } = change;
        if draft.is_none() && without.is_empty() && default_effect.is_none() {
            let rule = "is needed, or `without` or `default_effect`: say what would be otherwise";
            return Err(Problem::field("draft", rule));
        }
        self.are_there(org, &without).await?;
        let before = self.of_org(org).await?;
        let draft = match draft {
            Some(draft) => Some(self.draft(org, draft).await?),
            None => None,
        };
        let gone = before.entries().iter().filter(|rule| without.contains(&rule.id()));
        let changed = gone.cloned().chain(draft.clone()).collect();
        let default_effect = default_effect.unwrap_or_else(|| before.default_effect());
        let after = before.changed(draft, &without, default_effect);
        let snapshot = self.0.access.snapshot(org).await?;
        Ok(Compared { before, after, changed, snapshot, org, now })
    }

    async fn are_there(&self, org: OrgId, rules: &[CallRuleId]) -> Result<(), Problem> {
        if rules.len() > MOST_WITHOUT {
            return Err(Problem::field("without", format!("must be {MOST_WITHOUT} at most")));
        }
        let mut tx = self.0.db.tenant(org).await?;
        for (place, id) in rules.iter().enumerate() {
            let filter = Filter { only: Some(*id), ..Filter::default() };
            if sql::select(&mut tx, org, &filter).await.map_err(problem)?.is_empty() {
                return Err(Problem::field(format!("without[{place}]"), "is no call rule here"));
            }
        }
        Ok(())
    }
}

impl Compared {
    fn look(&self, calls: &[Recorded], limit: usize) -> SimulatedCallRules {
        let began = Instant::now();
        let mut known: HashMap<(Subject, ScopePath, Option<TokenId>), Who> = HashMap::new();
        let (mut looked_at, mut changed, mut unclear) = (0, 0, 0);
        let mut not_kept = BTreeSet::new();
        let mut lines: HashMap<_, SimulatedCalls> = HashMap::new();
        for call in calls {
            if began.elapsed() > PATIENCE {
                break;
            }
            looked_at += 1;
            // Of whoever is known no more nothing can be told but that they call no more.
            let Some(subject) = call.made.subject(self.org) else { continue };
            let key = (subject, call.made.place(), call.made.token);
            let who = known.entry(key).or_insert_with(|| self.who(key));
            match self.outcome(call, who) {
                Outcome::Same => {}
                Outcome::Unclear(reads) => {
                    unclear += 1;
                    not_kept.extend(reads);
                }
                Outcome::Other { before, after } => {
                    changed += 1;
                    let rule = after.by.first().map(|applied| &applied.rule);
                    let id = rule.map(|rule| rule.id()).filter(|id| !id.uuid().is_nil());
                    let name = rule.map(|rule| rule.name().to_owned());
                    let key = (&call.written, &call.scope, &call.made.model);
                    let line = lines
                        .entry((key, before, after.effect, id, name.clone()))
                        .or_insert_with(|| line(call, (before, after.effect), (id, name)));
                    line.calls += 1;
                    line.cost = line.cost.saturating_add(call.cost);
                    line.last_call = line.last_call.max(call.made.started_at);
                }
            }
        }
        let mut changes: Vec<_> = lines.into_values().collect();
        changes.sort_by(|one, other| {
            let order = |it: &SimulatedCalls| (it.calls, it.last_call);
            order(other).cmp(&order(one)).then_with(|| one.subject.cmp(&other.subject))
        });
        let more = u32::try_from(changes.len().saturating_sub(limit)).unwrap_or(u32::MAX);
        changes.truncate(limit);
        let not_kept = not_kept.into_iter().map(str::to_owned).collect();
        let since = self.now;
        SimulatedCallRules {
            since,
            recorded: 0,
            looked_at,
            changed,
            unclear,
            not_kept,
            changes,
            more,
        }
    }

    fn who(&self, (subject, at, token): (Subject, ScopePath, Option<TokenId>)) -> Who {
        let (groups, roles) = self.snapshot.memberships(subject, at, self.now);
        let groups = groups.into_iter().map(|(id, slug)| (id, slug.to_owned())).collect();
        let roles = roles.into_iter().map(str::to_owned).collect();
        Who { subject, token, address: None, groups, roles }
    }

    fn outcome(&self, recorded: &Recorded, who: &Who) -> Outcome {
        let (made, action) = (&recorded.made, recorded.made.action());
        let (arguments, at) = (Arguments::none(), made.place());
        let call = Call {
            action: &action,
            resource: Resource {
                model: &made.model,
                upstream_model: &made.upstream_model,
                provider: &made.provider,
            },
            asked: &made.asked,
            at,
            who,
            dialect: &made.dialect,
            streamed: made.streamed,
            max_output: 0,
            arguments: &arguments,
            labels: &[],
            tags: &made.tags,
            left: Left::ALL,
            now: made.started_at,
        };
        let reads = |name: &str| {
            (self.before.reads(name) || self.after.reads(name)) && !NOT_KEPT.contains(&name)
        };
        // What is not kept is not there, so a condition that comes to ask for it fails.
        let context = facts::context(&call, self.before.place(at), reads);
        let phase = Phase::of(call.action);
        let mut about = self.changed.iter().filter(|rule| rule.is_about(&call, phase));
        let other_default = self.before.default_effect() != self.after.default_effect();
        if !other_default && about.all(|rule| rule.holds(|| &context) == Asked::HoldsNot) {
            return Outcome::Same;
        }
        let bounds = |rules: &Rules| {
            [false, true].map(|strict| bound(rules, (&call, phase), &context, strict))
        };
        let ([loose, strict], [loose_after, strict_after]) =
            (bounds(&self.before), bounds(&self.after));
        if loose.effect != strict.effect || loose_after.effect != strict_after.effect {
            let all = self.before.entries().iter().chain(&self.changed);
            let about = all.filter(|rule| rule.is_about(&call, phase));
            return Outcome::Unclear(about.flat_map(|rule| asks_for_more(rule)).collect());
        }
        if strict.effect == strict_after.effect {
            return Outcome::Same;
        }
        Outcome::Other { before: strict.effect, after: strict_after }
    }
}

/// What would become of a call if every condition that hinges on what is not kept came out the one way,
/// or the other.
fn bound(
    rules: &Rules,
    (call, phase): (&Call<'_>, Phase),
    context: &Context<'static, 'static>,
    strict: bool,
) -> Verdict {
    weigh(rules, phase, |rule| {
        if !rule.is_about(call, phase) {
            return None;
        }
        match rule.holds(|| context) {
            Asked::Holds => Some(None),
            Asked::HoldsNot => None,
            Asked::Failed(why) => {
                let stops = rule.effect() != CallEffect::Allow;
                let hinges = asks_for_more(rule).next().is_some();
                (if hinges { stops == strict } else { stops }).then_some(Some(why))
            }
        }
    })
}

/// What a rule asks for of what is not kept.
fn asks_for_more(rule: &Compiled) -> impl Iterator<Item = &'static str> {
    NOT_KEPT.into_iter().filter(|name| rule.read().any(|read| read == name))
}

fn line(
    call: &Recorded,
    (before, after): (CallEffect, CallEffect),
    (rule, rule_name): (Option<CallRuleId>, Option<String>),
) -> SimulatedCalls {
    SimulatedCalls {
        subject: call.written.clone(),
        subject_name: call.name.clone(),
        scope: call.scope.clone(),
        model: call.made.model.clone(),
        before,
        after,
        rule,
        rule_name,
        calls: 0,
        cost: ralex_kernel::Money::ZERO,
        last_call: call.made.started_at,
    }
}

fn within(field: &str, number: u32, most: u32) -> Result<u32, Problem> {
    if (1..=most).contains(&number) {
        return Ok(number);
    }
    Err(Problem::field(field, format!("must be between 1 and {most}")))
}
