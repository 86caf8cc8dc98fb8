//! Single sign-on: who vouches for the organisation's people, tested, switched on, and enforced.

use ralex_api::sso::{SsoProvider, SsoProviders, SsoTested};
use serde_json::json;
use yew::prelude::*;

use super::sso_enforce::EnforceDialog;
use super::sso_form::SsoForm;
use crate::api;
use crate::components::{
    Badge, Banner, Button, Code, Column, Confirm, ConfirmDelete, Dialog, Empty, Failed, Icon,
    IconButton, Kind, Table, Tone, When, key_value, show, use_toast,
};
use crate::hooks::{keep, use_action, use_load};
use crate::session::use_org;

const COLUMNS: [Column; 5] = [
    Column::text("Name"),
    Column::text("Issuer").wide(),
    Column::text("Tested"),
    Column::text("State"),
    Column::text(""),
];

/// What is open over the list.
#[derive(Clone, PartialEq)]
enum Over {
    Nothing,
    Add,
    Edit(Box<SsoProvider>),
    Addresses(Box<SsoProvider>),
    Tested(Box<SsoTested>),
    Enforce,
    Relax,
    SwitchOff(Box<SsoProvider>),
    Delete(Box<SsoProvider>),
}

/// The part of the page on signing in that is about providers.
#[component]
pub fn SingleSignOn() -> Html {
    let org = use_org();
    let over = use_state(|| Over::Nothing);
    let toast = use_toast();
    let (load, again) = use_load(org.slug(), |org| api::sso::providers(&org));
    let set = keep(&over);
    let close = set.reform(|()| Over::Nothing);
    let done = {
        let (close, again) = (close.clone(), again.clone());
        Callback::from(move |said: AttrValue| {
            close.emit(());
            again.emit(());
            toast.emit(said);
        })
    };
    let saved = {
        let (set, again) = (set.clone(), again.clone());
        Callback::from(move |provider: SsoProvider| {
            again.emit(());
            set.emit(Over::Addresses(Box::new(provider)));
        })
    };
    let test = use_action({
        let (set, again) = (set.clone(), again.clone());
        Callback::from(move |tested: SsoTested| {
            again.emit(());
            set.emit(Over::Tested(Box::new(tested)));
        })
    });
    let switch_on = use_action(
        done.reform(|provider: SsoProvider| format!("{} is switched on.", provider.name).into()),
    );
    let relax = use_action(done.reform(|()| "Passwords count again.".into()));
    let actions = {
        let set = set.clone();
        let (test, switch_on, slug) = (test.clone(), switch_on.clone(), org.slug());
        Callback::from(move |(verb, provider): (Verb, SsoProvider)| match verb {
            Verb::Test => test.run(api::sso::test(&slug, provider.slug.as_str())),
            Verb::Switch if provider.enabled => set.emit(Over::SwitchOff(Box::new(provider))),
            Verb::Switch => {
                let change = json!({ "enabled": true });
                switch_on.run(api::sso::update(&slug, provider.slug.as_str(), &change));
            }
        })
    };
    let onrelax = {
        let (relax, slug) = (relax.clone(), org.slug());
        Callback::from(move |()| relax.run(api::sso::relax(&slug)))
    };
    let found = load.ready().map(|found| found.items.clone()).unwrap_or_default();
    html! {
        <section class="panel">
            <header class="panel-head">
                <h2>{ "Single sign-on" }</h2>
                <Button kind={Kind::Primary} icon={Icon::Plus} onclick={set.reform(|()| Over::Add)}>{ "Add provider" }</Button>
            </header>
            if let Some(problem) = test.problem().or_else(|| switch_on.problem()) { <Failed {problem} /> }
            { show(&load, &again, |found| list(found, &set, &actions)) }
            { match &*over {
                Over::Nothing => Html::default(),
                Over::Add => html! { <SsoForm provider={None::<SsoProvider>} ondone={saved} onclose={close} /> },
                Over::Edit(provider) => html! { <SsoForm provider={Some((**provider).clone())} ondone={saved} onclose={close} /> },
                Over::Addresses(provider) => addresses(provider, close),
                Over::Tested(tested) => tested_dialog(tested, close),
                Over::Enforce => html! { <EnforceDialog providers={found} ondone={done} onclose={close} /> },
                Over::Relax => html! {
                    <Confirm title="Let people in by password again?" verb="Let them" running={relax.running()} problem={relax.problem()} onconfirm={onrelax} onclose={close}>
                        <p>{ "Sessions and personal tokens that did not come by the provider work again within a second." }</p>
                    </Confirm>
                },
                Over::SwitchOff(provider) => switch_off_dialog(&org.slug(), provider, &done, close),
                Over::Delete(provider) => delete_dialog(&org.slug(), provider, &done, close),
            } }
        </section>
    }
}

/// What is done to a provider without another form.
#[derive(Clone, Copy, PartialEq)]
enum Verb {
    Test,
    Switch,
}

fn list(
    found: &SsoProviders,
    set: &Callback<Over>,
    actions: &Callback<(Verb, SsoProvider)>,
) -> Html {
    if found.items.is_empty() {
        return html! {
            <Empty icon={Icon::Shield} title="No provider yet">
                <p>{ "Add the OpenID Connect provider of your company, and its people come in without a password of ours." }</p>
            </Empty>
        };
    }
    let only = found.enforcement.as_ref();
    html! {
        <>
            <Table caption="Providers of single sign-on" columns={COLUMNS.to_vec()}>
                { for found.items.iter().map(|provider| row(provider, set, actions)) }
            </Table>
            if let Some(only) = only {
                <Banner>
                    <p>
                        { format!("{} is the only way in since ", only.provider) }<When at={only.since} />
                        { format!(". Only {} may still use a password.", only.break_glass_email) }
                    </p>
                    <Button onclick={set.reform(|()| Over::Relax)}>{ "Let passwords count again" }</Button>
                </Banner>
            } else {
                <p><Button onclick={set.reform(|()| Over::Enforce)}>{ "Make it the only way in" }</Button></p>
            }
        </>
    }
}

fn row(
    provider: &SsoProvider,
    set: &Callback<Over>,
    actions: &Callback<(Verb, SsoProvider)>,
) -> Html {
    let open = |over: fn(Box<SsoProvider>) -> Over| {
        let provider = Box::new(provider.clone());
        set.reform(move |()| over(provider.clone()))
    };
    let act = |verb: Verb| {
        let provider = provider.clone();
        actions.reform(move |()| (verb, provider.clone()))
    };
    let name = &provider.name;
    let (state, tone) = if provider.enabled { ("On", Tone::Good) } else { ("Off", Tone::Plain) };
    let switch = if provider.enabled { "Switch off" } else { "Switch on" };
    html! {
        <tr key={provider.id.to_string()}>
            <td><span class="strong">{ name.to_string() }</span>{ " " }<code class="faint">{ provider.slug.to_string() }</code></td>
            <td class="wide"><code>{ &provider.issuer }</code></td>
            <td>
                if let Some(at) = provider.used_at { { "used " }<When {at} /> }
                else if let Some(at) = provider.tested_at { <When {at} /> }
                else { <span class="faint">{ "Never" }</span> }
            </td>
            <td><Badge {tone}>{ state }</Badge></td>
            <td class="number">
                <Button onclick={act(Verb::Test)}>{ "Test" }</Button>{ " " }
                <Button onclick={act(Verb::Switch)}>{ switch }</Button>
                <IconButton icon={Icon::External} label={format!("Addresses of {name}")} onclick={open(Over::Addresses)} />
                <IconButton icon={Icon::Edit} label={format!("Change {name}")} onclick={open(Over::Edit)} />
                <IconButton icon={Icon::Trash} label={format!("Delete {name}")} onclick={open(Over::Delete)} />
            </td>
        </tr>
    }
}

/// What the provider has to be told.
fn addresses(provider: &SsoProvider, onclose: Callback<()>) -> Html {
    let fact = |name: &'static str, text: &str| -> (AttrValue, Html) {
        (name.into(), html! { <Code text={text.to_owned()} label={name} /> })
    };
    let facts = [
        fact("Redirect address", &provider.callback_url),
        fact("Back-channel logout", &provider.logout_url),
        fact("Start of a login", &provider.start_url),
    ];
    html! {
        <Dialog title={format!("Addresses of {}", provider.name)} {onclose}>
            <p class="prose">{ "Enter the first one at the provider, and the second one where it takes one." }</p>
            { key_value(&facts) }
        </Dialog>
    }
}

fn tested_dialog(tested: &SsoTested, onclose: Callback<()>) -> Html {
    let tone = if tested.passed { Tone::Good } else { Tone::Bad };
    let keys: Vec<String> =
        tested.keys.iter().map(|key| format!("{} ({})", key.kid, key.algorithm)).collect();
    let text = |name: &'static str, text: &str| -> (AttrValue, Html) {
        (name.into(), html! { <code>{ text.to_owned() }</code> })
    };
    let mut facts = Vec::new();
    facts.extend(tested.authorization_endpoint.iter().map(|it| text("Login at", it)));
    facts.extend(tested.token_endpoint.iter().map(|it| text("Tokens from", it)));
    facts.extend((!keys.is_empty()).then(|| text("Keys", &keys.join(", "))));
    html! {
        <Dialog title={if tested.passed { "The provider answers well" } else { "The provider does not answer well" }} {onclose}>
            <Banner {tone}><p>{ &tested.detail }</p></Banner>
            { for tested.warnings.iter().map(|warning| html! { <Banner tone={Tone::Warn}><p>{ warning }</p></Banner> }) }
            { key_value(&facts) }
        </Dialog>
    }
}

fn switch_off_dialog(
    org: &str,
    provider: &SsoProvider,
    ondone: &Callback<AttrValue>,
    onclose: Callback<()>,
) -> Html {
    let (org, slug, name) = (org.to_owned(), provider.slug.to_string(), provider.name.to_string());
    let title = format!("Switch {name} off?");
    let ondone = ondone.reform(move |()| format!("{name} is switched off.").into());
    let delete = Callback::from(move |()| api::sso::switch_off(&org, &slug));
    html! {
        <ConfirmDelete {title} verb="Switch it off" {delete} {ondone} {onclose}>
            <p>{ "Every session that it opened ends within a second, personal tokens made in one do not work while it is off, and who comes in by it only cannot come in." }</p>
        </ConfirmDelete>
    }
}

fn delete_dialog(
    org: &str,
    provider: &SsoProvider,
    ondone: &Callback<AttrValue>,
    onclose: Callback<()>,
) -> Html {
    let (org, slug, name) = (org.to_owned(), provider.slug.to_string(), provider.name.to_string());
    let title = format!("Delete {name}?");
    let ondone = ondone.reform(move |()| format!("{name} is gone.").into());
    let delete = Callback::from(move |()| api::sso::delete(&org, &slug));
    html! {
        <ConfirmDelete {title} verb="Delete" {delete} {ondone} {onclose}>
            <p>{ "Sessions that it opened end within a second, the roles that its groups gave are taken away, and who came in by it only cannot come in any more." }</p>
        </ConfirmDelete>
    }
}
