//! What the torture came to.

use std::fmt;

use serde::Serialize;

use super::books::Faults;

#[derive(Debug, Default, Serialize)]
pub struct Report {
    pub cycles: u32,
    pub of_ralex_alone: u32,
    pub of_ralex_and_postgres: u32,
    pub of_postgres_first: u32,
    pub of_a_backend_first: u32,
    pub minutes: f64,
    /// Requests that clients began, with or without an answer.
    pub sent: usize,
    pub answered_whole: usize,
    pub answered_in_part: usize,
    pub refused: usize,
    pub turned_away: usize,
    pub hung_up: usize,
    pub stuck: usize,
    pub upstream_requests: usize,
    pub calls_recorded: usize,
    pub calls_lost: usize,
    pub audit_events: usize,
    pub budget_observations: u64,
    /// Seconds from the start after a kill to ready, the longest and the mean.
    pub longest_start: f64,
    pub mean_start: f64,
    pub failed_starts: Vec<String>,
    pub audit: String,
    pub budgets: String,
    pub faults: Faults,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{} cycles in {:.1} minutes: kill -9 of Ralex {}, of it and PostgreSQL at once {}, of PostgreSQL first {}, of one of its processes first {}",
            self.cycles,
            self.minutes,
            self.of_ralex_alone,
            self.of_ralex_and_postgres,
            self.of_postgres_first,
            self.of_a_backend_first
        )?;
        writeln!(
            f,
            "Clients sent {}: {} answered in whole, {} in part ({} hung up), {} refused by a budget, {} turned away, {} without an answer, {} stuck",
            self.sent,
            self.answered_whole,
            self.answered_in_part,
            self.hung_up,
            self.refused,
            self.turned_away,
            self.sent
                - self.answered_whole
                - self.answered_in_part
                - self.refused
                - self.turned_away,
            self.stuck
        )?;
        writeln!(
            f,
            "The provider got {} requests; {} calls on record, {} of them lost and counted at their worst case; {} events about calls",
            self.upstream_requests, self.calls_recorded, self.calls_lost, self.audit_events
        )?;
        writeln!(
            f,
            "Ready after a kill: {:.2} s on average, {:.2} s at most; {} starts failed",
            self.mean_start,
            self.longest_start,
            self.failed_starts.len()
        )?;
        writeln!(f, "budgets verify: {}\naudit verify: {}\n", self.budgets, self.audit)?;
        zero(f, "calls answered without record", &self.faults.answered_without_record)?;
        zero(f, "audit records lost", &self.faults.records_lost)?;
        zero(f, "budgets that drifted from their calls", &self.faults.budget_drift)?;
        writeln!(f, "{:>8}  looks at a budget under load", self.budget_observations)?;
        zero(f, "of them, and at the end, above its limit", &self.faults.overspent)?;
        zero(f, "provider's requests without record", &self.faults.upstream_without_record)?;
        zero(f, "costs told other than recorded", &self.faults.cost_told_differs)
    }
}

fn zero(f: &mut fmt::Formatter<'_>, what: &str, found: &[String]) -> fmt::Result {
    writeln!(f, "{:>8}  {what}", found.len())?;
    found.iter().take(3).try_for_each(|example| writeln!(f, "          {example}"))
}
