//! People: who is in the organisation, and with which roles.

use ralex_api::identity::{Member, NewMemberAnswer, User};
use ralex_api::links::Invitation;
use ralex_kernel::Problem;
use yew::prelude::*;

use super::access_requests::AccessRequests;
use super::access_reviews::AccessReviews;
use super::add_person::AddPerson;
use super::factors::FactorPolicy;
use super::groups::Groups;
use super::invited::{handed_over, is_in};
use super::lost::not_open;
use super::org_export::OrgExport;
use super::policy::Policy;
use super::roles::Roles;
use super::roles_of::RolesDialog;
use super::scim::Provisioning;
use super::sso::SingleSignOn;
use crate::api;
use crate::components::segments::Segments;
use crate::components::{
    Badge, Button, Column, Confirm, ConfirmDelete, Empty, Failed, Head, Icon, IconButton, Kind,
    More, Table, Tone, When, show, use_toast,
};
use crate::hooks::{Pages, keep, use_action, use_pages, use_query};
use crate::people_view::PeopleView;
use crate::session::{Org, use_org, use_session};

const COLUMNS: [Column; 5] = [
    Column::text("Name"),
    Column::text("E-mail").wide(),
    Column::text("Roles"),
    Column::text("Joined").wide(),
    Column::text(""),
];

/// What is open over the page.
#[derive(Clone, PartialEq)]
enum Over {
    Nothing,
    Add,
    Added(Box<User>, Box<Invitation>),
    Remove(Box<Member>),
    Roles(Box<Member>),
    Suspend(Box<Member>),
}

#[component]
pub fn PeoplePage() -> Html {
    let org = use_org();
    let (query, set) = use_query();
    let open = PeopleView::open_to(&org);
    let named = query.find("view").unwrap_or_default();
    let view = PeopleView::of(named, &open);
    let options: Vec<(AttrValue, AttrValue)> =
        open.iter().map(|view| (view.as_str().into(), view.title().into())).collect();
    let onview = {
        let query = query.clone();
        Callback::from(move |view: String| set.emit(query.with("view", &view).with("which", "")))
    };
    let value = view.map(PeopleView::as_str).unwrap_or_default();
    html! {
        <>
            <Head title="People" lead="Who is in the organisation and what each may do." />
            if options.len() > 1 { <div><Segments label="Part" {options} {value} onchange={onview} /></div> }
            { view.map_or_else(no_part, |view| if open.contains(&view) { part(view, &org) } else { not_open(view.title(), view.permission()) }) }
        </>
    }
}

fn part(view: PeopleView, org: &Org) -> Html {
    match view {
        PeopleView::People => html! { <People /> },
        PeopleView::Groups => html! { <Groups /> },
        PeopleView::Roles => html! { <Roles /> },
        PeopleView::Policy => html! { <Policy /> },
        PeopleView::Access => html! { <AccessRequests /> },
        PeopleView::Reviews => html! { <AccessReviews /> },
        PeopleView::SignIn => html! {
            <>
                if org.can_everywhere("security.manage") { <FactorPolicy /> }
                if org.can_everywhere("sso.manage") { <SingleSignOn /> }
                if org.can_everywhere("scim.manage") { <Provisioning /> }
            </>
        },
        PeopleView::Export => html! { <OrgExport /> },
    }
}

/// Where the address names a part that there is not.
fn no_part() -> Html {
    html! { <Empty icon={Icon::Search} title="There is no such part"><p>{ "Choose one of those above." }</p></Empty> }
}

/// Everybody, with what they hold.
#[component]
fn People() -> Html {
    let org = use_org();
    let over = use_state(|| Over::Nothing);
    let toast = use_toast();
    let list = use_pages(org.slug(), |org, cursor| api::identity::members(&org, cursor));
    let set = keep(&over);
    let onclose = set.reform(|()| Over::Nothing);
    let done = {
        let (set, again, toast) = (set.clone(), list.again.clone(), toast.clone());
        Callback::from(move |answer: NewMemberAnswer| {
            again.emit(());
            let user = answer.member.user;
            toast.emit(is_in(&user, answer.invitation.as_ref()));
            set.emit(match answer.invitation {
                Some(invitation) if !invitation.mailed => {
                    Over::Added(Box::new(user), Box::new(invitation))
                }
                _ => Over::Nothing,
            });
        })
    };
    let invited = use_action(done.clone());
    let oninvite = {
        let (invited, slug) = (invited.clone(), org.slug());
        Callback::from(move |member: Member| {
            invited.run(api::identity::invite_member(&slug, member.user.id));
        })
    };
    let removed = {
        let (close, again, toast) = (onclose.clone(), list.again.clone(), toast.clone());
        Callback::from(move |name: String| {
            close.emit(());
            again.emit(());
            toast.emit(format!("{name} is removed.").into());
        })
    };
    let switched = {
        let (close, again, toast) = (onclose.clone(), list.again.clone(), toast);
        use_action(Callback::from(move |member: Member| {
            close.emit(());
            again.emit(());
            let now = if member.suspended_at.is_some() { "suspended" } else { "back in" };
            toast.emit(format!("{} is {now}.", member.user.name).into());
        }))
    };
    let onswitch = {
        let (switched, slug) = (switched.clone(), org.slug());
        Callback::from(move |member: Member| {
            let suspend = member.suspended_at.is_none();
            switched.run(api::identity::suspend_member(&slug, member.user.id, suspend));
        })
    };
    html! {
        <>
            <div class="list-head">
                <span />
                if org.can("member.invite") { <Button kind={Kind::Primary} icon={Icon::Plus} onclick={set.reform(|()| Over::Add)}>{ "Add person" }</Button> }
            </div>
            { show(&list.state, &list.again, |pages| table(pages, &list.more, (org.can_everywhere("member.remove"), org.can_everywhere("member.invite").then(|| oninvite.clone())), &set)) }
            if let Some(problem) = invited.problem() { <Failed {problem} /> }
            { match &*over {
                Over::Nothing => Html::default(),
                Over::Add => html! { <AddPerson ondone={done} {onclose} /> },
                Over::Added(user, invitation) => handed_over(user, invitation, onclose),
                Over::Roles(member) => html! {
                    <RolesDialog subject={format!("user:{}", member.user.id)} name={member.user.name.to_string()} onchange={list.again.clone()} {onclose} />
                },
                Over::Suspend(member) => suspend_dialog(member, (switched.running(), switched.problem()), &onswitch, onclose),
                Over::Remove(member) => remove_dialog(&org, member, &removed, onclose),
            } }
        </>
    }
}

fn table(
    pages: &Pages<Member>,
    more: &Callback<()>,
    (may, oninvite): (bool, Option<Callback<Member>>),
    set: &Callback<Over>,
) -> Html {
    if pages.items.is_empty() {
        return html! { <Empty icon={Icon::People} title="Nobody is here yet"><p>{ "Add a person by e-mail address." }</p></Empty> };
    }
    html! {
        <>
            <Table caption="People" columns={COLUMNS.to_vec()}>
                { for pages.items.iter().map(|member| html! { <Row key={member.user.id.to_string()} member={member.clone()} {may} oninvite={oninvite.clone()} onroles={set.reform(|member| Over::Roles(Box::new(member)))} onsuspend={set.reform(|member| Over::Suspend(Box::new(member)))} onremove={set.reform(|member| Over::Remove(Box::new(member)))} /> }) }
            </Table>
            <More shown={pages.items.len()} noun="member" more={pages.next.is_some()} fetching={pages.fetching} problem={pages.problem.clone()} onmore={more.clone()} />
        </>
    }
}

#[derive(Properties, PartialEq)]
struct RowProps {
    member: Member,
    may: bool,
    onroles: Callback<Member>,
    /// Where the viewer may invite.
    oninvite: Option<Callback<Member>>,
    onsuspend: Callback<Member>,
    onremove: Callback<Member>,
}

#[component]
fn Row(props: &RowProps) -> Html {
    let member = &props.member;
    let session = use_session();
    let own = session.is_some_and(|session| session.me.user.id == member.user.id);
    let with = |open: &Callback<Member>| {
        let member = member.clone();
        open.reform(move |()| member.clone())
    };
    let invited = member.awaits_acceptance || member.invited_until.is_some();
    let (icon, verb) = match member.suspended_at {
        Some(_) => (Icon::Play, "Let back in"),
        None => (Icon::Stop, "Suspend"),
    };
    html! {
        <tr>
            <td class="strong">{ member.user.name.to_string() }if own { <span class="faint">{ " (you)" }</span> }</td>
            <td class="wide">{ member.user.email.to_string() }</td>
            <td>
                <span class="badges">
                    if member.suspended_at.is_some() { <Badge tone={Tone::Warn}>{ "Suspended" }</Badge> }
                    if invited { <Badge>{ "Invited" }</Badge> }
                    { for member.roles.iter().map(|held| {
                        let place = if held.scope == "org" { String::new() } else { format!(" · {}", held.scope) };
                        let by = held.group.iter().map(|group| format!(" · by {group}"));
                        html! { <Badge>{ format!("{}{place}{}", held.role, by.collect::<String>()) }</Badge> }
                    }) }
                </span>
            </td>
            <td class="wide"><When at={member.joined_at} /></td>
            <td class="number">
                <IconButton icon={Icon::Shield} label={format!("Roles of {}", member.user.name)} onclick={with(&props.onroles)} />
                if let Some(oninvite) = props.oninvite.as_ref().filter(|_| invited) {
                    <IconButton icon={Icon::Rotate} label={format!("Invite {} again", member.user.name)} onclick={with(oninvite)} />
                }
                if props.may {
                    if !own { <IconButton {icon} label={format!("{verb} {}", member.user.name)} onclick={with(&props.onsuspend)} /> }
                    <IconButton icon={Icon::Trash} label={format!("Remove {}", member.user.name)} onclick={with(&props.onremove)} />
                }
            </td>
        </tr>
    }
}

fn suspend_dialog(
    member: &Member,
    (running, problem): (bool, Option<Problem>),
    onswitch: &Callback<Member>,
    onclose: Callback<()>,
) -> Html {
    let (name, chosen) = (&member.user.name, member.clone());
    let (title, verb, what) = match member.suspended_at {
        Some(_) => (
            format!("Let {name} back in?"),
            "Let back in",
            "They have again what they were given here. Sessions and tokens that ended stay so.",
        ),
        None => (
            format!("Suspend {name}?"),
            "Suspend",
            "Nothing here is open to them within a second, by session or token. What they were given is kept for when they are back.",
        ),
    };
    html! {
        <Confirm {title} {verb} {running} {problem} onconfirm={onswitch.reform(move |()| chosen.clone())} {onclose}>
            <p>{ what }</p>
        </Confirm>
    }
}

fn remove_dialog(
    org: &Org,
    member: &Member,
    ondone: &Callback<String>,
    onclose: Callback<()>,
) -> Html {
    let (user, roles, name) = (member.user.clone(), member.roles.len() as u64, org.name());
    let title = format!("Remove {}?", user.name);
    let ondone = ondone.reform(move |()| user.name.to_string());
    let (org, id) = (org.slug(), member.user.id);
    let delete = Callback::from(move |()| api::identity::remove_member(&org, id));
    html! {
        <ConfirmDelete {title} verb="Remove" {delete} {ondone} {onclose}>
            <p>{ format!("They lose {} in {name} within a second, and their personal tokens stop working here. What they did stays in the audit log.", crate::text::number::counted(roles, "role")) }</p>
        </ConfirmDelete>
    }
}
