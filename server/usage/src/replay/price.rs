//! Other prices for the tokens of calls that were made. What a call cost beside its tokens, and what
//! tiers added, stays as it was.

use ralex_api::replay::ReplayPrice;
use ralex_kernel::{Money, Price, Problem};

use super::Fate;
use crate::sql::replay::Recorded;

pub(super) struct Trial(ReplayPrice);

impl Trial {
    pub fn of(price: ReplayPrice) -> Result<Self, Problem> {
        let ReplayPrice { input_price, output_price, cache_read_price, cache_write_price, .. } =
            &price;
        let prices = [input_price, output_price, cache_read_price, cache_write_price];
        if prices.iter().all(|price| price.is_none()) {
            return Err(Problem::field("price", "must name at least one price"));
        }
        Ok(Self(price))
    }
}

impl super::Trial for Trial {
    fn take(&mut self, call: &Recorded) -> Fate {
        let parts = [
            (call.input_tokens, call.input_price, self.0.input_price),
            (call.output_tokens, call.output_price, self.0.output_price),
            (call.cache_read_tokens, call.cache_read_price, self.0.cache_read_price),
            (call.cache_write_tokens, call.cache_write_price, self.0.cache_write_price),
        ];
        let of = |tokens: i64, price: Price| price.cost(tokens.unsigned_abs());
        let changed = parts.iter().filter_map(|(tokens, was, is)| {
            let is = (*is)?;
            Some(of(*tokens, is) - of(*tokens, *was))
        });
        // A kept answer cost nothing and would again.
        let more = if call.cost.is_positive() { changed.sum() } else { Money::ZERO };
        Fate::Passed { cost: (call.cost + more).max(Money::ZERO) }
    }
}
