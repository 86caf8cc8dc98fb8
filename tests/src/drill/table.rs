//! The report as a table to read.

use std::fmt;

use super::report::Report;

/// How many examples of a fault are shown.
const EXAMPLES: usize = 3;

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (what, value) in self.violence().into_iter().chain(self.calls()).chain(self.amounts()) {
            writeln!(f, "{what:<44}{value}")?;
        }
        writeln!(f)?;
        for (name, found) in self.faults.all() {
            writeln!(f, "{:>8}  {name}", found.len())?;
            found.iter().take(EXAMPLES).try_for_each(|it| writeln!(f, "          {it}"))?;
        }
        let broken = self.broken();
        if broken.is_empty() {
            return writeln!(f, "\nEverything holds.");
        }
        writeln!(f, "\nWith seed {}, this does not hold: {}.", self.seed, broken.join("; "))
    }
}

impl Report {
    fn violence(&self) -> Vec<(&'static str, String)> {
        let done = &self.done;
        let (killed, stopped) = (done.postgres_killed, done.postgres_stopped);
        let (backends, ended) = (done.postgres_backends_killed, done.postgres_connections_ended);
        vec![
            ("seed", self.seed.to_string()),
            ("nodes, callers", format!("{}, {}", self.nodes, self.callers)),
            ("seconds, and to rest", format!("{:.0}, {:.0}", self.seconds, self.seconds_to_rest)),
            ("kills of nodes, amid a call", format!("{}, {}", done.kills, done.kills_amid_a_call)),
            (
                "pauses of nodes, beyond silence",
                format!("{}, {}", done.pauses, done.pauses_beyond_silence),
            ),
            ("PostgreSQL killed, stopped at once", format!("{killed}, {stopped}")),
            ("  a backend killed, all connections ended", format!("{backends}, {ended}")),
            (
                "  slowest recovery, none within 30 s",
                format!("{:.1} s, {}", done.slowest_recovery, done.no_recovery),
            ),
            (
                "starts of nodes, tries that failed",
                format!("{}, {}", self.starts, self.failed_starts),
            ),
            ("  mean, longest", format!("{:.2} s, {:.2} s", self.mean_start, self.longest_start)),
        ]
    }

    fn calls(&self) -> Vec<(&'static str, String)> {
        let without = format!("{}, {}, {}", self.hung_up, self.gave_up, self.no_answer);
        let sums = &self.sums;
        vec![
            ("calls that callers sent", self.sent.to_string()),
            (
                "  answered in whole, in part",
                format!("{}, {}", self.answered_whole, self.answered_in_part),
            ),
            ("  hung up, gave up, without any answer", without),
            ("  other answers by status", format!("{:?}", self.statuses)),
            ("requests that the provider got", self.upstream_requests.to_string()),
            ("calls on record", format!("{}: {:?}", self.calls, self.calls_by_state)),
            ("  given up for lost, and corrected", sums.corrected.to_string()),
            ("events about calls", self.events.to_string()),
            (
                "refused rightly, for what the dead had",
                format!("{}, {}", sums.refused_rightly, sums.refused_for_the_dead),
            ),
            ("  it is not known whether rightly", sums.refusals_unexplained.to_string()),
            (
                "  falsely",
                format!(
                    "{}, {:.4} % of calls",
                    self.faults.false_blocks.len(),
                    self.false_block_percent
                ),
            ),
        ]
    }

    fn amounts(&self) -> Vec<(&'static str, String)> {
        let sums = &self.sums;
        let unrecorded = format!("{}, ${}", sums.upstream_unrecorded, sums.unrecorded_billed);
        vec![
            (
                "looks at all budgets, budgets seen",
                format!("{}, {}", self.looks, self.observations),
            ),
            ("  of them without room for one call", self.observed_exhausted.to_string()),
            ("  most held, most leased", format!("${}, ${}", self.most_held, self.most_leased)),
            ("  overspend at the most", format!("${}", self.overspend)),
            (
                "spent, beyond the limit by over-report",
                format!("${}, ${}", sums.spent, sums.overrun),
            ),
            ("  in the hands of killed nodes", format!("${}", sums.adjusted)),
            ("  lost calls, at their worst case", format!("${}", sums.lost_at_worst_case)),
            (
                "billed by the provider, without over-report",
                format!("${}, ${}", sums.upstream_billed, sums.upstream_fair),
            ),
            (
                "  sent after a caller hung up, uncounted",
                format!("{} calls, ${}", sums.canceled_below, sums.canceled_below_by),
            ),
            ("  without a record, covered by leases", unrecorded),
            ("  over-reported when nobody listened", format!("${}", sums.over_reported_unheard)),
            ("budgets verify", self.budgets_verify.clone()),
            ("audit verify", self.audit_verify.clone()),
        ]
    }
}
