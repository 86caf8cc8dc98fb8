//! Samples: which items of a population an auditor looks at, so that anybody can select them again.
//!
//! An item's lot is SHA-256 of the seed, a line feed and the item's id, all as UTF-8; those with the
//! lowest lots are selected. So the order in which the items come does not matter, and a larger
//! sample of the same seed holds the smaller one.

use rand::Rng as _;
use sha2::{Digest, Sha256};

pub(crate) const MOST: u32 = 500;

/// A seed that nobody chose.
pub(crate) fn draw() -> String {
    let mut bytes = [0_u8; 8];
    rand::rng().fill_bytes(&mut bytes);
    hex::encode(bytes)
}

/// The ids that are selected, in the order of their lots.
pub(crate) fn select<'a>(
    seed: &str,
    size: usize,
    population: impl IntoIterator<Item = &'a str>,
) -> Vec<&'a str> {
    let lot = |id: &'a str| {
        let lot = Sha256::new().chain_update(seed).chain_update(b"\n").chain_update(id).finalize();
        (<[u8; 32]>::from(lot), id)
    };
    let mut lots: Vec<_> = population.into_iter().map(lot).collect();
    lots.sort_unstable();
    lots.into_iter().take(size).map(|(_, id)| id).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_sample_can_be_selected_again_by_hand() {
        // printf 'seed\nb' | sha256sum is the lowest of the three.
        let ids = ["a", "b", "c", "d"];
        let lots = ids.map(|id| hex::encode(Sha256::digest(format!("seed\n{id}"))));
        let mut sorted: Vec<_> = lots.iter().zip(ids).collect();
        sorted.sort();
        let expected: Vec<_> = sorted.iter().take(2).map(|(_, id)| *id).collect();
        assert_eq!(select("seed", 2, ids), expected);
    }

    proptest! {
        #[test]
        fn the_order_of_the_population_never_matters(
            mut ids in proptest::collection::btree_set("[a-z0-9]{1,8}", 1..60),
            seed in "[a-z]{0,8}", size in 1_usize..70,
        ) {
            let forward: Vec<_> = ids.iter().map(String::as_str).collect();
            let selected = select(&seed, size, forward.iter().copied());
            prop_assert_eq!(selected.len(), size.min(ids.len()));
            prop_assert_eq!(&selected, &select(&seed, size, forward.iter().rev().copied()));
            let larger = select(&seed, size + 1, forward.iter().copied());
            prop_assert_eq!(&selected[..], &larger[..selected.len()]);
            let gone = selected[0].to_owned();
            ids.remove(&gone);
        }
    }
}
