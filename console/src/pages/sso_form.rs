//! The form of a provider of single sign-on, with the roles that its groups mean.

use ralex_api::access::RoleName;
use ralex_api::sso::{SsoClaims, SsoMapping, SsoProvider};
use ralex_kernel::{Name, Slug};
use serde_json::{Value, json};
use yew::prelude::*;

use super::add_person::RoleField;
use super::teams::name_and_slug;
use crate::api;
use crate::components::{
    Button, Check, Dialog, Form, Icon, IconButton, SelectField, TextField, failed,
};
use crate::hooks::input::{anything, needed, parses};
use crate::hooks::{Input, keep, use_action, use_input, use_load};
use crate::session::use_org;

#[derive(Properties, PartialEq)]
pub struct Props {
    /// The provider to change; a new one when absent.
    pub provider: Option<SsoProvider>,
    pub ondone: Callback<SsoProvider>,
    pub onclose: Callback<()>,
}

#[component]
pub fn SsoForm(props: &Props) -> Html {
    let org = use_org();
    let old = props.provider.as_ref();
    let save = use_action(props.ondone.clone());
    let text = |of: fn(&SsoProvider) -> String| old.map(of).unwrap_or_default();
    let name = use_input(&text(|it| it.name.to_string()), parses::<Name>);
    let slug = use_input(&text(|it| it.slug.to_string()), parses::<Slug>);
    let issuer = use_input(&text(|it| it.issuer.clone()), needed);
    let client = use_input(&text(|it| it.client_id.clone()), needed);
    let secret = use_input("", if old.is_some() { anything } else { needed });
    let domains = use_input(&text(|it| it.domains.join(", ")), anything);
    let scopes = old.map_or("email profile".to_owned(), |it| it.scopes.join(" "));
    let scopes = use_input(&scopes, anything);
    let next = NextMapping {
        group: use_input("", anything),
        role: use_state(|| "developer".to_owned()),
        scope: use_state(|| "org".to_owned()),
    };
    let claims = old.map(|it| it.claims.clone()).unwrap_or_default();
    let groups = use_input(&claims.groups, needed);
    let create = use_state(|| old.is_some_and(|it| it.create_members));
    let role = use_state(|| {
        old.and_then(|it| it.default_role.as_ref().map(RoleName::to_string)).unwrap_or_default()
    });
    let mappings = use_state(|| old.map(|it| it.mappings.clone()).unwrap_or_default());
    let all = vec![
        name.clone(),
        slug.clone(),
        issuer.clone(),
        client.clone(),
        secret.clone(),
        domains.clone(),
        groups.clone(),
        scopes.clone(),
    ];
    let onsubmit = {
        let (save, org, inputs) = (save.clone(), org.slug(), all.clone());
        let known = old.map(|it| it.slug.to_string());
        let (create, role, mut mappings) = (*create, (*role).clone(), (*mappings).clone());
        // What was written and not added is meant all the same.
        mappings.extend(next.mapping());
        Callback::from(move |()| {
            let body = body(&inputs, &claims, create, &role, &mappings, known.is_none());
            match &known {
                Some(slug) => save.run(api::sso::update(&org, slug, &body)),
                None => save.run(api::sso::create(&org, &body)),
            }
        })
    };
    let title = old.map_or_else(|| "Add provider".to_owned(), |it| format!("Change {}", it.name));
    html! {
        <Dialog {title} onclose={props.onclose.clone()}>
            <Form inputs={all} verb="Save provider" running={save.running()} problem={save.problem()} {onsubmit} oncancel={props.onclose.clone()}>
                if old.is_none() { { name_and_slug(&name, &slug, "Acme Okta") } } else { <TextField label="Name" path="name" input={name} /> }
                if old.is_none() {
                    <TextField label="Issuer" path="issuer" kind="url" input={issuer} placeholder="https://acme.okta.com" hint="As its discovery document writes it, to the letter. It is never changed." />
                }
                <TextField label="Client id" path="client_id" input={client} />
                <TextField label="Client secret" path="client_secret" kind="password" input={secret} autocomplete="off"
                    hint={if old.is_some() { "Stays as it is when empty." } else { "Kept sealed, and never shown." }} />
                <Check label="Who is new gets an account by logging in" on={*create} onchange={keep(&create)} />
                <TextField label="Domains of their addresses" path="domains" input={domains} placeholder="acme.com, acme.de" hint="Only verified addresses of these are let in as new." />
                <DefaultRole role={(*role).clone()} onrole={keep(&role)} />
                <TextField label="Scopes" path="scopes" input={scopes} hint="Some providers tell groups only when asked for the scope groups." />
                <TextField label="Claim with the groups" path="claims.groups" input={groups} />
                { mapping_fields(&next, &mappings, &keep(&mappings)) }
            </Form>
        </Dialog>
    }
}

fn body(
    inputs: &[Input],
    claims: &SsoClaims,
    create: bool,
    role: &str,
    mappings: &[SsoMapping],
    is_new: bool,
) -> Value {
    let [name, slug, issuer, client, secret, domains, groups, scopes] = inputs else {
        return json!({});
    };
    let scopes = scopes.text();
    let scopes: Vec<&str> = scopes.split_whitespace().collect();
    let domains = domains.text();
    let domains = domains.split(',').map(str::trim).filter(|it| !it.is_empty());
    let claims = SsoClaims { groups: groups.text(), ..claims.clone() };
    let mut body = json!({
        "name": name.text(), "client_id": client.text(), "create_members": create,
        "domains": domains.collect::<Vec<_>>(), "claims": claims, "mappings": mappings,
        "scopes": scopes,
    });
    if let Some(secret) = secret.filled() {
        body["client_secret"] = json!(secret);
    }
    if is_new {
        body["slug"] = json!(slug.text());
        body["issuer"] = json!(issuer.text());
    }
    // An empty text takes it away where there is one.
    if !(is_new && role.is_empty()) {
        body["default_role"] = json!(role);
    }
    body
}

#[derive(Properties, PartialEq)]
struct DefaultProps {
    role: AttrValue,
    onrole: Callback<String>,
}

#[component]
fn DefaultRole(props: &DefaultProps) -> Html {
    let org = use_org();
    let (load, again) = use_load(org.slug(), |org| api::identity::roles(&org));
    let mut options: Vec<(AttrValue, AttrValue)> = vec![("".into(), "Nothing".into())];
    let roles = load.ready().map(|page| page.items.clone()).unwrap_or_default();
    let given = roles.iter().filter(|role| !["owner", "service"].contains(&role.name.as_str()));
    options.extend(given.map(|role| (role.name.to_string().into(), role.title.clone().into())));
    html! {
        <>
        { failed(&load, &again) }
        <SelectField label="Everybody who comes in holds" path="default_role" {options} value={props.role.clone()} onchange={props.onrole.clone()} />
        </>
    }
}

/// The mapping that is being written.
#[derive(Clone, PartialEq)]
struct NextMapping {
    group: Input,
    role: UseStateHandle<String>,
    scope: UseStateHandle<String>,
}

impl NextMapping {
    fn mapping(&self) -> Option<SsoMapping> {
        let (role, scope) = (RoleName((*self.role).clone()), (*self.scope).clone());
        Some(SsoMapping { group: self.group.filled()?, role, scope })
    }
}

/// The roles that groups mean, and one more.
fn mapping_fields(
    next: &NextMapping,
    mappings: &[SsoMapping],
    onchange: &Callback<Vec<SsoMapping>>,
) -> Html {
    let NextMapping { group, role, scope } = next;
    let onadd = {
        let (next, mappings) = (next.clone(), mappings.to_vec());
        onchange.reform(move |()| {
            let all = mappings.iter().cloned().chain(next.mapping()).collect();
            next.group.set("");
            all
        })
    };
    html! {
        <fieldset class="form">
            <legend>{ "Roles that groups mean" }</legend>
            <ul class="plain">
                { for mappings.iter().enumerate().map(|(at, mapping)| {
                    let (mappings, onchange) = (mappings.to_vec(), onchange.clone());
                    let onclick = Callback::from(move |()| {
                        let mut next = mappings.clone();
                        next.remove(at);
                        onchange.emit(next);
                    });
                    html! {
                        <li key={at}>
                            <code>{ &mapping.group }</code>{ format!(" → {} · {} ", mapping.role, mapping.scope) }
                            <IconButton icon={Icon::Trash} label={format!("Remove {}", mapping.group)} {onclick} />
                        </li>
                    }
                }) }
            </ul>
            <TextField label="Group" path="mappings" input={group.clone()} placeholder="platform-admins" />
            <RoleField role={(**role).clone()} scope={(**scope).clone()} onrole={keep(role)} onscope={keep(scope)} />
            <Button icon={Icon::Plus} onclick={onadd}>{ "Add mapping" }</Button>
        </fieldset>
    }
}
