//! What the provider served, priced: its view of the same calls.

use std::collections::HashMap;

use ralex_kernel::Money;

use super::setting::PRICES;
use crate::rig::MAX_OUTPUT;
use crate::upstream::Served;

/// All that was served for one call, its retries included.
#[derive(Clone, Copy, Debug, Default)]
pub struct Billed {
    /// What a vendor would bill at the most.
    pub told: Money,
    /// The same without what it tells beyond the most that it was allowed to say.
    pub fair: Money,
    /// Usage that went out with a whole answer, where there was just one.
    pub usage: Option<Money>,
    answers: u32,
}

/// By the marker in a call's body.
pub fn by_marker(served: &[Served]) -> HashMap<&str, Billed> {
    let mut all: HashMap<&str, Billed> = HashMap::new();
    for one in served {
        let bill = all.entry(&one.marker).or_default();
        let (input, output) = one.billed();
        bill.told += price(input, output);
        bill.fair += price(input.min(one.input), output.min(MAX_OUTPUT.into()));
        if !one.refused {
            bill.answers += 1;
            let whole = one.told.filter(|_| one.ended && bill.answers == 1);
            bill.usage = whole.map(|(input, output)| price(input, output));
        }
    }
    all
}

fn price(input: u64, output: u64) -> Money {
    let nanos = |tokens: u64, each: i64| i64::try_from(tokens).unwrap_or(i64::MAX / each) * each;
    Money::nanos(nanos(input, PRICES.0) + nanos(output, PRICES.1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn served(pieces: u64, ended: bool) -> Served {
        Served {
            marker: "m".to_owned(),
            input: 10,
            output: 12,
            pieces,
            streamed: true,
            ended,
            told: Some((10, 100)),
            ..Served::default()
        }
    }

    #[test]
    fn what_broke_off_is_billed_as_far_as_it_went() {
        let served = [served(4, false)];
        let bill = by_marker(&served)["m"];
        assert_eq!((bill.told, bill.usage), (Money::nanos(10 * 3_000 + 4 * 15_000), None));
    }

    #[test]
    fn what_a_vendor_tells_beyond_the_most_is_not_fair() {
        let served = [served(12, true)];
        let bill = by_marker(&served)["m"];
        assert_eq!(bill.told, Money::nanos(10 * 3_000 + 100 * 15_000));
        assert_eq!(bill.fair, Money::nanos(10 * 3_000 + 64 * 15_000));
        assert_eq!(bill.usage, Some(bill.told));
    }

    #[test]
    fn errors_cost_nothing() {
        let served = [Served { refused: true, ..served(0, true) }, served(12, true)];
        let bill = by_marker(&served)["m"];
        assert_eq!(bill.usage, Some(bill.told));
    }
}
