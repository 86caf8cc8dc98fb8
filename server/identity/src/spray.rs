//! Guesses at many accounts of one domain from many networks: a try or two at each stays below what
//! is counted for any account and any network.
//!
//! The domain of an address says nothing of whether there is such an account, so that known and
//! unknown addresses count alike. A domain's count alone makes nobody wait, or a stranger could lock
//! a whole organisation out: while it stands high, each network has fewer tries at that domain. So
//! whoever comes from a network that did not fail waits for nothing. No login takes from these
//! counts, since somebody with an account of their own there would guess on after each.

use chrono::{DateTime, Utc};
use ralex_kernel::Problem;
use sqlx::PgConnection;
use tracing::warn;

use crate::mint::Mint;
use crate::throttle::{self, FORGET_AFTER, Key, MINUTE};
use crate::{Arrival, Identity};

/// Failures at one domain within half an hour from which on each network has fewer tries there. Four
/// networks have as many free ones anyhow, so that less would bind few guesses. Browsers that are known
/// do not count, so that thousands of people seldom mistype so often, and where they do, it slows only
/// those whose network does.
const FROM: i64 = 200;
/// What a network may fail then, at all addresses of the domain together.
const FREE_TRIES: i32 = 5;
/// Failures are forgotten by so many minutes at a time, so that a domain at which somebody mistypes
/// now and then does not add up over a day.
const PART: i64 = 5;
/// What a domain has at most (RFC 1035); a longer one is counted by its digest.
const LONGEST: usize = 253;

/// The domain of an address that somebody typed, as it is counted.
#[derive(Clone, Debug)]
pub(crate) struct Domain(String);

impl Identity {
    /// The domain that a try counts against; none where the browser is known for the account.
    pub(crate) fn domain_tried(&self, email_key: &str, arrival: &Arrival) -> Option<Domain> {
        self.known_device(email_key, arrival).is_none().then(|| Domain::of(email_key, &self.mint))
    }
}

impl Domain {
    fn of(email_key: &str, mint: &Mint) -> Self {
        let domain = email_key.rsplit_once('@').map_or("", |(_, domain)| domain);
        if domain.len() <= LONGEST {
            return Self(domain.to_owned());
        }
        // No domain that somebody types has a space, so that none is counted as another's digest.
        Self(format!("long {}", mint.vouch(&format!("domain:{domain}"))))
    }

    /// What tries from one network at a domain that is being sprayed count against.
    fn key_for(&self, arrival: &Arrival) -> Key {
        let name = format!("spray:{}:{}", arrival.network(), self.0);
        Key { name, free_tries: FREE_TRIES, longest: MINUTE }
    }

    /// The counts that make up the last half hour, the newest first.
    fn counts(&self, now: DateTime<Utc>) -> impl Iterator<Item = String> {
        let newest = now.timestamp().div_euclid(PART * 60);
        (0..FORGET_AFTER / PART).map(move |back| format!("domain:{}:{}", newest - back, self.0))
    }

    async fn failures(&self, conn: &mut PgConnection, now: DateTime<Utc>) -> Result<i64, Problem> {
        let names: Vec<_> = self.counts(now).collect();
        sqlx::query_scalar!(
            r#"select coalesce(sum(failures), 0) as "sum!" from throttle where key = any($1)"#,
            &names,
        )
        .fetch_one(conn)
        .await
        .map_err(ralex_store::problem)
    }
}

/// Refuses a network that failed too often at a domain while that is being sprayed.
pub(crate) async fn check(
    conn: &mut PgConnection,
    domain: &Domain,
    arrival: &Arrival,
    now: DateTime<Utc>,
) -> Result<(), Problem> {
    if domain.failures(conn, now).await? < FROM {
        return Ok(());
    }
    let checked = throttle::check(conn, &[domain.key_for(arrival)], now).await;
    if checked.is_err() {
        count_in_metrics("refused");
    }
    checked
}

/// Counts a failure at a domain. Nothing else is counted after it in the same transaction: many wait
/// for the same row, and all come to it last.
pub(crate) async fn fail(
    conn: &mut PgConnection,
    domain: &Domain,
    arrival: &Arrival,
    now: DateTime<Utc>,
) -> Result<(), Problem> {
    let newest = domain.counts(now).take(1);
    // A count that nobody waits for.
    let keys: Vec<_> = newest.map(|name| Key { name, free_tries: i32::MAX, longest: 0 }).collect();
    throttle::fail(conn, &keys, now).await?;
    let failures = domain.failures(conn, now).await?;
    if failures == FROM {
        warn!(
            "{FROM} logins at addresses of one domain failed within half an hour; each network has \
             fewer tries at it while that lasts"
        );
    }
    // The one that makes it so was not bound by it yet.
    if failures > FROM {
        count_in_metrics("failed");
        throttle::fail(conn, &[domain.key_for(arrival)], now).await?;
    }
    Ok(())
}

/// Which domain it is stays out of the metrics: anybody can type any.
fn count_in_metrics(outcome: &'static str) {
    metrics::counter!("ralex_sprayed_logins_total", "outcome" => outcome).increment(1);
}

#[cfg(test)]
mod tests {
    use zeroize::Zeroizing;

    use super::*;

    fn domain(email_key: &str) -> String {
        Domain::of(email_key, &Mint::new(Zeroizing::new([7; 32]))).0
    }

    #[test]
    fn a_domain_is_what_follows_the_last_at() {
        assert_eq!(domain("ann@example.com"), "example.com");
        assert_eq!(domain("\"a@b\"@example.com"), "example.com");
        assert_eq!((domain("ann@"), domain("ann")), (String::new(), String::new()));
    }

    #[test]
    fn a_domain_of_any_length_has_a_short_key_of_its_own() {
        let long = |last: &str| domain(&format!("ann@{}{last}", "a".repeat(LONGEST)));
        assert!(long("a").len() < 100 && long("a").contains(' '), "{}", long("a"));
        assert_ne!(long("a"), long("b"));
        assert_eq!(domain(&format!("ann@{}", "a".repeat(LONGEST))).len(), LONGEST);
    }

    #[test]
    fn a_failure_counts_for_half_an_hour_at_most() {
        let domain = Domain("example.com".to_owned());
        let counts = |minutes: i64| -> Vec<_> {
            domain.counts(DateTime::from_timestamp(minutes * 60, 0).unwrap()).collect()
        };
        let at_first = counts(1_000).remove(0);
        assert!(counts(1_000).contains(&at_first) && counts(1_029).contains(&at_first));
        assert!(!counts(1_030).contains(&at_first));
        assert_eq!(counts(1_000).len(), 6);
    }
}
