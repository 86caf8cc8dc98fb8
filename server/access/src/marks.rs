//! Marks: which actions can be put under four eyes, as the policies say it.

use std::collections::BTreeMap;

use ralex_api::changes::GuardedAction;
use serde::Deserialize;

use crate::Permission;
use crate::policies::Refusal;

/// An action that can be put under four eyes.
#[derive(Clone, Debug)]
pub(crate) struct Mark {
    pub action: GuardedAction,
    /// What it is, in a sentence.
    pub does: String,
    pub permissions: Vec<Permission>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    does: String,
    permissions: Vec<String>,
}

/// Reads them in the order in which they are shown. The list is that of the program: an action that is
/// missing could be done by one person where an organisation believes that it takes two.
pub(crate) fn read(text: &str) -> Result<Vec<Mark>, Refusal> {
    let mut written: BTreeMap<String, Written> = toml::from_str(text)
        .map_err(|why| Refusal::Malformed { file: "four-eyes.toml", reason: why.to_string() })?;
    let marks = GuardedAction::ALL.iter().map(|action| {
        let Some(Written { does, permissions }) = written.remove(action.as_str()) else {
            return Err(Refusal::Marks(format!("\"{action}\" is missing")));
        };
        let known = permissions.iter().map(|name| name.parse());
        let permissions: Vec<Permission> =
            known.collect::<Result<_, _>>().map_err(|why| Refusal::Marks(format!("{why}")))?;
        if permissions.is_empty() {
            return Err(Refusal::Marks(format!("\"{action}\" takes no permission")));
        }
        Ok(Mark { action: *action, does, permissions })
    });
    let marks = marks.collect::<Result<_, _>>()?;
    match written.into_keys().next() {
        Some(unknown) => Err(Refusal::Marks(format!("there is no action \"{unknown}\" to mark"))),
        None => Ok(marks),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_that_do_not_fit_the_program_are_refused() {
        let text = include_str!("../../../policies/access/four-eyes.toml");
        let marks = read(text).unwrap();
        assert_eq!(marks.len(), GuardedAction::ALL.len());
        let less = text.replace("\"secret.delete\" =", "\"secret.reveal\" =");
        assert!(matches!(read(&less), Err(Refusal::Marks(_))));
        let more = format!("{text}\n\"x.y\" = {{ does = \"X.\", permissions = [\"org.read\"] }}");
        assert!(matches!(read(&more), Err(Refusal::Marks(_))));
        let unknown = text.replace("[\"secret.delete\"]", "[\"secret.smash\"]");
        assert!(matches!(read(&unknown), Err(Refusal::Marks(_))));
    }
}
