//! What one person or program holds, given, denied and taken away.

use chrono::{DateTime, Utc};
use ralex_api::access::{Binding, BindingEffect, NewBinding, RoleName};
use yew::prelude::*;

use super::add_person::RoleField;
use super::as_of::AsOf;
use super::budget_increase::instant;
use super::why::Why;
use crate::api;
use crate::components::{
    Badge, Column, ConfirmDelete, Dialog, Form, Icon, IconButton, SelectField, Switch, Table,
    TextField, Tone, When, rest, show,
};
use crate::hooks::{keep, use_action, use_input, use_now, use_pages};
use crate::session::{Org, use_org};

const COLUMNS: [Column; 5] = [
    Column::text("Role"),
    Column::text("Where"),
    Column::text("Until"),
    Column::text("By").wide(),
    Column::text(""),
];

#[derive(Properties, PartialEq)]
pub struct Props {
    /// `user:<id>` or `service_account:<slug>`.
    pub subject: AttrValue,
    pub name: AttrValue,
    pub onchange: Callback<()>,
    pub onclose: Callback<()>,
}

#[component]
pub fn RolesDialog(props: &Props) -> Html {
    let (org, now) = (use_org(), use_now());
    let moment = use_state(|| None::<DateTime<Utc>>);
    let wants = (org.slug(), props.subject.clone(), *moment);
    let list = use_pages(wants, |(org, subject, at), cursor| {
        api::policies::bindings(&org, Some(&subject), at, cursor)
    });
    let again = list.again.clone();
    let round = use_state(|| 0_u32);
    let changed = {
        let (again, round) = (again.clone(), round.clone());
        let onchange = props.onchange.clone();
        Callback::from(move |()| {
            round.set(*round + 1);
            again.emit(());
            onchange.emit(());
        })
    };
    let taking = use_state(|| None::<Binding>);
    let ontake = keep(&taking).reform(Some);
    let onkeep = keep(&taking).reform(|()| None);
    let (asks, past) = (use_state(|| false), use_state(|| false));
    let onpast = {
        let (past, moment) = (past.clone(), moment.clone());
        Callback::from(move |on: bool| {
            past.set(on);
            moment.set(None);
        })
    };
    // What is past can be read and not changed.
    let may = moment.is_none() && (org.can("role.bind") || org.can("role.deny"));
    let time = moment.unwrap_or(now);
    if let Some(binding) = &*taking {
        return take_dialog(&org.slug(), &props.name, binding, &changed, onkeep);
    }
    html! {
        <Dialog title={format!("Roles of {}", props.name)} onclose={props.onclose.clone()}>
            { show(&list.state, &again, |page| if page.items.is_empty() {
                let words = if moment.is_some() { "Nothing was given or denied then." } else { "Nothing is given or denied." };
                html! { <p class="faint">{ words }</p> }
            } else {
                html! { <>
                    <Table caption="Roles" columns={COLUMNS.to_vec()}>
                        { for page.items.iter().map(|binding| row(&org, time, binding, may.then_some(&ontake))) }
                    </Table>
                    { rest(page, "role", &list.more) }
                </> }
            }) }
            <div class="panel-actions">
                <Switch on={*asks} onchange={keep(&asks)} label="Why may they, or not?" />
                <Switch on={*past} onchange={onpast} label="As it was" />
            </div>
            if *past { <div oninput={|event: InputEvent| event.stop_propagation()}><AsOf onchange={keep(&moment)} /></div> }
            if *asks { <Why subject={props.subject.clone()} round={*round} at={*moment} /> }
            if may { <Give subject={props.subject.clone()} {changed} onclose={props.onclose.clone()} /> }
        </Dialog>
    }
}

/// Whether this may be taken away by whoever looks at it; what the server says, it says anyway.
fn may_take(org: &Org, binding: &Binding) -> bool {
    let permission = match binding.effect {
        BindingEffect::Allow => "role.bind",
        BindingEffect::Deny => "role.deny",
    };
    // Of a project is not known here which team's it is.
    if binding.scope.starts_with("project:") {
        org.can(permission)
    } else {
        org.can_at(permission, std::slice::from_ref(&binding.scope))
    }
}

/// As it is at the time; to be taken away where that can be.
fn row(
    org: &Org,
    now: DateTime<Utc>,
    binding: &Binding,
    ontake: Option<&Callback<Binding>>,
) -> Html {
    let denied = binding.effect == BindingEffect::Deny;
    let over = binding.expires_at.is_some_and(|end| end <= now);
    let chosen = binding.clone();
    html! {
        <tr key={binding.id.to_string()} class={classes!(over.then_some("gone"))}>
            <td>
                <span class="strong">{ binding.role.to_string() }</span>
                if denied { { " " }<Badge tone={Tone::Warn} title="Takes away what the role allows, whatever else is held">{ "Denied" }</Badge> }
            </td>
            <td><code>{ binding.scope.clone() }</code></td>
            <td>
                if let Some(start) = binding.not_before.filter(|start| *start > now) { <span class="faint">{ "from " }<When at={start} />{ " " }</span> }
                if let Some(end) = binding.expires_at { <When at={end} /> } else { <span class="faint">{ "For good" }</span> }
            </td>
            <td class="wide">{ binding.created_by.clone() }</td>
            <td class="number">
                if let Some(ontake) = ontake.filter(|_| may_take(org, binding)) {
                    <IconButton icon={Icon::Trash} label={format!("Take {} away", binding.role)} onclick={ontake.reform(move |()| chosen.clone())} />
                }
            </td>
        </tr>
    }
}

/// In the place of the dialog, to which both answers lead back.
fn take_dialog(
    org: &str,
    name: &str,
    binding: &Binding,
    changed: &Callback<()>,
    onclose: Callback<()>,
) -> Html {
    let (org, id, role) = (org.to_owned(), binding.id, &binding.role);
    let delete = Callback::from(move |()| api::identity::delete_binding(&org, id));
    let ondone = {
        let (changed, close) = (changed.clone(), onclose.clone());
        Callback::from(move |()| {
            close.emit(());
            changed.emit(());
        })
    };
    let told = match binding.effect {
        BindingEffect::Allow => format!(
            "{name} loses within a second what {role} allows at {}, unless they have it by another role or group.",
            binding.scope
        ),
        BindingEffect::Deny => format!(
            "{role} is not denied at {} any more: what other roles and groups give {name} counts again within a second.",
            binding.scope
        ),
    };
    html! {
        <ConfirmDelete title={format!("Take {role} away from {name}?")} verb="Take it away" {delete} {ondone} {onclose}>
            <p>{ told }</p>
        </ConfirmDelete>
    }
}

#[derive(Properties, PartialEq)]
struct GiveProps {
    subject: AttrValue,
    changed: Callback<()>,
    onclose: Callback<()>,
}

#[component]
fn Give(props: &GiveProps) -> Html {
    let org = use_org();
    let give = use_action(props.changed.reform(|_: Binding| ()));
    let role = use_state(|| "viewer".to_owned());
    let scope = use_state(|| "org".to_owned());
    let effect = use_state(|| BindingEffect::Allow);
    let until = use_input("", |text| {
        let wrong = !text.trim().is_empty() && instant(text).is_none();
        wrong.then(|| "Enter a day and a time.".to_owned())
    });
    let onsubmit = {
        let (role, scope, effect, until) =
            (role.clone(), scope.clone(), effect.clone(), until.clone());
        let (give, slug, subject) = (give.clone(), org.slug(), props.subject.to_string());
        Callback::from(move |()| {
            let new = NewBinding {
                subject: subject.clone(),
                role: RoleName((*role).clone()),
                scope: Some((*scope).clone()),
                effect: *effect,
                not_before: None,
                expires_at: instant(&until.text()),
            };
            give.run(api::identity::create_binding(&slug, new));
        })
    };
    let (denies, gives) = (org.can("role.deny"), org.can("role.bind"));
    let words = [(gives, "allow", "Give it"), (denies, "deny", "Deny it")];
    let effects: Vec<(AttrValue, AttrValue)> = words
        .into_iter()
        .filter(|(may, ..)| *may)
        .map(|(_, word, title)| (word.into(), title.into()))
        .collect();
    let oneffect = {
        let effect = effect.clone();
        Callback::from(move |word: String| {
            effect.set(BindingEffect::named(&word).unwrap_or_default());
        })
    };
    html! {
        <Form inputs={vec![until.clone()]} verb={if *effect == BindingEffect::Deny { "Deny role" } else { "Give role" }}
            running={give.running()} problem={give.problem()} {onsubmit} oncancel={props.onclose.clone()}>
            <RoleField role={(*role).clone()} scope={(*scope).clone()} onrole={keep(&role)} onscope={keep(&scope)} />
            <div class="pair">
                <SelectField label="Effect" path="effect" options={effects} value={effect.as_str()} onchange={oneffect} />
                <TextField label="Until (UTC)" path="expires_at" kind="datetime-local" input={until} hint="Until it is taken away when empty." />
            </div>
        </Form>
    }
}
