//! What a call costs, and the most that it can.

use ralex_api::catalog::{PriceTier, PriceUnit, Prices};
use ralex_kernel::{Money, Price};

/// Prices with no more digits than this per million tokens are whole nano-dollars per token.
const WHOLE: i64 = 1_000_000;

/// What a call used, each part counted once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Input that is text, image or file, neither read from a cache nor written to one.
    pub input: u64,
    pub cache_read: u64,
    pub cache_write: u64,
    pub cache_write_1h: u64,
    pub audio_input: u64,
    /// Output without audio, reasoning included.
    pub output: u64,
    pub audio_output: u64,
    /// Images, seconds, characters or searches, as the price's unit says.
    pub units: u64,
}

/// How much a call may use at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bound {
    /// Tokens of input, however they are cached.
    pub input_tokens: u64,
    pub output_tokens: u64,
    pub units: u64,
    /// False where the call cannot write to a cache that is kept for an hour.
    pub may_cache_for_an_hour: bool,
    /// False where neither the call nor its answer can hold audio.
    pub may_hold_audio: bool,
}

impl Bound {
    /// A call with so many tokens, of which nothing else is known.
    pub const fn tokens(input_tokens: u64, output_tokens: u64) -> Self {
        Self {
            input_tokens,
            output_tokens,
            units: 0,
            may_cache_for_an_hour: true,
            may_hold_audio: true,
        }
    }
}

impl Counts {
    /// All of the input, cached or not.
    pub const fn total_input(&self) -> u64 {
        self.input
            .saturating_add(self.cache_read)
            .saturating_add(self.cache_write)
            .saturating_add(self.cache_write_1h)
            .saturating_add(self.audio_input)
    }

    pub const fn total_output(&self) -> u64 {
        self.output.saturating_add(self.audio_output)
    }
}

/// The prices that depend on how long the input is.
struct Rates {
    input: Price,
    output: Price,
    cache_read: Price,
    cache_write: Price,
    cache_write_1h: Price,
}

impl Rates {
    const fn plain(prices: &Prices) -> Self {
        Self {
            input: prices.input_price,
            output: prices.output_price,
            cache_read: prices.cache_read_price,
            cache_write: prices.cache_write_price,
            cache_write_1h: prices.cache_write_1h_price,
        }
    }

    const fn of(tier: &PriceTier) -> Self {
        Self {
            input: tier.input_price,
            output: tier.output_price,
            cache_read: tier.cache_read_price,
            cache_write: tier.cache_write_price,
            cache_write_1h: tier.cache_write_1h_price,
        }
    }
}

/// What a call has cost, to the nano-dollar: every part at its price, each rounded up to the next
/// nano-dollar, then summed.
pub(crate) fn cost(prices: &Prices, counts: &Counts) -> Money {
    // A try that was refused used nothing, and is no request that is paid for.
    if *counts == Counts::default() {
        return Money::ZERO;
    }
    tokens(prices, counts, counts.total_input()) + units(prices, counts.units)
}

/// What many calls together cost, near enough: each priced as if it had the mean length.
pub(crate) fn cost_of_many(prices: &Prices, counts: &Counts, calls: u64) -> Money {
    let mean = counts.total_input().checked_div(calls).unwrap_or(0);
    let per_call = match prices.unit {
        PriceUnit::Request => times(prices.unit_price, calls),
        PriceUnit::None
        | PriceUnit::Search
        | PriceUnit::Image
        | PriceUnit::Second
        | PriceUnit::MillionCharacters => units(prices, counts.units),
    };
    tokens(prices, counts, mean) + per_call
}

/// Tokens at the prices of calls whose input has this length.
fn tokens(prices: &Prices, counts: &Counts, input: u64) -> Money {
    // Tiers are kept in order, so the last one that applies is the highest.
    let tier = prices.price_tiers.iter().rev().find(|tier| input > u64::from(tier.above));
    let rates = tier.map_or_else(|| Rates::plain(prices), Rates::of);
    rates.input.cost(counts.input)
        + rates.cache_read.cost(counts.cache_read)
        + rates.cache_write.cost(counts.cache_write)
        + rates.cache_write_1h.cost(counts.cache_write_1h)
        + prices.audio_input_price.cost(counts.audio_input)
        + rates.output.cost(counts.output)
        + prices.audio_output_price.cost(counts.audio_output)
}

/// The most that a call within `bound` can cost: never less than [`cost`] of counts within it.
pub(crate) fn worst_case(prices: &Prices, bound: &Bound) -> Money {
    // A longer call is not always a dearer one, so every tier that it may reach counts.
    let reachable =
        prices.price_tiers.iter().filter(|tier| bound.input_tokens > u64::from(tier.above));
    let dearest = std::iter::once(Rates::plain(prices))
        .chain(reachable.map(Rates::of))
        .map(|rates| worst_tokens(prices, &rates, bound))
        .max()
        .unwrap_or(Money::ZERO);
    dearest + units(prices, bound.units)
}

fn worst_tokens(prices: &Prices, rates: &Rates, bound: &Bound) -> Money {
    let mut inputs = vec![rates.input, rates.cache_read, rates.cache_write];
    let mut outputs = vec![rates.output];
    if bound.may_cache_for_an_hour {
        inputs.push(rates.cache_write_1h);
    }
    if bound.may_hold_audio {
        inputs.push(prices.audio_input_price);
        outputs.push(prices.audio_output_price);
    }
    dearest(&inputs, bound.input_tokens) + dearest(&outputs, bound.output_tokens)
}

/// So many tokens, all at the dearest price. `cost` rounds each part up and this their whole once,
/// so one nano-dollar is added for every further part that could be rounded.
fn dearest(prices: &[Price], tokens: u64) -> Money {
    let dearest = prices.iter().copied().max().unwrap_or(Price::ZERO);
    let rounds = prices.iter().any(|price| price.as_nanos_per_million() % WHOLE != 0);
    let parts = i64::try_from(prices.len()).unwrap_or(i64::MAX);
    let rounding = if rounds { Money::nanos(parts - 1) } else { Money::ZERO };
    dearest.cost(tokens) + rounding
}

/// What is paid besides tokens.
fn units(prices: &Prices, units: u64) -> Money {
    match prices.unit {
        PriceUnit::None => Money::ZERO,
        PriceUnit::Request => prices.unit_price,
        PriceUnit::Search | PriceUnit::Image | PriceUnit::Second => times(prices.unit_price, units),
        PriceUnit::MillionCharacters => {
            Price::nanos_per_million(prices.unit_price.as_nanos()).cost(units)
        }
    }
}

pub(crate) fn times(price: Money, units: u64) -> Money {
    let nanos = i128::from(price.as_nanos()) * i128::from(units);
    Money::nanos(i64::try_from(nanos).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn per_million(dollars: &str) -> Price {
        dollars.parse().unwrap()
    }

    #[test]
    fn each_part_has_its_own_price() {
        let mut prices = Prices::plain(per_million("3"), per_million("15"));
        prices.cache_read_price = per_million("0.3");
        prices.cache_write_price = per_million("3.75");
        prices.cache_write_1h_price = per_million("6");
        prices.audio_input_price = per_million("40");
        prices.audio_output_price = per_million("80");
        let counts = Counts {
            input: 10,
            cache_read: 100,
            cache_write: 4,
            cache_write_1h: 2,
            audio_input: 3,
            output: 2,
            audio_output: 1,
            units: 9,
        };
        let parts = [30_000, 30_000, 15_000, 12_000, 120_000, 30_000, 80_000];
        assert_eq!(cost(&prices, &counts), Money::nanos(parts.iter().sum()));
        let text =
            Bound { may_cache_for_an_hour: false, may_hold_audio: false, ..Bound::tokens(119, 3) };
        assert_eq!(worst_case(&prices, &text), Money::nanos(119 * 3_750 + 45_000));
        let any = Bound::tokens(119, 3);
        assert_eq!(worst_case(&prices, &any), Money::nanos(119 * 40_000 + 3 * 80_000));
    }

    #[test]
    fn a_long_input_is_priced_by_its_tier_as_a_whole() {
        let mut prices = Prices::plain(per_million("2"), per_million("12"));
        prices.price_tiers = vec![PriceTier {
            above: 200,
            input_price: per_million("4"),
            output_price: per_million("18"),
            cache_read_price: per_million("0.4"),
            cache_write_price: per_million("4"),
            cache_write_1h_price: per_million("4"),
        }];
        let of = |input, cache_read| {
            cost(&prices, &Counts { input, cache_read, output: 10, ..Counts::default() })
        };
        assert_eq!(
            of(200, 0),
            Money::nanos(200 * 2_000 + 10 * 12_000),
            "up to it, the plain price"
        );
        assert_eq!(of(201, 0), Money::nanos(201 * 4_000 + 10 * 18_000));
        assert_eq!(
            of(1, 200),
            Money::nanos(4_000 + 200 * 400 + 10 * 18_000),
            "cached input counts"
        );
        assert_eq!(worst_case(&prices, &Bound::tokens(200, 10)), of(200, 0));
        assert_eq!(worst_case(&prices, &Bound::tokens(201, 10)), of(201, 0));
    }

    #[test]
    fn units_are_paid_besides_tokens() {
        let mut prices = Prices::plain(Price::ZERO, Price::ZERO);
        let of = |prices: &Prices, units| cost(prices, &Counts { units, ..Counts::default() });
        prices.unit_price = "0.04".parse().unwrap();
        for (unit, units, expected) in [
            (PriceUnit::None, 3, "0"),
            (PriceUnit::Request, 3, "0.04"),
            (PriceUnit::Request, 1, "0.04"),
            (PriceUnit::Request, 0, "0"),
            (PriceUnit::Image, 3, "0.12"),
            (PriceUnit::Second, 60, "2.4"),
            (PriceUnit::MillionCharacters, 500_000, "0.02"),
        ] {
            prices.unit = unit;
            assert_eq!(of(&prices, units), expected.parse().unwrap(), "{unit:?}");
        }
    }

    fn any_price() -> impl Strategy<Value = Price> {
        (0i64..40_000_000_000).prop_map(Price::nanos_per_million)
    }

    fn any_tier() -> impl Strategy<Value = PriceTier> {
        (1u32..4_000_000, prop::collection::vec(any_price(), 5)).prop_map(|(above, prices)| {
            PriceTier {
                above,
                input_price: prices[0],
                output_price: prices[1],
                cache_read_price: prices[2],
                cache_write_price: prices[3],
                cache_write_1h_price: prices[4],
            }
        })
    }

    fn any_prices() -> impl Strategy<Value = Prices> {
        let tiers = prop::collection::vec(any_tier(), 0..4);
        let unit = prop::sample::select(PriceUnit::ALL.to_vec());
        (prop::collection::vec(any_price(), 7), tiers, unit, 0i64..1_000_000_000).prop_map(
            |(prices, mut price_tiers, unit, unit_price)| {
                price_tiers.sort_by_key(|tier| tier.above);
                Prices {
                    input_price: prices[0],
                    output_price: prices[1],
                    cache_read_price: prices[2],
                    cache_write_price: prices[3],
                    cache_write_1h_price: prices[4],
                    audio_input_price: prices[5],
                    audio_output_price: prices[6],
                    unit,
                    unit_price: Money::nanos(unit_price),
                    batch_percent: 50,
                    price_tiers,
                }
            },
        )
    }

    proptest! {
        #[test]
        fn no_call_within_its_bound_costs_more_than_its_worst_case(
            prices in any_prices(),
            parts in prop::array::uniform8(0u64..1_500_000),
            more in (0u64..100_000, 0u64..100_000, 0u64..10),
            // A bound may say that a part cannot be only where it is not there.
            none in (any::<bool>(), any::<bool>()),
        ) {
            let mut counts = Counts {
                input: parts[0],
                cache_read: parts[1],
                cache_write: parts[2],
                cache_write_1h: parts[3],
                audio_input: parts[4],
                output: parts[5],
                audio_output: parts[6],
                units: parts[7],
            };
            if none.0 { counts.cache_write_1h = 0; }
            if none.1 { counts.audio_input = 0; counts.audio_output = 0; }
            let bound = Bound {
                input_tokens: counts.total_input() + more.0,
                output_tokens: counts.total_output() + more.1,
                units: counts.units + more.2,
                may_cache_for_an_hour: !none.0,
                may_hold_audio: !none.1,
            };
            prop_assert!(cost(&prices, &counts) <= worst_case(&prices, &bound));
        }
    }
}
