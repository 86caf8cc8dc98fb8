//! What a new token is narrowed to, of what its holder may.

use yew::prelude::*;

use super::role_form::choice;
use crate::components::{SelectField, TextField};
use crate::hooks::input::anything;
use crate::hooks::{keep, use_input};
use crate::session::{Session, use_session};

/// Nothing is no limit.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Limits {
    pub permissions: Option<Vec<String>>,
    pub addresses: Option<Vec<String>>,
}

const CALLS: &str = "llm.invoke secret.use";
const CHOOSE: &str = "choose";

/// What is chosen, and the fields that choose it: permissions, among those that the person has anywhere, and
/// networks.
#[hook]
pub fn use_limits() -> (Limits, Html) {
    let own = use_session().map(|session| held(&session)).unwrap_or_default();
    let which = use_state(String::new);
    let chosen = use_state(Vec::<String>::new);
    let addresses = use_input("", anything);
    let reading: Vec<_> =
        own.iter().filter(|it| it.split('.').nth(1) == Some("read")).cloned().collect();
    let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    let permissions = match which.as_str() {
        "" => None,
        CHOOSE => Some((*chosen).clone()),
        names => Some(words(names)),
    };
    let networks = words(&addresses.text());
    let limits = Limits { permissions, addresses: Some(networks).filter(|it| !it.is_empty()) };
    let options = vec![
        ("".into(), "All that its holder may".into()),
        (CALLS.into(), "Model calls only".into()),
        (reading.join(" ").into(), "Reading only".into()),
        (CHOOSE.into(), "Only these …".into()),
    ];
    let fields = html! {
        <>
            <SelectField label="May do" path="permissions" {options} value={(*which).clone()} onchange={keep(&which)} />
            if *which == CHOOSE {
                <div class="checks">{ for own.iter().map(|name| choice(name, name, "", &chosen)) }</div>
            }
            <TextField label="Works from" path="addresses" input={addresses} placeholder="203.0.113.0/24" hint="Networks, separated by spaces; anywhere when empty." />
        </>
    };
    (limits, fields)
}

/// Every permission that somebody has anywhere.
fn held(session: &Session) -> Vec<String> {
    let orgs = session.me.orgs.iter();
    let mut own: Vec<String> = orgs
        .flat_map(|org| {
            let scopes = org.scopes.iter().flat_map(|scope| &scope.permissions);
            org.permissions.iter().chain(scopes)
        })
        .cloned()
        .collect();
    own.sort_unstable();
    own.dedup();
    own
}
