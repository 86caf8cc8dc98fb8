//! Tables: usage and calls as CSV (RFC 4180), with nothing that a spreadsheet would run.

use chrono::{DateTime, SecondsFormat, Utc};
use ralex_api::usage::{ExportedCall, Usage as Report, UsageRow};
use ralex_kernel::sheet::harmless;
use ralex_kernel::{Code, Money, Problem};

const CALL_COLUMNS: [&str; 33] = [
    "id",
    "started_at",
    "settled_at",
    "state",
    "model",
    "provider",
    "upstream_model",
    "asked_model",
    "route",
    "team",
    "project",
    "user",
    "service_account",
    "token",
    "tags",
    "run",
    "task_type",
    "purpose",
    "dialect",
    "streamed",
    "attempts",
    "cached",
    "input_tokens",
    "output_tokens",
    "cache_read_tokens",
    "cache_write_tokens",
    "reasoning_tokens",
    "estimated",
    "cost",
    "saved",
    "first_byte_ms",
    "duration_ms",
    "problem",
];

const USAGE_COLUMNS: [&str; 13] = [
    "key",
    "name",
    "calls",
    "failed",
    "refused",
    "input_tokens",
    "output_tokens",
    "cache_read_tokens",
    "cache_write_tokens",
    "reasoning_tokens",
    "cost",
    "saved",
    "duration_ms",
];

/// The rows of a report; a series is one column for each part, under when it begins.
pub(crate) fn usage(report: &Report) -> Result<Vec<u8>, Problem> {
    let parts = report.series.iter().map(|part| time(*part));
    let head = USAGE_COLUMNS.iter().map(|&column| column.to_owned()).chain(parts).collect();
    write(std::iter::once(head).chain(report.rows.iter().map(usage_row)))
}

fn usage_row(row: &UsageRow) -> Vec<String> {
    let sums = &row.sums;
    let counts = [
        sums.calls,
        sums.failed,
        sums.refused,
        sums.input_tokens,
        sums.output_tokens,
        sums.cache_read_tokens,
        sums.cache_write_tokens,
        sums.reasoning_tokens,
    ];
    [row.key.clone(), row.name.clone()]
        .into_iter()
        .chain(counts.iter().map(ToString::to_string))
        .chain([sums.cost.to_string(), sums.saved.to_string(), sums.duration_ms.to_string()])
        .chain(row.series.iter().map(Money::to_string))
        .collect()
}

pub(crate) fn call_head() -> Result<Vec<u8>, Problem> {
    write([CALL_COLUMNS.map(str::to_owned).to_vec()])
}

pub(crate) fn calls(calls: Vec<ExportedCall>) -> Result<Vec<u8>, Problem> {
    write(calls.into_iter().map(call_row))
}

fn call_row(call: ExportedCall) -> Vec<String> {
    let number = |number: Option<i32>| number.map(|number| number.to_string()).unwrap_or_default();
    vec![
        call.id.to_string(),
        time(call.started_at),
        call.settled_at.map(time).unwrap_or_default(),
        call.state,
        call.model,
        call.provider,
        call.upstream_model,
        call.asked_model.unwrap_or_default(),
        call.route.unwrap_or_default(),
        call.team.unwrap_or_default(),
        call.project.unwrap_or_default(),
        call.user.unwrap_or_default(),
        call.service_account.unwrap_or_default(),
        call.token.unwrap_or_default(),
        call.tags.join(" "),
        call.run.unwrap_or_default(),
        call.task_type.unwrap_or_default(),
        call.purpose.unwrap_or_default(),
        call.dialect,
        call.streamed.to_string(),
        call.attempts.to_string(),
        call.cached.unwrap_or_default(),
        call.input_tokens.to_string(),
        call.output_tokens.to_string(),
        call.cache_read_tokens.to_string(),
        call.cache_write_tokens.to_string(),
        call.reasoning_tokens.to_string(),
        call.estimated.to_string(),
        call.cost.to_string(),
        call.saved.to_string(),
        number(call.first_byte_ms),
        number(call.duration_ms),
        call.problem.unwrap_or_default(),
    ]
}

fn time(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::AutoSi, true)
}

fn write(records: impl IntoIterator<Item = Vec<String>>) -> Result<Vec<u8>, Problem> {
    let mut writer =
        csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new());
    for record in records {
        writer
            .write_record(record.into_iter().map(harmless))
            .map_err(|error| unwritable(&error))?;
    }
    writer.into_inner().map_err(|error| unwritable(error.error()))
}

pub(crate) fn unwritable(error: &dyn std::error::Error) -> Problem {
    Problem::new(Code::Internal, format!("The export could not be written: {error}"))
}

#[cfg(test)]
mod tests {
    use ralex_api::usage::UsageSums;

    use super::*;

    #[test]
    fn a_report_is_a_table_that_no_spreadsheet_runs() {
        let at: DateTime<Utc> = "2026-03-01T00:00:00Z".parse().unwrap();
        let sums =
            UsageSums { calls: 2, cost: Money::nanos(1_500_000_000), ..UsageSums::default() };
        let row = UsageRow {
            key: "=cmd".to_owned(),
            name: "a, \"b\"".to_owned(),
            sums,
            series: vec![Money::dollars(1)],
        };
        let report = Report {
            from: at,
            to: at,
            rows: vec![row],
            rest: None,
            total: UsageSums::default(),
            series: vec![at],
        };
        let text = String::from_utf8(usage(&report).unwrap()).unwrap();
        let mut lines = text.split("\r\n");
        assert!(lines.next().unwrap().ends_with(",duration_ms,2026-03-01T00:00:00Z"), "{text}");
        assert_eq!(lines.next().unwrap(), "'=cmd,\"a, \"\"b\"\"\",2,0,0,0,0,0,0,0,1.5,0,0,1");
    }
}
