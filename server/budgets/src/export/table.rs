//! A table as anyone can write it: `date`, `cost`, and what else is known.

use chrono::NaiveDate;
use csv::{ReaderBuilder, StringRecord, Trim};

use super::decimal::money;
use super::{Export, Told};

/// Where the columns are that are read; others may be there too.
struct Columns {
    date: usize,
    model: Option<usize>,
    cost: Option<usize>,
    currency: Option<usize>,
    input: Option<usize>,
    output: Option<usize>,
}

pub(super) fn read(text: &str, export: &mut Export) -> Result<(), String> {
    let mut reader = ReaderBuilder::new().trim(Trim::All).from_reader(text.as_bytes());
    let heads = reader.headers().map_err(|error| format!("cannot be read: {error}"))?.clone();
    let columns = columns(&heads)?;
    export.billed = columns.cost.is_some();
    let mut record = StringRecord::new();
    while reader.read_record(&mut record).map_err(|error| format!("cannot be read: {error}"))? {
        let line = record.position().map_or(0, csv::Position::line);
        row(&columns, &record, export).map_err(|message| format!("line {line}: {message}"))?;
    }
    Ok(())
}

fn columns(heads: &StringRecord) -> Result<Columns, String> {
    let place = |name: &str| heads.iter().position(|head| head.eq_ignore_ascii_case(name));
    let columns = Columns {
        date: place("date").ok_or("line 1: there is no column `date`")?,
        model: place("model"),
        cost: place("cost"),
        currency: place("currency"),
        input: place("input_tokens"),
        output: place("output_tokens"),
    };
    if columns.cost.is_none() && columns.input.is_none() && columns.output.is_none() {
        return Err("line 1: there is no column `cost`, `input_tokens` or `output_tokens`".into());
    }
    Ok(columns)
}

fn row(columns: &Columns, record: &StringRecord, export: &mut Export) -> Result<(), String> {
    let cell = |column: Option<usize>| column.and_then(|at| record.get(at)).unwrap_or_default();
    let date = cell(Some(columns.date));
    let day: NaiveDate =
        date.parse().map_err(|_| format!("`date` is {date:?} and no day such as 2026-03-01"))?;
    let currency = cell(columns.currency);
    if !currency.is_empty() && !currency.eq_ignore_ascii_case("usd") {
        return Err(format!("`currency` is {currency:?}, and budgets are in US dollars"));
    }
    let mut told = Told::default();
    if columns.cost.is_some() {
        let cost = cell(columns.cost);
        let amount = money(cost.strip_prefix('$').unwrap_or(cost), 0);
        told.cost = amount.ok_or_else(|| format!("`cost` is {cost:?} and no amount of dollars"))?;
    }
    let count = |name: &str, column| {
        let text = cell(column);
        if text.is_empty() {
            return Ok(0);
        }
        text.parse::<u64>().map_err(|_| format!("`{name}` is {text:?} and no number of tokens"))
    };
    told.input_tokens = count("input_tokens", columns.input)?;
    told.output_tokens = count("output_tokens", columns.output)?;
    export.add(day, Some(cell(columns.model)), told)
}
