//! Exports as providers write them, and what is wrong with others.

use super::*;

const OPENAI: &str = r#"{"object":"page","data":[
  {"object":"bucket","start_time":1730419200,"end_time":1730505600,"results":[
    {"object":"organization.costs.result","amount":{"value":0.06,"currency":"usd"},"line_item":"gpt-4o-2024-08-06, input","project_id":null},
    {"object":"organization.costs.result","amount":{"value":"0.04","currency":"usd"},"line_item":"gpt-4o-2024-08-06, output","project_id":null},
    {"object":"organization.costs.result","amount":{"value":1.5e-05,"currency":"usd"},"line_item":null,"project_id":null}]}],
  "has_more":true,"next_page":"p2"}
{"object":"page","data":[
  {"object":"bucket","start_time":1730505600,"end_time":1730592000,"results":[]}],
  "has_more":false,"next_page":null}"#;

const ANTHROPIC: &str = r#"{"data":[{"starting_at":"2025-08-01T00:00:00Z","ending_at":"2025-08-02T00:00:00Z","results":[
  {"currency":"USD","amount":"123.78912","workspace_id":null,"description":"Claude Sonnet 4 Usage - Input Tokens","cost_type":"tokens","context_window":"0-200k","model":"claude-sonnet-4-20250514","service_tier":"standard","token_type":"uncached_input_tokens"},
  {"currency":"USD","amount":"10","workspace_id":null,"description":"Web Search Usage","cost_type":"web_search","context_window":null,"model":null,"service_tier":null,"token_type":null}]}],
  "has_more":false,"next_page":null}"#;

fn day(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

fn nanos(export: &Export, day_of: &str, model: Option<&str>) -> i64 {
    export.rows[&(day(day_of), model.map(str::to_owned))].cost.as_nanos()
}

fn wrong(format: ExportFormat, text: &str) -> String {
    let problem = Export::read(format, text).unwrap_err();
    problem.errors.first().map_or_else(|| problem.detail.clone(), |error| error.message.clone())
}

#[test]
fn openai_s_costs_are_summed_by_day_and_model_over_all_pages() {
    let export = Export::read(ExportFormat::Openai, OPENAI).unwrap();
    assert!(export.billed);
    assert_eq!(nanos(&export, "2024-11-01", Some("gpt-4o-2024-08-06")), 100_000_000);
    assert_eq!(nanos(&export, "2024-11-01", None), 15_000);
    assert_eq!(export.days, [day("2024-11-01"), day("2024-11-02")].into());
}

#[test]
fn openai_s_usage_tells_of_tokens_and_not_of_money() {
    let text = r#"{"object":"page","data":[{"object":"bucket","start_time":1730419200,"end_time":1730505600,"results":[
        {"object":"organization.usage.completions.result","input_tokens":1000,"output_tokens":500,"input_cached_tokens":800,"num_model_requests":5,"model":"gpt-4o"}]}],"has_more":false}"#;
    let export = Export::read(ExportFormat::Openai, text).unwrap();
    let row = export.rows[&(day("2024-11-01"), Some("gpt-4o".to_owned()))];
    assert_eq!((export.billed, row.input_tokens, row.output_tokens), (false, 1000, 500));
}

#[test]
fn anthropic_s_costs_are_cents_and_its_usage_counts_what_was_cached() {
    let export = Export::read(ExportFormat::Anthropic, ANTHROPIC).unwrap();
    assert_eq!(nanos(&export, "2025-08-01", Some("claude-sonnet-4-20250514")), 1_237_891_200);
    assert_eq!(nanos(&export, "2025-08-01", Some("Web Search Usage")), 100_000_000);
    let usage = r#"{"data":[{"starting_at":"2025-08-01T00:00:00Z","ending_at":"2025-08-02T00:00:00Z","results":[
        {"uncached_input_tokens":1500,"cache_creation":{"ephemeral_1h_input_tokens":1000,"ephemeral_5m_input_tokens":500},"cache_read_input_tokens":200,"output_tokens":500,"server_tool_use":{"web_search_requests":10},"model":"claude-opus-4"}]}],"has_more":false,"next_page":null}"#;
    let export = Export::read(ExportFormat::Anthropic, usage).unwrap();
    let row = export.rows[&(day("2025-08-01"), Some("claude-opus-4".to_owned()))];
    assert_eq!((export.billed, row.input_tokens, row.output_tokens), (false, 3200, 500));
}

#[test]
fn a_table_is_read_by_its_heads() {
    let text = "\u{feff}Date, Model ,COST,region,input_tokens\r\n2026-03-01,a,$1.25,eu,7\r\n2026-03-01,a,0.75,us,\r\n2026-03-02,,1e-3,,\r\n";
    let export = Export::read(ExportFormat::Csv, text).unwrap();
    let row = export.rows[&(day("2026-03-01"), Some("a".to_owned()))];
    assert_eq!((row.cost, row.input_tokens), (Money::dollars(2), 7));
    assert_eq!(nanos(&export, "2026-03-02", None), 1_000_000);
}

#[test]
fn what_is_wrong_is_told_with_its_line() {
    use ExportFormat::{Anthropic, Csv, Openai};
    for (format, text, said) in [
        (Csv, "day,cost\n2026-03-01,1", "line 1: there is no column `date`"),
        (Csv, "date,price\n2026-03-01,1", "line 1: there is no column `cost`"),
        (Csv, "date,cost\n2026-03-01,1\n1 March,2", "line 3: `date`"),
        (Csv, "date,cost\n2026-03-01,\n", "line 2: `cost`"),
        (Csv, "date,cost,currency\n2026-03-01,1,EUR", "line 2: `currency`"),
        (Csv, "date,cost\n2026-03-01,1,2", "line: 2"),
        (Csv, "date,cost\n", "tells of no day"),
        (Csv, "date,cost\n2024-03-01,1\n2026-03-01,1", "spans more than 400 days"),
        (Openai, "[]", "line 1"),
        (Openai, &OPENAI.replacen("usd", "eur", 1), "line 3"),
        (Openai, &OPENAI.replacen("0.06", "\"x\"", 1), "is no amount of dollars at line 3"),
        (Openai, &OPENAI.replacen("1730505600", "1733011200", 1), "not within one day"),
        (Openai, OPENAI.split("\n{").next().unwrap(), "is not whole"),
        (Anthropic, &ANTHROPIC.replacen("USD", "EUR", 1), "line 2"),
        (Anthropic, &ANTHROPIC.replacen("\"123", "\"x", 1), "is no amount of cents at line 2"),
        (Anthropic, OPENAI, "line 3"),
    ] {
        let message = wrong(format, text);
        assert!(message.contains(said), "{text}\n{message}");
    }
    let large = format!("date,cost\n{}", " ".repeat(MOST_BYTES));
    assert!(wrong(Csv, &large).contains("8 MiB"));
}
