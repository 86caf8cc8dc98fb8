//! Tokens of teams and service accounts: what programs sign in with.

use chrono::{DateTime, Utc};
use ralex_api::tokens::{NewTokenAnswer, Token, TokenStop};
use ralex_kernel::Slug;
use yew::prelude::*;

use super::service_accounts::ServiceAccounts;
use super::token_form::TokenForm;
use super::token_rotation::RotateDialog;
use crate::api;
use crate::components::secret::SecretOnce;
use crate::components::segments::Segments;
use crate::components::{
    Badge, Button, Code, Column, ConfirmDelete, Empty, Head, Icon, IconButton, Kind, More, Table,
    Tone, When, show, use_toast,
};
use crate::hooks::{Pages, keep, use_now, use_pages, use_query};
use crate::session::{Org, use_org};

const COLUMNS: [Column; 7] = [
    Column::text("Name"),
    Column::text("Works for"),
    Column::text("Models").wide(),
    Column::text("Last used").wide(),
    Column::text("Expires").wide(),
    Column::text("State"),
    Column::text(""),
];

/// What is open over the page.
#[derive(Clone, PartialEq)]
enum Over {
    Nothing,
    Create,
    Created(String),
    Revoke(Box<Token>),
    Rotate(Box<Token>),
}

#[component]
pub fn TokensPage() -> Html {
    let org = use_org();
    let (query, set) = use_query();
    let view = query.find("view").unwrap_or_default().to_owned();
    let views = vec![("".into(), "Tokens".into()), ("accounts".into(), "Service accounts".into())];
    let onview = {
        let query = query.clone();
        Callback::from(move |view: String| set.emit(query.with("view", &view)))
    };
    let accounts = view == "accounts";
    html! {
        <>
            <Head title="Tokens" lead="Programs call models with a token. Its secret is shown once, when it is made." />
            if org.can("service_account.read") { <div><Segments label="Part" options={views} value={view} onchange={onview} /></div> }
            if accounts { <ServiceAccounts /> } else { <Tokens /> }
        </>
    }
}

/// All tokens, whosever they are.
#[component]
fn Tokens() -> Html {
    let org = use_org();
    let (over, now) = (use_state(|| Over::Nothing), use_now());
    let toast = use_toast();
    let list = use_pages(org.slug(), |org, cursor| api::identity::tokens(&org, cursor));
    let set = keep(&over);
    let onclose = set.reform(|()| Over::Nothing);
    let created = {
        let (set, again) = (set.clone(), list.again.clone());
        Callback::from(move |answer: NewTokenAnswer| {
            again.emit(());
            set.emit(Over::Created(answer.token));
        })
    };
    let revoked = {
        let (close, again) = (onclose.clone(), list.again.clone());
        Callback::from(move |name: String| {
            close.emit(());
            again.emit(());
            toast.emit(format!("Token {name} is revoked.").into());
        })
    };
    let rotated = {
        let (set, again) = (set.clone(), list.again.clone());
        Callback::from(move |secret| {
            again.emit(());
            set.emit(Over::Created(secret));
        })
    };
    let ended = {
        let (close, again) = (onclose.clone(), list.again.clone());
        Callback::from(move |()| {
            close.emit(());
            again.emit(());
        })
    };
    let create = html! {
        if org.can("token.create") { <Button kind={Kind::Primary} icon={Icon::Plus} onclick={set.reform(|()| Over::Create)}>{ "Create token" }</Button> }
    };
    html! {
        <>
            <div class="list-head"><span />{ create.clone() }</div>
            { show(&list.state, &list.again, |pages| table(pages, &list.more, (now, &org), &set, create)) }
            { match &*over {
                Over::Nothing => Html::default(),
                Over::Create => html! { <TokenForm ondone={created} {onclose} /> },
                Over::Created(secret) => created_dialog(secret, onclose),
                Over::Revoke(token) => revoke_dialog(&org.slug(), token, &revoked, onclose),
                Over::Rotate(token) => html! { <RotateDialog token={(**token).clone()} org={org.slug()} onrotated={rotated} onended={ended} {onclose} /> },
            } }
        </>
    }
}

fn table(
    pages: &Pages<Token>,
    more: &Callback<()>,
    (now, org): (DateTime<Utc>, &Org),
    set: &Callback<Over>,
    create: Html,
) -> Html {
    if pages.items.is_empty() {
        return html! {
            <Empty icon={Icon::Key} title="No token yet">
                <p>{ "Make one for a team and point an OpenAI or Anthropic SDK at this address." }</p>{ create }
            </Empty>
        };
    }
    let onrevoke = set.reform(|token| Over::Revoke(Box::new(token)));
    let onrotate = set.reform(|token| Over::Rotate(Box::new(token)));
    html! {
        <>
            <Table caption="Tokens" columns={COLUMNS.to_vec()}>
                { for pages.items.iter().map(|token| token_row(token, now, allowed(org, token), &onrevoke, &onrotate)) }
            </Table>
            <More shown={pages.items.len()} noun="token" more={pages.next.is_some()} fetching={pages.fetching} problem={pages.problem.clone()} onmore={more.clone()} />
        </>
    }
}

/// What may be done with a token in a row: revoked, and rotated.
pub type Allowed = (bool, bool);

/// The same for a token of a team or of a program.
fn allowed(org: &Org, token: &Token) -> Allowed {
    let team = token.team.as_ref().map(Slug::as_str).unwrap_or_default();
    let project = token.project.as_ref().map(Slug::as_str);
    let may = |permission: &str| org.can_in(permission, team, project);
    (may("token.revoke"), may("token.create"))
}

/// One token; what is done with it begins with these two.
pub fn token_row(
    token: &Token,
    now: DateTime<Utc>,
    (revoke, rotate): Allowed,
    onrevoke: &Callback<Token>,
    onrotate: &Callback<Token>,
) -> Html {
    let expired = token.expires_at.is_some_and(|at| at <= now);
    let live = token.revoked_at.is_none() && !expired;
    let works = live && token.stopped.is_none();
    let (chosen, turned) = (token.clone(), token.clone());
    let when = |at: Option<DateTime<Utc>>, none: &'static str| match at {
        Some(at) => html! { <When {at} /> },
        None => html! { <span class="faint">{ none }</span> },
    };
    let (tone, word) = match (token.revoked_at.is_some(), expired, token.stopped) {
        (true, ..) => (Tone::Plain, "Revoked"),
        (false, true, _) => (Tone::Warn, "Expired"),
        (false, false, Some(TokenStop::Disabled)) => (Tone::Warn, "Disabled"),
        (false, false, Some(TokenStop::RoleOver)) => (Tone::Warn, "Its maker's role is over"),
        (false, false, Some(TokenStop::SignOnOver)) => (Tone::Warn, "Its sign-on is over"),
        (false, false, None) => (Tone::Good, "Works"),
    };
    html! {
        <tr key={token.id.to_string()} class={classes!((!works).then_some("gone"))}>
            <td><span class="strong">{ token.name.to_string() }</span>{ " " }<code class="faint">{ format!("…{}", token.last_four) }</code></td>
            <td>{ works_for(token) }</td>
            <td class="wide">{ token.models.as_ref().map_or_else(|| "All".to_owned(), |models| models.join(", ")) }</td>
            <td class="wide">{ when(token.last_used_at, "Never") }</td>
            <td class="wide">{ when(token.expires_at, "Never") }</td>
            <td>
                <Badge {tone}>{ word }</Badge>
                if live && token.former.is_some() { <Badge tone={Tone::Warn}>{ "Two secrets" }</Badge> }
                if let Some(names) = &token.permissions { <span class="faint" title={names.join(", ")}>{ " Narrowed" }</span> }
                if let Some(networks) = &token.addresses { <span class="faint" title={networks.join(", ")}>{ " Some networks" }</span> }
            </td>
            <td class="number">
                if live && if token.former.is_some() { revoke } else { rotate } { <IconButton icon={Icon::Rotate} label={format!("Rotate {}", token.name)} onclick={onrotate.reform(move |()| turned.clone())} /> }
                if revoke && live { <IconButton icon={Icon::Trash} label={format!("Revoke {}", token.name)} onclick={onrevoke.reform(move |()| chosen.clone())} /> }
            </td>
        </tr>
    }
}

fn works_for(token: &Token) -> String {
    let place = match (&token.team, &token.project) {
        (Some(team), Some(project)) => format!("{team} / {project}"),
        (Some(team), None) => team.to_string(),
        (None, _) => "You".to_owned(),
    };
    match &token.service_account {
        Some(account) => format!("{account}, of {place}"),
        None => place,
    }
}

/// The new secret, and how to use it.
pub fn created_dialog(secret: &str, onclose: Callback<()>) -> Html {
    let origin =
        web_sys::window().and_then(|window| window.location().origin().ok()).unwrap_or_default();
    let settings = format!(
        "export OPENAI_BASE_URL={origin}/v1\nexport OPENAI_API_KEY=<the token>\n\nexport ANTHROPIC_BASE_URL={origin}\nexport ANTHROPIC_API_KEY=<the token>"
    );
    html! {
        <SecretOnce title="Token created" label="Token" secret={secret.to_owned()} {onclose}>
            <p class="label">{ "Use it with an SDK as it is" }</p>
            <Code text={settings} label="Environment variables" />
        </SecretOnce>
    }
}

fn revoke_dialog(
    org: &str,
    token: &Token,
    ondone: &Callback<String>,
    onclose: Callback<()>,
) -> Html {
    let Token { id, name, .. } = token.clone();
    let title = format!("Revoke {name}?");
    let ondone = ondone.reform(move |()| name.to_string());
    let org = org.to_owned();
    let delete = Callback::from(move |()| api::identity::revoke_token(&org, id));
    html! {
        <ConfirmDelete {title} verb="Revoke token" {delete} {ondone} {onclose}>
            <p>
                { format!("1 token, …{}, stops working within a second", token.last_four) }
                if let Some(used) = token.last_used_at { <>{ "; it was last used " }<When at={used} /></> } else { { "; it was never used" } }
                { ". This cannot be undone; a program that still needs it wants a new one." }
            </p>
        </ConfirmDelete>
    }
}
