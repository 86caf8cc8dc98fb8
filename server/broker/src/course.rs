//! The course of a call: which candidate and key comes next when a try has failed.
//!
//! Pure: it knows what failed and what is left, and neither the clock nor the network. What is
//! decided here:
//!
//! - a mistake of the caller is final, since it would be made again everywhere;
//! - a key that is refused or over its limit gives way to the next key of the same provider;
//! - a failure of the server is tried once more where it happened, since most pass, and then
//!   elsewhere; a server that took too long is not asked again while another is left;
//! - where nothing else is left, the last candidate is asked again after a growing, random pause,
//!   or after as long as the provider says, if that is not too long.

use std::time::Duration;

use ralex_providers::UpstreamError;
use ralex_routing::breaker::Verdict;

/// How far a call may go.
#[derive(Clone, Copy, Debug)]
pub struct Resilience {
    /// Tries of one call at most, the first one included.
    pub attempts: u32,
    /// From the first try on; none begins later.
    pub deadline: Duration,
    /// The longest pause between two tries. Who is told to wait longer is told so.
    pub longest_pause: Duration,
    /// After how long without a first byte a second candidate is asked beside the first; never
    /// where there is nothing.
    pub hedge_after: Option<Duration>,
}

impl Default for Resilience {
    fn default() -> Self {
        Self {
            attempts: 4,
            deadline: Duration::from_mins(10),
            longest_pause: Duration::from_secs(2),
            hedge_after: None,
        }
    }
}

/// What an error means for the next try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    /// The request itself is at fault.
    Final,
    /// The key is refused, or has no credit left.
    Key,
    /// Too many calls; and how long to wait, where that was told.
    Limited(Option<Duration>),
    /// The provider does not know the model, or may not be reached.
    Absent,
    /// It may work a moment later, or after as long as was told.
    Passing(Option<Duration>),
    /// It took too long.
    Slow,
}

pub(crate) fn class(error: &UpstreamError) -> Class {
    match error {
        UpstreamError::Status(refusal) => match refusal.status {
            401..=403 => Class::Key,
            404 | 410 => Class::Absent,
            408 | 504 | 524 => Class::Slow,
            429 => Class::Limited(refusal.retry_after.map(Duration::from_secs)),
            409 | 425 => Class::Passing(None),
            status if status < 500 => Class::Final,
            _ => Class::Passing(refusal.retry_after.map(Duration::from_secs)),
        },
        UpstreamError::Unreachable | UpstreamError::Cut | UpstreamError::Malformed(_) => {
            Class::Passing(None)
        }
        UpstreamError::Timeout => Class::Slow,
        UpstreamError::Egress(_) => Class::Absent,
        // What a guardrail ended here it would end elsewhere.
        UpstreamError::Stopped(_) => Class::Final,
    }
}

/// What a circuit learns from an error.
pub(crate) fn verdict(error: &UpstreamError) -> Verdict {
    match error {
        UpstreamError::Unreachable => Verdict::Unreachable,
        UpstreamError::Status(refusal) if refusal.status == 403 => Verdict::KeyForbidden,
        error => match class(error) {
            Class::Final => Verdict::Neutral,
            Class::Key => Verdict::KeyRefused,
            Class::Limited(wait) => Verdict::Limited { wait },
            Class::Absent => Verdict::ModelAbsent,
            Class::Passing(_) | Class::Slow => Verdict::Failing,
        },
    }
}

/// One try: which candidate with which of its keys, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Try {
    pub candidate: usize,
    /// Nothing where the candidate needs no key.
    pub key: Option<usize>,
    pub cause: Cause,
    /// How long to wait before it.
    pub pause: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cause {
    Choice,
    Retry,
    Key,
    Fallback,
    Hedge,
    Escalation,
}

impl Cause {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Choice => "choice",
            Self::Retry => "retry",
            Self::Key => "key",
            Self::Fallback => "fallback",
            Self::Hedge => "hedge",
            Self::Escalation => "escalation",
        }
    }
}

/// How one candidate has fared so far.
#[derive(Clone, Debug)]
struct Stage {
    /// In the order in which to use them; whether each may still be used.
    keys: Vec<bool>,
    keyless: bool,
    /// Failures that may pass.
    failures: u32,
    /// Nothing more is to be had here, or it may not be asked at all.
    over: bool,
}

/// All candidates of one call.
#[derive(Clone, Debug)]
pub(crate) struct Course {
    stages: Vec<Stage>,
    limits: Resilience,
    begun: u32,
    pauses: u32,
}

/// The first pause is at most this long.
const PAUSE: Duration = Duration::from_millis(250);
/// Failures that may pass after which a candidate gives way to another.
const PATIENCE: u32 = 2;

impl Course {
    /// `keys`: how many each candidate has.
    pub fn new(keys: impl IntoIterator<Item = usize>, limits: Resilience) -> Self {
        let stage = |keys: usize| Stage {
            keys: vec![true; keys],
            keyless: keys == 0,
            failures: 0,
            over: false,
        };
        let stages = keys.into_iter().map(stage).collect();
        Self { stages, limits, begun: 0, pauses: 0 }
    }

    /// The first try, of the first candidate and key that `admits` lets through; where it lets
    /// none, of the very first, as the last resort.
    pub fn first(&mut self, mut admits: impl FnMut(usize, Option<usize>) -> bool) -> Option<Try> {
        let mut begin = None;
        for (candidate, stage) in self.stages.iter().enumerate().filter(|(_, it)| !it.over) {
            let keys = stage.usable();
            if let Some(key) = keys.into_iter().find(|key| admits(candidate, *key)) {
                begin = Some((candidate, key));
                break;
            }
        }
        let last_resort = || {
            let (candidate, stage) = self.stages.iter().enumerate().find(|(_, it)| !it.over)?;
            Some((candidate, *stage.usable().first()?))
        };
        let resort = begin.is_none();
        let (candidate, key) = begin.or_else(last_resort)?;
        if resort {
            // What is known to be ill is asked once, not again and again.
            self.limits.attempts = 1;
        }
        Some(self.begin(Try { candidate, key, cause: Cause::Choice, pause: Duration::ZERO }))
    }

    /// Another candidate than this one, to be asked beside it.
    pub fn beside(
        &mut self,
        tried: &Try,
        admits: impl FnMut(usize, Option<usize>) -> bool,
    ) -> Option<Try> {
        if self.begun >= self.limits.attempts {
            return None;
        }
        let next = self.elsewhere(tried.candidate, admits)?;
        Some(self.begin(Try { cause: Cause::Hedge, ..next }))
    }

    /// A better candidate, because an answer was not good enough.
    pub fn up(
        &mut self,
        candidate: usize,
        mut admits: impl FnMut(usize, Option<usize>) -> bool,
    ) -> Option<Try> {
        let stage = self.stages.get(candidate).filter(|stage| !stage.over)?;
        if self.begun >= self.limits.attempts {
            return None;
        }
        let key = stage.usable().into_iter().find(|key| admits(candidate, *key))?;
        let cause = Cause::Escalation;
        Some(self.begin(Try { candidate, key, cause, pause: Duration::ZERO }))
    }

    /// The next try after one that failed; nothing where the failure is final or all is used up.
    pub fn after(
        &mut self,
        tried: &Try,
        class: Class,
        mut admits: impl FnMut(usize, Option<usize>) -> bool,
    ) -> Option<Try> {
        if class == Class::Final || self.begun >= self.limits.attempts {
            return None;
        }
        let next = self.turn(tried, class, &mut admits)?;
        Some(self.begin(next))
    }

    /// A candidate cannot be afforded any more: the next one that can.
    pub fn without(
        &mut self,
        tried: &Try,
        admits: impl FnMut(usize, Option<usize>) -> bool,
    ) -> Option<Try> {
        self.begun = self.begun.saturating_sub(1);
        if let Some(stage) = self.stages.get_mut(tried.candidate) {
            stage.over = true;
        }
        let next = self.elsewhere(tried.candidate, admits)?;
        Some(self.begin(next))
    }

    fn turn(
        &mut self,
        tried: &Try,
        class: Class,
        admits: &mut impl FnMut(usize, Option<usize>) -> bool,
    ) -> Option<Try> {
        let told = match class {
            Class::Limited(wait) | Class::Passing(wait) => wait,
            Class::Final | Class::Key | Class::Absent | Class::Slow => None,
        };
        let stage = self.stages.get_mut(tried.candidate)?;
        match class {
            Class::Final => return None,
            Class::Key | Class::Limited(_) => {
                if let (Class::Key, Some(used)) = (class, tried.key) {
                    stage.give_up(used);
                }
                let others = stage.usable().into_iter().filter(|key| *key != tried.key);
                if let Some(key) = others.into_iter().find(|key| admits(tried.candidate, *key)) {
                    if let Some(used) = tried.key {
                        stage.give_up(used);
                    }
                    let candidate = tried.candidate;
                    return Some(Try { candidate, key, cause: Cause::Key, pause: Duration::ZERO });
                }
                stage.over |= class == Class::Key;
            }
            Class::Absent => stage.over = true,
            Class::Passing(_) => {
                stage.failures += 1;
                if stage.failures < PATIENCE
                    && let Some(again) = self.again(tried, told)
                {
                    return Some(again);
                }
            }
            Class::Slow => stage.failures = PATIENCE,
        }
        if let Some(next) = self.elsewhere(tried.candidate, admits) {
            return Some(next);
        }
        let over = self.stages.get(tried.candidate).is_none_or(|stage| stage.over);
        if over { None } else { self.again(tried, told) }
    }

    /// The same candidate once more, with another key where there is one.
    fn again(&mut self, tried: &Try, told: Option<Duration>) -> Option<Try> {
        let pause = self.pause(told)?;
        let stage = self.stages.get(tried.candidate)?;
        let keys = stage.usable();
        let at = keys.iter().position(|key| *key == tried.key).map_or(0, |at| at + 1);
        let key = *keys.get(at).or(keys.first())?;
        Some(Try { candidate: tried.candidate, key, cause: Cause::Retry, pause })
    }

    fn elsewhere(
        &self,
        than: usize,
        mut admits: impl FnMut(usize, Option<usize>) -> bool,
    ) -> Option<Try> {
        let later = self.stages.iter().enumerate().skip(than + 1);
        for (candidate, stage) in later.filter(|(_, stage)| !stage.over && stage.failures == 0) {
            let keys = stage.usable();
            if let Some(key) = keys.into_iter().find(|key| admits(candidate, *key)) {
                return Some(Try { candidate, key, cause: Cause::Fallback, pause: Duration::ZERO });
            }
        }
        None
    }

    /// Full jitter: a crowd that failed together does not come back together.
    fn pause(&mut self, told: Option<Duration>) -> Option<Duration> {
        if let Some(told) = told {
            return (told <= self.limits.longest_pause).then_some(told);
        }
        let most = PAUSE.saturating_mul(1 << self.pauses.min(8)).min(self.limits.longest_pause);
        self.pauses += 1;
        Some(most.mul_f64(rand::random::<f64>()))
    }

    fn begin(&mut self, next: Try) -> Try {
        self.begun += 1;
        next
    }
}

impl Stage {
    fn usable(&self) -> Vec<Option<usize>> {
        if self.keyless {
            return vec![None];
        }
        let keys = self.keys.iter().enumerate().filter(|(_, usable)| **usable);
        keys.map(|(index, _)| Some(index)).collect()
    }

    fn give_up(&mut self, key: usize) {
        if let Some(usable) = self.keys.get_mut(key) {
            *usable = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn any(_: usize, _: Option<usize>) -> bool {
        true
    }

    fn course(keys: &[usize]) -> Course {
        Course::new(keys.iter().copied(), Resilience::default())
    }

    /// The candidates and keys that are tried when every try fails in the same way.
    fn tries(keys: &[usize], class: Class) -> Vec<(usize, Option<usize>, Cause)> {
        let mut course = course(keys);
        let mut tries = Vec::new();
        let mut next = course.first(any);
        while let Some(tried) = next {
            tries.push((tried.candidate, tried.key, tried.cause));
            next = course.after(&tried, class, any);
        }
        tries
    }

    #[test]
    fn a_mistake_of_the_caller_is_made_once() {
        assert_eq!(tries(&[1, 1], Class::Final), [(0, Some(0), Cause::Choice)]);
    }

    #[test]
    fn a_refused_key_gives_way_to_the_next_and_then_to_another_candidate() {
        assert_eq!(
            tries(&[2, 1], Class::Key),
            [(0, Some(0), Cause::Choice), (0, Some(1), Cause::Key), (1, Some(0), Cause::Fallback),]
        );
        assert_eq!(tries(&[1], Class::Key).len(), 1, "the same key would be refused again");
    }

    #[test]
    fn a_failure_that_may_pass_is_tried_again_and_then_elsewhere() {
        assert_eq!(
            tries(&[0, 0], Class::Passing(None)),
            [
                (0, None, Cause::Choice),
                (0, None, Cause::Retry),
                (1, None, Cause::Fallback),
                (1, None, Cause::Retry),
            ]
        );
        assert_eq!(tries(&[0], Class::Passing(None)).len(), 4, "as often as the limit says");
    }

    #[test]
    fn who_is_slow_is_not_asked_again_while_another_is_left() {
        assert_eq!(tries(&[1, 1], Class::Slow)[1], (1, Some(0), Cause::Fallback));
        assert_eq!(tries(&[1], Class::Slow)[1], (0, Some(0), Cause::Retry));
    }

    #[test]
    fn what_a_provider_does_not_know_is_asked_elsewhere_or_not_again() {
        assert_eq!(tries(&[1, 1], Class::Absent).len(), 2);
        assert_eq!(tries(&[1], Class::Absent).len(), 1);
    }

    #[test]
    fn a_limit_is_waited_for_only_when_nothing_else_is_left_and_not_for_long() {
        let second = Duration::from_secs(1);
        let mut course = course(&[1]);
        let first = course.first(any).unwrap();
        let again = course.after(&first, Class::Limited(Some(second)), any).unwrap();
        assert_eq!((again.cause, again.pause), (Cause::Retry, second));
        assert_eq!(course.after(&again, Class::Limited(Some(60 * second)), any), None);
        let other = tries(&[2, 1], Class::Limited(Some(second)));
        assert_eq!(other[1], (0, Some(1), Cause::Key));
        assert_eq!(other[2], (1, Some(0), Cause::Fallback));
    }

    #[test]
    fn a_place_that_is_not_admitted_is_passed_over_and_the_last_resort_is_tried_once() {
        let mut course = course(&[1, 1]);
        let first = course.first(|candidate, _| candidate == 1).unwrap();
        assert_eq!(first.candidate, 1);
        let mut ill = self::course(&[1, 1]);
        let resort = ill.first(|_, _| false).unwrap();
        assert_eq!(resort.candidate, 0);
        assert_eq!(ill.after(&resort, Class::Passing(None), any), None);
    }

    #[test]
    fn pauses_grow_at_random_within_their_limit() {
        let mut course = course(&[0]);
        for _ in 0..20 {
            assert!(course.pause(None).unwrap() <= Duration::from_secs(2));
        }
    }

    #[test]
    fn a_candidate_that_cannot_be_afforded_does_not_count_as_tried() {
        let mut course = course(&[0, 0]);
        let first = course.first(any).unwrap();
        let next = course.without(&first, any).unwrap();
        assert_eq!((next.candidate, next.cause), (1, Cause::Fallback));
        assert_eq!(course.begun, 1);
    }
}
