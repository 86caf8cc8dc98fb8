//! Organisations: what operators see of a deployment, which is nothing of what is inside one.

use ralex_api::identity::User;
use ralex_api::links::Invitation;
use ralex_api::operators::{DeletedOrg, ManagedOrg, NewOrgAnswer, OrgState};
use yew::prelude::*;

use super::closed_accounts::ClosedAccounts;
use super::invited::{handed_over, is_in};
use super::operators::Operators;
use super::org_export::Carry;
use super::organisation_forms::{Close, Creator, Ending};
use crate::api;
use crate::components::segments::Segments;
use crate::components::{
    Badge, Button, Column, ConfirmDelete, Empty, Head, Icon, IconButton, Kind, More, Table, Tone,
    When, rest, show, use_toast,
};
use crate::hooks::{Pages, keep, use_pages, use_query};
use crate::text::number::grouped;

const COLUMNS: [Column; 5] = [
    Column::text("Name"),
    Column::number("People"),
    Column::text("State"),
    Column::text("Since").wide(),
    Column::text(""),
];
const GONE: [Column; 4] = [
    Column::text("Name"),
    Column::text("Deleted"),
    Column::text("Why"),
    Column::number("Events in its log").wide(),
];

/// What is open over the list.
#[derive(Clone, PartialEq)]
enum Over {
    Nothing,
    Create,
    Made(Box<User>, Box<Invitation>),
    Close(Box<ManagedOrg>, Ending),
    Open(Box<ManagedOrg>),
    Confirm(Box<ManagedOrg>),
    Withdraw(Box<ManagedOrg>),
    Export(Box<ManagedOrg>),
}

#[component]
pub fn OrganisationsPage() -> Html {
    let (query, set) = use_query();
    let value = query.find("view").unwrap_or_default().to_owned();
    let options = [
        ("", "Organisations"),
        ("operators", "Operators"),
        ("accounts", "Closed accounts"),
        ("deleted", "Deleted"),
    ];
    let options = options.map(|(name, title)| (name.into(), title.into())).to_vec();
    let part = match value.as_str() {
        "operators" => html! { <Operators /> },
        "accounts" => html! { <ClosedAccounts /> },
        "deleted" => html! { <Deleted /> },
        _ => html! { <All /> },
    };
    let onchange = Callback::from(move |view: String| set.emit(query.with("view", &view)));
    html! {
        <>
            <Head title="Organisations" lead="Everything on this deployment is in one of them. Operators make and close them, and see nothing inside." />
            <div><Segments label="Part" {options} {value} {onchange} /></div>
            { part }
        </>
    }
}

#[component]
fn All() -> Html {
    let over = use_state(|| Over::Nothing);
    let toast = use_toast();
    let list =
        use_pages((), |(), cursor| async move { api::operators::orgs(cursor.as_deref()).await });
    let set = keep(&over);
    let onclose = set.reform(|()| Over::Nothing);
    let done = {
        let (onclose, again, toast) = (onclose.clone(), list.again.clone(), toast.clone());
        Callback::from(move |said: AttrValue| {
            onclose.emit(());
            again.emit(());
            toast.emit(said);
        })
    };
    let made = {
        let (set, again) = (set.clone(), list.again.clone());
        Callback::from(move |answer: NewOrgAnswer| {
            again.emit(());
            let owner = is_in(&answer.owner, answer.invitation.as_ref());
            toast.emit(format!("{} is there. {owner}", answer.org.name).into());
            set.emit(match answer.invitation {
                Some(invitation) if !invitation.mailed => {
                    Over::Made(Box::new(answer.owner), Box::new(invitation))
                }
                _ => Over::Nothing,
            });
        })
    };
    html! {
        <>
            <div class="list-head">
                <span />
                <Button kind={Kind::Primary} icon={Icon::Plus} onclick={set.reform(|()| Over::Create)}>{ "Create organisation" }</Button>
            </div>
            { show(&list.state, &list.again, |pages| table(pages, &list.more, &set)) }
            { match &*over {
                Over::Nothing => Html::default(),
                Over::Create => html! { <Creator ondone={made} {onclose} /> },
                Over::Made(owner, invitation) => handed_over(owner, invitation, onclose),
                Over::Close(org, ending) => html! { <Close org={(**org).clone()} ending={*ending} ondone={done} {onclose} /> },
                Over::Open(org) => open_dialog(org, &done, onclose),
                Over::Confirm(org) => confirm_dialog(org, &done, onclose),
                Over::Withdraw(org) => withdraw_dialog(org, &done, onclose),
                Over::Export(org) => html! { <Carry org={(**org).clone()} ondone={done} {onclose} /> },
            } }
        </>
    }
}

fn table(pages: &Pages<ManagedOrg>, more: &Callback<()>, set: &Callback<Over>) -> Html {
    html! {
        <>
            <Table caption="Organisations" columns={COLUMNS.to_vec()}>
                { for pages.items.iter().map(|org| row(org, set)) }
            </Table>
            <More shown={pages.items.len()} noun="organisation" more={pages.next.is_some()} fetching={pages.fetching} problem={pages.problem.clone()} onmore={more.clone()} />
        </>
    }
}

fn row(org: &ManagedOrg, set: &Callback<Over>) -> Html {
    let name = &org.name;
    let with = |over: fn(Box<ManagedOrg>) -> Over| {
        let org = Box::new(org.clone());
        set.reform(move |()| over(org.clone()))
    };
    let (state, reason) = match org.state {
        OrgState::Active => (html! { <Badge tone={Tone::Good}>{ "Active" }</Badge> }, None),
        OrgState::Suspended => (
            html! { <Badge tone={Tone::Warn}>{ "Suspended" }</Badge> },
            org.suspended_reason.clone(),
        ),
        OrgState::Deleting => (
            html! { <Badge tone={Tone::Bad}>{ "To be deleted" }</Badge> },
            org.deletion_reason.clone(),
        ),
    };
    html! {
        <tr key={org.id.to_string()}>
            <td><span class="strong">{ name.to_string() }</span>{ " " }<code class="faint">{ org.slug.to_string() }</code></td>
            <td class="number">{ grouped(org.people.into()) }</td>
            <td>
                { state }
                if let Some(at) = org.delete_after { { " after " }<When {at} /> }
                if org.deletion_by_one { <div class="faint">{ "By one operator alone" }</div> }
                if let Some(reason) = reason { <div class="faint">{ reason }</div> }
                if let Some(asked) = &org.deletion_asked {
                    <div class="faint">{ format!("{} wants it deleted, which another operator has to confirm: {}", asked.asked_by, asked.reason) }</div>
                }
            </td>
            <td class="wide"><When at={org.created_at} /></td>
            <td class="number">
                if org.export_recipients > 0 {
                    <IconButton icon={Icon::Download} label={format!("Export {name}")} onclick={with(Over::Export)} />
                }
                if org.state == OrgState::Active {
                    <IconButton icon={Icon::Stop} label={format!("Suspend {name}")} onclick={with(|org| Over::Close(org, Ending::Suspended))} />
                } else {
                    <IconButton icon={Icon::Play} label={format!("Open {name} again")} onclick={with(Over::Open)} />
                }
                if org.deletion_asked.as_ref().is_some_and(|asked| asked.may_confirm) {
                    <IconButton icon={Icon::Check} label={format!("Confirm that {name} is deleted")} onclick={with(Over::Confirm)} />
                }
                if org.deletion_asked.is_some() {
                    <IconButton icon={Icon::Close} label={format!("Withdraw that {name} is deleted")} onclick={with(Over::Withdraw)} />
                } else if org.state != OrgState::Deleting {
                    <IconButton icon={Icon::Trash} label={format!("Delete {name}")} onclick={with(|org| Over::Close(org, Ending::Deleted))} />
                }
            </td>
        </tr>
    }
}

/// Asks before an organisation is opened again, or kept.
fn open_dialog(org: &ManagedOrg, ondone: &Callback<AttrValue>, onclose: Callback<()>) -> Html {
    let (name, slug) = (org.name.to_string(), org.slug.to_string());
    let keeps = org.state == OrgState::Deleting;
    let still = keeps && org.suspended_at.is_some();
    let (title, verb) = if keeps {
        (format!("Keep {name}?"), "Keep")
    } else {
        (format!("Open {name} again?"), "Open again")
    };
    let act = Callback::from(move |()| {
        if keeps { api::operators::keep(&slug) } else { api::operators::resume(&slug) }
    });
    let said: AttrValue = if still {
        format!("{name} is kept, and still suspended.").into()
    } else {
        format!("{name} is open again.").into()
    };
    html! {
        <ConfirmDelete {title} {verb} delete={act} ondone={ondone.reform(move |()| said.clone())} {onclose}>
            <p>{ "People and programs hold again what they held before." }</p>
            if still { <p>{ "It was suspended before, and stays so." }</p> }
        </ConfirmDelete>
    }
}

/// Asks before an organisation is deleted as another operator has asked.
fn confirm_dialog(org: &ManagedOrg, ondone: &Callback<AttrValue>, onclose: Callback<()>) -> Html {
    let Some(asked) = org.deletion_asked.clone() else { return Html::default() };
    let (name, slug) = (org.name.to_string(), org.slug.to_string());
    let said: AttrValue = format!("{name} is closed, and will be deleted.").into();
    let what = format!(
        "{} wants it deleted: {} It is closed at once, and can be kept for {} days. Then all of it is removed, \
         its keys and its audit log too, and nothing brings it back.",
        asked.asked_by, asked.reason, asked.grace_days
    );
    let act = Callback::from(move |()| api::operators::confirm_deletion(&slug, &asked));
    html! {
        <ConfirmDelete title={format!("Delete {name}?")} verb="Confirm" delete={act} ondone={ondone.reform(move |()| said.clone())} {onclose}>
            <p>{ what }</p>
        </ConfirmDelete>
    }
}

/// Asks before what somebody wants is withdrawn.
fn withdraw_dialog(org: &ManagedOrg, ondone: &Callback<AttrValue>, onclose: Callback<()>) -> Html {
    let (name, slug) = (org.name.to_string(), org.slug.to_string());
    let said: AttrValue = format!("{name} is not deleted.").into();
    let act = Callback::from(move |()| api::operators::keep(&slug));
    html! {
        <ConfirmDelete title={format!("Withdraw that {name} is deleted?")} verb="Withdraw" delete={act} ondone={ondone.reform(move |()| said.clone())} {onclose}>
            <p>{ "Nothing was closed yet. Whoever wants it still can ask anew." }</p>
        </ConfirmDelete>
    }
}

/// What is left of organisations that are gone.
#[component]
fn Deleted() -> Html {
    let list =
        use_pages((), |(), cursor| async move { api::operators::deleted(cursor.as_deref()).await });
    show(&list.state, &list.again, |page| {
        if page.items.is_empty() {
            return html! { <Empty icon={Icon::Trash} title="None was deleted"><p>{ "What is left of one would stand here: that it was there, and how its audit log ended." }</p></Empty> };
        }
        html! { <>
            <Table caption="Deleted organisations" columns={GONE.to_vec()}>
                { for page.items.iter().map(gone) }
            </Table>
            { rest(page, "organisation", &list.more) }
        </> }
    })
}

fn gone(org: &DeletedOrg) -> Html {
    html! {
        <tr key={org.id.to_string()}>
            <td><span class="strong">{ org.name.to_string() }</span>{ " " }<code class="faint">{ org.slug.to_string() }</code></td>
            <td><When at={org.deleted_at} /></td>
            <td>{ org.reason.clone() }</td>
            <td class="number wide">{ grouped(org.tree_size) }</td>
        </tr>
    }
}
