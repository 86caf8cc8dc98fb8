//! The tables of the documentation, held equal to the data that they show.
//!
//! `RALEX_WRITE_DOCS=1 cargo nextest run -p ralex-routing docs` writes them anew.

use std::fmt::Write;
use std::path::PathBuf;
use std::{env, fs};

use ralex_api::catalog::{CatalogModel, ModelOperation, PriceUnit, ProviderKindInfo};

use crate::Catalogue;
use crate::fees::Fees;
use crate::testing::World;

fn page(name: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "../../docs/src", name].iter().collect()
}

/// Holds the table between two marks of a page to be `table`, or writes it there.
fn hold(name: &str, mark: &str, table: &str) {
    let (path, begin, end) =
        (page(name), format!("<!-- {mark}: begin -->\n"), format!("<!-- {mark}: end -->"));
    let text = fs::read_to_string(&path).unwrap();
    let (before, rest) = text.split_once(&begin).unwrap();
    let (shown, after) = rest.split_once(&end).unwrap();
    let wanted = format!("\n{table}\n");
    if env::var_os("RALEX_WRITE_DOCS").is_some() {
        fs::write(&path, format!("{before}{begin}{wanted}{end}{after}")).unwrap();
        return;
    }
    assert!(shown == wanted, "docs/src/{name} is stale; write it with RALEX_WRITE_DOCS=1");
}

fn kind(info: &ProviderKindInfo) -> String {
    let name = info
        .docs
        .as_ref()
        .map_or_else(|| info.name.clone(), |docs| format!("[{}]({docs})", info.name));
    let address = match (&info.base_url, &info.base_url_hint) {
        (Some(address), _) => format!("`{address}`"),
        (None, Some(hint)) => format!("yours: `{hint}`"),
        (None, None) => "none".to_owned(),
    };
    let auth = match (info.auth.as_str(), info.needs_key) {
        ("none", _) => "none".to_owned(),
        (auth, true) => auth.to_owned(),
        (auth, false) => format!("{auth} (optional)"),
    };
    let words = |words: &[String]| {
        let named: Vec<&str> = words.iter().map(String::as_str).collect();
        if named.is_empty() { "–".to_owned() } else { named.join(", ") }
    };
    let others: Vec<String> =
        info.operations.iter().filter(|word| *word != "generate").cloned().collect();
    format!(
        "| `{}` | {name} | {address} | {auth} | {} | {} |",
        info.kind,
        words(&info.dialects),
        words(&others),
    )
}

fn model(known: &CatalogModel, fees: Fees) -> String {
    let prices = &known.prices;
    let mut price = format!("${} / ${}", prices.input_price, prices.output_price);
    if prices.unit != PriceUnit::None {
        let unit = prices.unit.as_str().replace('_', " ");
        let _ = write!(price, " + ${} a {unit}", prices.unit_price);
    }
    // What only a conversation can make a vendor do.
    let talks = known.traits.operations.contains(&ModelOperation::Generate);
    for (name, fee) in fees.taken().filter(|_| talks) {
        let _ = write!(price, " + ${fee} a {name}");
    }
    for tier in &prices.price_tiers {
        let _ =
            write!(price, "; above {}: ${} / ${}", tier.above, tier.input_price, tier.output_price);
    }
    let operations: Vec<&str> = known.traits.operations.iter().map(|word| word.as_str()).collect();
    let quality = known.traits.quality.map_or_else(|| "–".to_owned(), |level| level.to_string());
    format!(
        "| `{}` | {} | {price} | {} | {quality} |",
        known.name,
        operations.join(", "),
        known.context_window
    )
}

#[tokio::test]
async fn the_page_of_providers_shows_every_kind() {
    let world = World::new().await;
    let mut table = String::from(
        "| kind | vendor | address | auth | speaks | answers besides |\n\
         | --- | --- | --- | --- | --- | --- |\n",
    );
    for info in world.routing.kinds() {
        let _ = writeln!(table, "{}", kind(&info));
    }
    hold("providers.md", "kinds", &table);
}

#[test]
fn the_page_of_models_shows_every_known_one() {
    let catalogue = Catalogue::built_in().unwrap();
    let mut table = String::new();
    let mut last = "";
    for known in catalogue.all() {
        if known.kind.as_str() != last {
            let gap = if last.is_empty() { "" } else { "\n" };
            let _ = writeln!(
                table,
                "{gap}### `{}`\n\n| model | answers | input / output, a million tokens | context | quality |\n\
                 | --- | --- | --- | --- | --- |",
                known.kind
            );
            last = known.kind.as_str();
        }
        let _ = writeln!(table, "{}", model(known, catalogue.fees(&known.kind, &known.name)));
    }
    hold("models.md", "models", &table);
}
