//! Making one provider the only way in, but for one owner.

use ralex_api::sso::{SsoEnforcement, SsoProvider};
use yew::prelude::*;

use super::person_field::PersonField;
use crate::api;
use crate::components::{Banner, Dialog, Form, SelectField, Tone};
use crate::hooks::{keep, use_action};
use crate::session::use_org;

#[derive(Properties, PartialEq)]
pub struct Props {
    pub providers: Vec<SsoProvider>,
    pub ondone: Callback<AttrValue>,
    pub onclose: Callback<()>,
}

#[component]
pub fn EnforceDialog(props: &Props) -> Html {
    let org = use_org();
    let enforce =
        use_action(props.ondone.reform(|it: SsoEnforcement| {
            format!("{} is the only way in now.", it.provider).into()
        }));
    let provider = use_state(|| {
        props.providers.first().map(|provider| provider.slug.to_string()).unwrap_or_default()
    });
    let owner = use_state(String::new);
    let providers = props.providers.iter();
    let providers: Vec<(AttrValue, AttrValue)> =
        providers.map(|it| (it.slug.to_string().into(), it.name.to_string().into())).collect();
    let onsubmit = {
        let (enforce, slug) = (enforce.clone(), org.slug());
        let (provider, owner) = (provider.clone(), owner.clone());
        Callback::from(move |()| {
            enforce.run(api::sso::enforce(&slug, (*provider).clone(), (*owner).clone()));
        })
    };
    let blocked = owner.is_empty().then(|| AttrValue::from("Choose who may still use a password."));
    html! {
        <Dialog title="Make single sign-on the only way in" onclose={props.onclose.clone()}>
            <Banner tone={Tone::Warn}>
                <p>{ "Within a second, sessions and personal tokens that did not come by this provider open nothing here. Tokens of teams and of programs go on." }</p>
            </Banner>
            <Form inputs={Vec::new()} verb="Make it the only way in" running={enforce.running()} problem={enforce.problem()} {onsubmit} {blocked} oncancel={props.onclose.clone()}>
                <SelectField label="Provider" path="provider" options={providers} value={(*provider).clone()} onchange={keep(&provider)} />
                <PersonField label="Owner who breaks the glass" path="break_glass" first="Choose an owner" owners=true onchange={keep(&owner)}
                    hint="May still come in by password and second factor when the provider is down." />
            </Form>
        </Dialog>
    }
}
