//! What a node has in hand of a limit, answer by answer.

use ralex_api::rate_limits::Measure;
use ralex_kernel::{OrgId, RateLimitId};

use super::*;

const SLOT: Duration = Duration::from_mins(10);

fn limit(amount: u64) -> Arc<Limit> {
    Arc::new(Limit {
        org: OrgId::generate(),
        id: RateLimitId::generate(),
        scope: "org".to_owned(),
        only: None,
        measure: Measure::Requests,
        amount,
        window: SLOT * 60,
    })
}

fn demand(limit: &Arc<Limit>, units: u64) -> Vec<Demand> {
    vec![Demand { limit: Arc::clone(limit), units }]
}

fn answer(limit: &Limit, slot: i64, given: u64, room: u64) -> Answer {
    Answer {
        org: limit.org,
        limit: limit.id,
        amount: limit.amount,
        slot,
        length: SLOT,
        slots: 60,
        left: SLOT,
        given,
        room,
        free: (given == 0).then_some(SLOT),
        asked_back: false,
    }
}

/// Asks for so much, and has it answered.
fn given(windows: &mut Windows, limit: &Limit, asks: u64, with: Answer) -> Asking {
    let wants = [(limit.key(), (asks, asks))].into();
    let asking = windows.asking(&wants, false);
    windows.answered(&asking, &[with], Instant::now());
    asking.into_iter().next().unwrap().1
}

fn is_taken(room: &Room) -> bool {
    matches!(room, Room::Taken(_))
}

#[test]
fn no_more_is_given_to_calls_than_was_taken() {
    let (mut windows, limit) = (Windows::default(), limit(10));
    assert!(matches!(windows.take(&demand(&limit, 2)), Room::Short));
    given(&mut windows, &limit, 2, answer(&limit, 7, 3, 7));
    assert!(is_taken(&windows.take(&demand(&limit, 2))));
    assert!(matches!(windows.take(&demand(&limit, 2)), Room::Short));
    assert!(is_taken(&windows.take(&demand(&limit, 1))));
    assert_eq!(windows.standing(&limit).0, 7);
}

#[test]
fn several_limits_are_taken_together_or_not_at_all() {
    let (mut windows, one, other) = (Windows::default(), limit(10), limit(10));
    given(&mut windows, &one, 5, answer(&one, 7, 5, 5));
    given(&mut windows, &other, 1, answer(&other, 7, 1, 9));
    let both = [demand(&one, 2), demand(&other, 2)].concat();
    assert!(matches!(windows.take(&both), Room::Short), "the other has one only");
    assert!(is_taken(&windows.take(&demand(&one, 5))));
}

#[test]
fn what_a_call_did_not_need_is_there_for_the_next_one_and_goes_back_when_the_slot_is_over() {
    let (mut windows, limit) = (Windows::default(), limit(100));
    given(&mut windows, &limit, 60, answer(&limit, 7, 60, 40));
    assert!(is_taken(&windows.take(&demand(&limit, 60))));
    windows.correct(limit.key(), 7, (60, 10));
    assert!(is_taken(&windows.take(&demand(&limit, 50))));
    // In the next slot the second one ends as well.
    given(&mut windows, &limit, 1, answer(&limit, 8, 1, 39));
    assert!(is_taken(&windows.take(&demand(&limit, 1))));
    windows.correct(limit.key(), 7, (50, 5));
    let asked = given(&mut windows, &limit, 1, answer(&limit, 8, 1, 83));
    assert_eq!(asked.used, [(7, 15)]);
    assert!(is_taken(&windows.take(&demand(&limit, 1))));
    let asked = given(&mut windows, &limit, 1, answer(&limit, 8, 1, 82));
    assert_eq!(asked.used, [], "it was told once");
}

#[test]
fn what_was_used_beyond_what_was_taken_is_told_too() {
    let (mut windows, limit) = (Windows::default(), limit(100));
    given(&mut windows, &limit, 10, answer(&limit, 7, 10, 90));
    assert!(is_taken(&windows.take(&demand(&limit, 10))));
    windows.correct(limit.key(), 7, (10, 25));
    assert!(matches!(windows.take(&demand(&limit, 1)), Room::Short));
    let asked = given(&mut windows, &limit, 1, answer(&limit, 7, 1, 74));
    assert_eq!(asked.used, [(7, 25)]);
}

#[test]
fn what_was_not_told_for_sure_is_told_again() {
    let (mut windows, limit) = (Windows::default(), limit(100));
    given(&mut windows, &limit, 10, answer(&limit, 7, 10, 90));
    assert!(is_taken(&windows.take(&demand(&limit, 4))));
    let asked = given(&mut windows, &limit, 1, answer(&limit, 8, 1, 95));
    assert_eq!(asked.used, [(7, 4)], "before more is taken");
    assert!(is_taken(&windows.take(&demand(&limit, 1))));
    let wants = [(limit.key(), (1, 1))].into();
    windows.correct(limit.key(), 7, (4, 1));
    let asking = windows.asking(&wants, false);
    assert_eq!(asking[0].1.used, [(7, 1)]);
    windows.unanswered(&asking);
    assert_eq!(windows.asking(&wants, false)[0].1.used, [(7, 1), (8, 1)]);
}

#[test]
fn a_refusal_is_believed_for_what_is_not_smaller_until_something_comes_back() {
    let (mut windows, limit) = (Windows::default(), limit(100));
    given(&mut windows, &limit, 90, answer(&limit, 7, 90, 10));
    assert!(is_taken(&windows.take(&demand(&limit, 90))));
    given(&mut windows, &limit, 20, answer(&limit, 7, 0, 10));
    let refused = windows.take(&demand(&limit, 20));
    assert!(matches!(refused, Room::Refused(Shortage::NoRoom { needed: 20, .. })), "{refused:?}");
    assert!(matches!(windows.take(&demand(&limit, 10)), Room::Short), "that may still fit");
    windows.correct(limit.key(), 7, (90, 80));
    assert!(is_taken(&windows.take(&demand(&limit, 10))));
    assert!(matches!(windows.take(&demand(&limit, 20)), Room::Short));
    let refused = windows.take(&demand(&limit, 101));
    assert!(matches!(refused, Room::Refused(Shortage::TooLarge { .. })), "{refused:?}");
}

#[test]
fn a_limit_that_was_deleted_refuses_nobody() {
    let (mut windows, limit) = (Windows::default(), limit(1));
    let wants = [(limit.key(), (1, 1))].into();
    let asking = windows.asking(&wants, false);
    windows.answered(&asking, &[], Instant::now());
    assert!(is_taken(&windows.take(&demand(&limit, 1_000))));
}
