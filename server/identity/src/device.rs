//! Browsers that somebody has logged in with before.
//!
//! Failed tries from elsewhere slow an account down where it is not known; who comes with a mark of
//! an earlier login is counted for themselves (OWASP, "Slow down online guessing attacks with
//! device cookies"). A mark opens nothing, holds no name, and counts for the account it was made for.

use ralex_kernel::Secret;

use crate::{Arrival, Identity, mint};

/// How long a browser keeps its marks, in days.
pub const DAYS: i64 = 365;
/// Accounts that one browser is known for.
const MOST: usize = 4;

impl Identity {
    /// What the browser is known by for this account, if it is.
    pub(crate) fn known_device(&self, email_key: &str, arrival: &Arrival) -> Option<String> {
        let text = arrival.device.as_deref()?;
        text.split('.').take(MOST).find_map(|mark| {
            let (name, seal) = mark.split_once('-')?;
            self.mint.vouches(&vouched(name, email_key), seal).then(|| name.to_owned())
        })
    }

    /// What the browser is to keep after a login; nothing where it is known already.
    pub(crate) fn new_device(&self, email_key: &str, arrival: &Arrival) -> Option<Secret> {
        if self.known_device(email_key, arrival).is_some() {
            return None;
        }
        let name = mint::random_name();
        let seal = self.mint.vouch(&vouched(&name, email_key));
        let known = arrival.device.iter().flat_map(|text| text.split('.'));
        let marks: Vec<String> = std::iter::once(format!("{name}-{seal}"))
            .chain(known.filter(|mark| is_mark(mark)).map(str::to_owned))
            .take(MOST)
            .collect();
        Some(Secret::new(marks.join(".")))
    }
}

fn vouched(name: &str, email_key: &str) -> String {
    format!("device:{name}:{email_key}")
}

/// What a browser sends is never written back as it came.
fn is_mark(text: &str) -> bool {
    text.split_once('-').is_some_and(|(name, seal)| {
        let is_word = |it: &str| it.bytes().all(|byte| byte.is_ascii_alphanumeric());
        name.len() == mint::NAME_LENGTH
            && seal.len() == mint::SEAL_LENGTH
            && is_word(name)
            && is_word(seal)
    })
}
