//! What circuits do, second by second.

use super::*;

fn place() -> Place {
    Place {
        org: OrgId::generate(),
        provider: ProviderId::generate(),
        model: ModelId::generate(),
        key: Some(SecretId::generate()),
    }
}

fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

fn fail(breakers: &Breakers, place: &Place, times: u32, now: Instant) {
    for _ in 0..times {
        breakers.report_at(place, Verdict::Failing, now);
    }
}

#[test]
fn a_circuit_opens_lets_one_probe_through_and_closes_when_probes_succeed() {
    let (breakers, place, start) = (Breakers::default(), place(), Instant::now());
    fail(&breakers, &place, 4, start);
    assert_eq!(breakers.admit_at(&place, start), Admission::Open, "four are too few");
    fail(&breakers, &place, 1, start);
    let refused = breakers.admit_at(&place, start + seconds(1));
    assert!(matches!(refused, Admission::Refused { wait } if wait <= seconds(10)));
    let later = start + seconds(11);
    assert_eq!(breakers.admit_at(&place, later), Admission::Probe);
    let second = breakers.admit_at(&place, later);
    assert!(matches!(second, Admission::Refused { .. }), "one probe at a time");
    breakers.report_at(&place, Verdict::Success, later);
    assert_eq!(breakers.admit_at(&place, later), Admission::Probe, "one success is luck");
    breakers.report_at(&place, Verdict::Success, later);
    assert_eq!(breakers.admit_at(&place, later), Admission::Open);
    assert!(breakers.standing(place.org).is_empty());
}

#[test]
fn a_probe_that_fails_opens_the_circuit_for_longer() {
    let (breakers, place, start) = (Breakers::default(), place(), Instant::now());
    fail(&breakers, &place, 5, start);
    let later = start + seconds(11);
    assert_eq!(breakers.admit_at(&place, later), Admission::Probe);
    fail(&breakers, &place, 1, later);
    let refused = breakers.admit_at(&place, later + seconds(12));
    assert!(matches!(refused, Admission::Refused { wait } if wait <= seconds(8)), "{refused:?}");
}

#[test]
fn a_probe_that_is_never_reported_holds_nobody_up_for_long() {
    let (breakers, place, start) = (Breakers::default(), place(), Instant::now());
    fail(&breakers, &place, 5, start);
    assert_eq!(breakers.admit_at(&place, start + seconds(11)), Admission::Probe);
    assert_eq!(breakers.admit_at(&place, start + seconds(45)), Admission::Probe);
}

#[test]
fn successes_and_old_failures_keep_a_circuit_closed() {
    let (breakers, place, start) = (Breakers::default(), place(), Instant::now());
    for _ in 0..20 {
        breakers.report_at(&place, Verdict::Success, start);
    }
    fail(&breakers, &place, 10, start);
    assert_eq!(breakers.admit_at(&place, start), Admission::Open, "a third is too few");
    let (other, late) = (Place { model: ModelId::generate(), ..place }, start + seconds(60));
    fail(&breakers, &other, 4, start);
    fail(&breakers, &other, 4, late);
    assert_eq!(breakers.admit_at(&other, late), Admission::Open, "never five in a window");
}

#[test]
fn a_limited_key_is_left_alone_as_long_as_the_provider_says_and_others_go_on() {
    let (breakers, place, start) = (Breakers::default(), place(), Instant::now());
    breakers.report_at(&place, Verdict::Limited { wait: Some(seconds(7)) }, start);
    let other = Place { key: Some(SecretId::generate()), ..place };
    assert_eq!(breakers.admit_at(&other, start), Admission::Open);
    let refused = breakers.admit_at(&place, start + seconds(6));
    assert!(matches!(refused, Admission::Refused { .. }));
    assert_eq!(breakers.admit_at(&place, start + seconds(8)), Admission::Probe);
    breakers.report_at(&place, Verdict::Success, start + seconds(8));
    assert_eq!(breakers.admit_at(&place, start + seconds(8)), Admission::Open);
}

#[test]
fn a_refused_key_opens_at_once_and_blames_nobody_else() {
    let (breakers, place) = (Breakers::default(), place());
    breakers.report(&place, Verdict::KeyRefused);
    let standing = breakers.standing(place.org);
    assert_eq!(standing.len(), 1);
    assert_eq!(standing[0].part, Part::Key(place.key.unwrap()));
    assert_eq!(breakers.state(&place), State::Open);
    assert_eq!(breakers.state(&Place { key: None, ..place }), State::Closed);
}

#[test]
fn the_callers_own_mistakes_open_nothing() {
    let (breakers, place) = (Breakers::default(), place());
    for _ in 0..100 {
        breakers.report(&place, Verdict::Neutral);
    }
    assert_eq!(breakers.admit(&place), Admission::Open);
}

#[test]
fn one_organisations_failures_are_not_anothers() {
    let (breakers, place) = (Breakers::default(), place());
    fail(&breakers, &place, 9, Instant::now());
    let other = Place { org: OrgId::generate(), ..place };
    assert_eq!(breakers.admit(&other), Admission::Open);
    assert!(breakers.standing(other.org).is_empty());
}
