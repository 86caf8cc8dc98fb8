//! What a new token is narrowed to, of what its holder may.

use std::collections::BTreeSet;

use yew::prelude::*;

use super::role_form::choice;
use crate::components::{SelectField, TextField};
use crate::hooks::input::anything;
use crate::hooks::{keep, use_input};
use crate::session::use_session;

/// Nothing is no limit.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Limits {
    pub permissions: Option<Vec<String>>,
    pub addresses: Option<Vec<String>>,
}

const CALLS: &str = "llm.invoke secret.use";
const CHOOSE: &str = "choose";

#[derive(Properties, PartialEq)]
pub struct Props {
    pub onchange: Callback<Limits>,
}

/// Permissions, among those that the person has anywhere, and networks.
#[component]
pub fn LimitFields(props: &Props) -> Html {
    let session = use_session();
    let mut own = BTreeSet::new();
    for org in session.iter().flat_map(|session| session.me.orgs.iter()) {
        own.extend(org.permissions.iter().cloned());
        own.extend(org.scopes.iter().flat_map(|scope| scope.permissions.iter().cloned()));
    }
    let which = use_state(String::new);
    let chosen = use_state(Vec::<String>::new);
    let addresses = use_input("", anything);
    let reading: Vec<_> = own
        .iter()
        .filter(|name| name.split_once('.').is_some_and(|(_, verb)| verb == "read"))
        .cloned()
        .collect();
    let permissions = match which.as_str() {
        "" => None,
        CHOOSE => Some((*chosen).clone()),
        names => Some(names.split(' ').map(str::to_owned).collect()),
    };
    let text = addresses.text();
    let networks: Vec<_> =
        text.split([' ', ',', '\n']).filter(|it| !it.is_empty()).map(str::to_owned).collect();
    let limits = Limits { permissions, addresses: Some(networks).filter(|it| !it.is_empty()) };
    {
        let told = props.onchange.clone();
        use_effect_with(limits, move |limits| told.emit(limits.clone()));
    }
    let options = vec![
        ("".into(), "All that its holder may".into()),
        (CALLS.into(), "Model calls only".into()),
        (reading.join(" ").into(), "Reading only".into()),
        (CHOOSE.into(), "Only these …".into()),
    ];
    html! {
        <>
            <SelectField label="May do" path="permissions" {options} value={(*which).clone()} onchange={keep(&which)} />
            if *which == CHOOSE {
                <div class="checks">{ for own.iter().map(|name| choice(name, name, "", &chosen)) }</div>
            }
            <TextField label="Works from" path="addresses" input={addresses} placeholder="203.0.113.0/24" hint="Networks, separated by spaces; anywhere when empty." />
        </>
    }
}
