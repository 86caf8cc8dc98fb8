//! A plan: who answers a call, and what it can cost.

use chrono::{DateTime, Utc};
use ralex_kernel::{Code, ModelId, Money, Price, Problem, ProviderId, Slug};
use ralex_providers::{Target, Usage};

/// Prices with no more digits than this per million tokens are whole nano-dollars per token.
const WHOLE: i64 = 1_000_000;

/// Everything that a call to one model needs; it stays as it is for the whole call.
#[derive(Clone, Debug)]
pub struct Plan {
    pub model: ModelId,
    /// What callers write as `model`.
    pub name: String,
    pub provider: ProviderId,
    pub provider_slug: Slug,
    /// Where to send it: kind, address and the upstream's own name of the model.
    pub target: Target,
    /// The origin that keys are bound to; a simulated provider has none.
    pub origin: Option<String>,
    /// True where a call cannot be made without a key.
    pub needs_key: bool,
    pub input_price: Price,
    pub output_price: Price,
    pub cache_read_price: Price,
    pub cache_write_price: Price,
    /// Tokens of input and output together.
    pub context_window: u32,
    /// Tokens of output.
    pub max_output: u32,
    pub created_at: DateTime<Utc>,
}

impl Plan {
    /// The most that a call with so many tokens can cost, however its input is cached: never
    /// less than [`Plan::cost`] of a usage within these counts.
    pub fn worst_case(&self, input_tokens: u64, output_tokens: u64) -> Money {
        let inputs = [self.input_price, self.cache_read_price, self.cache_write_price];
        let dearest = inputs.into_iter().max().unwrap_or(self.input_price);
        // `cost` rounds three parts of the input up, this rounds their whole up once.
        let rounds = inputs.iter().any(|price| price.as_nanos_per_million() % WHOLE != 0);
        let rounding = if rounds { Money::nanos(2) } else { Money::ZERO };
        dearest.cost(input_tokens) + rounding + self.output_price.cost(output_tokens)
    }

    /// What a call has cost, to the nano-dollar: input, cache reads, cache writes and output each
    /// at their price, each rounded up to the next nano-dollar, then summed.
    pub fn cost(&self, usage: &Usage) -> Money {
        self.input_price.cost(usage.input_tokens)
            + self.cache_read_price.cost(usage.cache_read_tokens)
            + self.cache_write_price.cost(usage.cache_write_tokens)
            + self.output_price.cost(usage.output_tokens)
    }

    /// The problem of a call to a provider that needs a key and has none.
    pub fn key_missing(&self) -> Problem {
        Problem::new(
            Code::ProviderNotReady,
            format!(
                "The provider {} of the model {} has no key yet; someone who may manage provider \
                 keys must enter one.",
                self.provider_slug, self.name
            ),
        )
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use ralex_providers::ProviderKind;

    use super::*;

    fn plan(prices: [i64; 4]) -> Plan {
        let [input, output, read, write] = prices.map(Price::nanos_per_million);
        Plan {
            model: ModelId::generate(),
            name: "m".to_owned(),
            provider: ProviderId::generate(),
            provider_slug: "p".parse().unwrap(),
            target: Target {
                kind: ProviderKind::Simulated,
                base_url: None,
                upstream_model: "m".to_owned(),
                max_output: 10,
            },
            origin: None,
            needs_key: false,
            input_price: input,
            output_price: output,
            cache_read_price: read,
            cache_write_price: write,
            context_window: 100,
            max_output: 10,
            created_at: Utc::now(),
        }
    }

    #[test]
    fn each_kind_of_token_has_its_own_price() {
        let plan = plan([3_000_000_000, 15_000_000_000, 300_000_000, 3_750_000_000]);
        let usage = Usage {
            input_tokens: 10,
            output_tokens: 2,
            cache_read_tokens: 100,
            cache_write_tokens: 4,
            estimated: false,
        };
        assert_eq!(plan.cost(&usage), Money::nanos(30_000 + 30_000 + 30_000 + 15_000));
        assert_eq!(plan.worst_case(114, 2), Money::nanos(114 * 3_750 + 30_000));
    }

    proptest! {
        #[test]
        fn no_call_within_its_counts_costs_more_than_its_worst_case(
            prices in prop::array::uniform4(0i64..40_000_000_000),
            parts in prop::array::uniform4(0u64..3_000_000),
        ) {
            let plan = plan(prices);
            let usage = Usage {
                input_tokens: parts[0],
                output_tokens: parts[1],
                cache_read_tokens: parts[2],
                cache_write_tokens: parts[3],
                estimated: false,
            };
            prop_assert!(plan.cost(&usage) <= plan.worst_case(usage.total_input(), parts[1]));
        }
    }
}
