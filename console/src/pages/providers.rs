//! Providers and keys: who answers calls, at which address, opened by which keys.

use ralex_api::catalog::{Provider, ProviderKind, ProviderKindInfo, UpdateProvider};
use ralex_api::vault::SecretInfo;
use ralex_kernel::SecretId;
use yew::prelude::*;

use super::key_forms::{KeyForm, LimitsForm, delete_key};
use super::provider_card::provider_card;
use super::provider_form::{ProviderForm, delete_provider};
use super::why::KeyUsers;
use crate::api;
use crate::components::{Button, Empty, Head, Icon, Kind, show, use_toast};
use crate::hooks::{keep, use_action, use_load};
use crate::session::{Org, use_org};

/// What is open over the page.
#[derive(Clone, PartialEq)]
pub enum Over {
    Nothing,
    AddProvider,
    EditProvider(Box<Provider>),
    DeleteProvider(Box<Provider>),
    AddKey(Box<Provider>),
    RotateKey(Box<SecretInfo>),
    LimitKey(Box<SecretInfo>),
    DeleteKey(Box<SecretInfo>),
    KeyUsers(SecretId),
}

/// What one may change.
#[derive(Clone, Copy, PartialEq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "one flag for each permission, as the server names them"
)]
pub struct May {
    pub provider: bool,
    pub add_key: bool,
    pub rotate_key: bool,
    pub delete_key: bool,
    pub ask: bool,
}

impl May {
    fn of(org: &Org) -> Self {
        Self {
            provider: org.can_everywhere("provider.configure"),
            add_key: org.can_everywhere("secret.create"),
            rotate_key: org.can_everywhere("secret.rotate"),
            delete_key: org.can_everywhere("secret.delete"),
            ask: org.can("role.read"),
        }
    }
}

/// What a part of the page can ask for.
#[derive(Clone, PartialEq)]
pub struct Doing {
    pub open: Callback<Over>,
    pub switch: Callback<(String, bool)>,
    pub may: May,
}

#[component]
pub fn ProvidersPage() -> Html {
    let org = use_org();
    let over = use_state(|| Over::Nothing);
    let toast = use_toast();
    let may = May::of(&org);
    let (load, again) = use_load(org.slug(), |org| async move {
        let providers = api::catalog::providers(&org).await?.items;
        let kinds = api::catalog::kinds(&org).await?.items;
        // Keys are shown only to those who may manage them; the rest of the page is for all.
        let keys = api::vault::secrets(&org).await.map(|page| page.items).unwrap_or_default();
        Ok((providers, kinds, keys))
    });
    let kinds = load.ready().map(|found| found.1.clone()).unwrap_or_default();
    let open = keep(&over);
    let onclose = open.reform(|()| Over::Nothing);
    let ondone = {
        let (close, again) = (onclose.clone(), again.clone());
        Callback::from(move |said: AttrValue| {
            close.emit(());
            again.emit(());
            toast.emit(said);
        })
    };
    let switching = use_action(ondone.reform(|provider: Provider| {
        format!("{} is switched {}.", provider.slug, if provider.enabled { "on" } else { "off" })
            .into()
    }));
    let switch = {
        let (switching, org) = (switching.clone(), org.slug());
        Callback::from(move |(slug, on): (String, bool)| {
            let change = UpdateProvider { base_url: None, enabled: Some(on), timeouts: None };
            switching.run(api::catalog::update_provider(&org, &slug, change));
        })
    };
    let doing = Doing { open: open.clone(), switch, may };
    let add = html! {
        if may.provider { <Button kind={Kind::Primary} icon={Icon::Plus} onclick={open.reform(|()| Over::AddProvider)}>{ "Add provider" }</Button> }
    };
    html! {
        <>
            <Head title="Providers and keys" lead="Who answers calls, at which address, opened by which keys.">{ add.clone() }</Head>
            if let Some(problem) = switching.problem() { <crate::components::Failed {problem} /> }
            { show(&load, &again, |found| {
                let (providers, kinds, keys) = &**found;
                if providers.is_empty() {
                    return html! { <Empty icon={Icon::Cube} title="No provider yet"><p>{ "Add one, then its key. Its models come after that." }</p>{ add }</Empty> };
                }
                html! { { for providers.iter().map(|provider| provider_card(provider, kinds, keys, &doing)) } }
            }) }
            { overlay(&org.slug(), &over, &kinds, &ondone, &onclose) }
        </>
    }
}

fn overlay(
    org: &str,
    over: &Over,
    kinds: &[ProviderKindInfo],
    ondone: &Callback<AttrValue>,
    onclose: &Callback<()>,
) -> Html {
    let (ondone, onclose, kinds) = (ondone.clone(), onclose.clone(), kinds.to_vec());
    match over {
        Over::Nothing => Html::default(),
        Over::AddProvider => {
            html! { <ProviderForm {kinds} provider={None::<Provider>} {ondone} {onclose} /> }
        }
        Over::EditProvider(provider) => {
            html! { <ProviderForm {kinds} provider={Some((**provider).clone())} {ondone} {onclose} /> }
        }
        Over::DeleteProvider(provider) => delete_provider(org, provider, &ondone, onclose),
        Over::AddKey(provider) => {
            html! { <KeyForm provider={provider.slug.to_string()} secret={None::<SecretInfo>} hint={hint_of(&kinds, &provider.kind)} {ondone} {onclose} /> }
        }
        Over::RotateKey(secret) => {
            html! { <KeyForm provider={secret.provider_slug.to_string()} secret={Some((**secret).clone())} hint="" {ondone} {onclose} /> }
        }
        Over::LimitKey(secret) => {
            html! { <LimitsForm secret={(**secret).clone()} {ondone} {onclose} /> }
        }
        Over::KeyUsers(secret) => html! { <KeyUsers secret={*secret} {onclose} /> },
        Over::DeleteKey(secret) => delete_key(org, secret, &ondone, onclose),
    }
}

/// How a key of a kind of provider looks.
fn hint_of(kinds: &[ProviderKindInfo], kind: &ProviderKind) -> AttrValue {
    let known = kinds.iter().find(|info| info.kind == *kind);
    known.and_then(|info| info.key_hint.clone()).unwrap_or_default().into()
}
