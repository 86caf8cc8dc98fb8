//! Gone: events that are missing, against those that the log says were pruned.

/// Ranges of places, first and last of each.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Gone {
    missing: Vec<(u64, u64)>,
    told: Vec<(u64, u64)>,
}

impl Gone {
    /// Places come in order.
    pub fn missing(&mut self, index: u64) {
        match self.missing.last_mut() {
            Some((_, last)) if *last + 1 == index => *last = index,
            Some(_) | None => self.missing.push((index, index)),
        }
    }

    pub fn told(&mut self, ranges: Vec<(u64, u64)>) {
        self.told.extend(ranges.into_iter().filter(|(first, last)| first <= last));
    }

    pub fn count(&self) -> u64 {
        self.missing.iter().map(|(first, last)| last - first + 1).sum()
    }

    /// The first place that is missing without being told of.
    pub fn unexplained(&self) -> Option<u64> {
        let mut told = self.told.clone();
        told.sort_unstable();
        let mut told = told.into_iter().peekable();
        for (first, last) in &self.missing {
            let mut next = *first;
            while next <= *last {
                // Ranges that end before this place explain none after it either.
                while told.next_if(|range| range.1 < next).is_some() {}
                match told.peek() {
                    Some(range) if range.0 <= next => next = range.1.saturating_add(1),
                    Some(_) | None => return Some(next),
                }
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unexplained(missing: &[u64], told: &[(u64, u64)]) -> Option<u64> {
        let mut gone = Gone::default();
        for index in missing {
            gone.missing(*index);
        }
        gone.told(told.to_vec());
        gone.unexplained()
    }

    #[test]
    fn what_is_missing_has_to_be_told_of() {
        assert_eq!(unexplained(&[], &[]), None);
        assert_eq!(unexplained(&[0, 1, 2], &[(0, 2)]), None);
        assert_eq!(unexplained(&[0, 1, 2], &[(2, 2), (0, 1)]), None);
        assert_eq!(unexplained(&[0, 1, 2, 9], &[(0, 2)]), Some(9));
        assert_eq!(unexplained(&[0, 1, 2], &[(0, 0), (2, 5)]), Some(1));
        assert_eq!(unexplained(&[4], &[(0, 9), (1, 2)]), None);
        assert_eq!(unexplained(&[4, 7], &[(0, 5), (1, 2)]), Some(7));
    }
}
