//! What a provider says of somebody, in our words.

use chrono::{DateTime, Utc};
use ralex_api::sso::SsoClaims;
use ralex_kernel::{Email, Name};
use serde_json::{Map, Value};

/// No provider puts more groups into a token; what is beyond has no meaning here.
const MOST_GROUPS: usize = 5_000;

/// Somebody, by the word of a provider that was verified.
pub(crate) struct Person {
    pub subject: String,
    /// The provider's own session.
    pub sid: Option<String>,
    /// When they proved there who they are, as far as it says so. Only an ID token does.
    pub proven_at: Option<DateTime<Utc>>,
    pub email: Option<Email>,
    /// Whether the provider says that the address is really theirs.
    pub verified: bool,
    pub name: Option<Name>,
    pub groups: Vec<String>,
}

/// Whether its answer to a second question could tell what is missing: groups where some have a
/// meaning, the address and its proof where somebody is new.
pub(crate) fn is_short(
    said: &Map<String, Value>,
    names: &SsoClaims,
    needs_groups: bool,
    is_new: bool,
) -> bool {
    let has = |name: &String| said.contains_key(name);
    (needs_groups && !has(&names.groups))
        || (is_new && !(has(&names.email) && has(&names.email_verified)))
}

/// Both answers as one. The address and its proof are taken from the same one: a proof is of one
/// address only.
pub(crate) fn joined(
    mut said: Map<String, Value>,
    more: Map<String, Value>,
    names: &SsoClaims,
) -> Map<String, Value> {
    let whole = said.contains_key(&names.email) && said.contains_key(&names.email_verified);
    if !whole && more.contains_key(&names.email) {
        said.remove(&names.email);
        said.remove(&names.email_verified);
    }
    let of_address = |name: &String| *name == names.email || *name == names.email_verified;
    for (name, value) in more {
        if (whole && of_address(&name)) || said.contains_key(&name) {
            continue;
        }
        said.insert(name, value);
    }
    said
}

pub(crate) fn person(said: &Map<String, Value>, names: &SsoClaims) -> Option<Person> {
    let text = |name: &str| said.get(name).and_then(Value::as_str);
    Some(Person {
        subject: text("sub")?.to_owned(),
        sid: text("sid").map(str::to_owned),
        proven_at: None,
        email: text(&names.email).and_then(|text| text.parse().ok()),
        verified: said.get(&names.email_verified).is_some_and(is_yes),
        name: text(&names.name).and_then(|text| text.trim().parse().ok()),
        groups: said.get(&names.groups).map(groups).unwrap_or_default(),
    })
}

/// Providers write it as a truth, as a word or as a number.
fn is_yes(value: &Value) -> bool {
    match value {
        Value::Bool(yes) => *yes,
        Value::String(text) => text == "true" || text == "1",
        Value::Number(number) => number.as_i64() == Some(1),
        Value::Null | Value::Array(_) | Value::Object(_) => false,
    }
}

fn groups(value: &Value) -> Vec<String> {
    match value {
        Value::String(one) => vec![one.clone()],
        Value::Array(all) => {
            let texts = all.iter().take(MOST_GROUPS).filter_map(Value::as_str);
            texts.map(str::to_owned).collect()
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn map(value: Value) -> Map<String, Value> {
        value.as_object().unwrap().clone()
    }

    #[test]
    fn a_proof_counts_for_the_address_beside_it_only() {
        let names = SsoClaims::default();
        let said = map(json!({ "sub": "a", "email": "boss@x.example" }));
        let more = map(json!({ "sub": "a", "email": "a@x.example", "email_verified": true }));
        let person = person(&joined(said, more, &names), &names).unwrap();
        assert_eq!((person.email.unwrap().as_str(), person.verified), ("a@x.example", true));
        let said = map(json!({ "sub": "a", "email": "boss@x.example", "email_verified": false }));
        let more = map(json!({ "sub": "a", "email_verified": true, "groups": "one" }));
        let person = super::person(&joined(said, more, &names), &names).unwrap();
        assert_eq!((person.verified, person.groups), (false, vec!["one".to_owned()]));
    }

    #[test]
    fn only_a_clear_yes_verifies_an_address() {
        let names = SsoClaims { email_verified: "xms_edov".into(), ..SsoClaims::default() };
        let verified = |value: Value| {
            person(&map(json!({ "sub": "a", "xms_edov": value })), &names).unwrap().verified
        };
        for yes in [json!(true), json!("true"), json!("1"), json!(1)] {
            assert!(verified(yes));
        }
        for no in [json!(false), json!("yes"), json!("false"), json!(0), json!(null), json!([true])]
        {
            assert!(!verified(no));
        }
        assert!(person(&map(json!({ "email": "a@x.example" })), &names).is_none());
    }
}
