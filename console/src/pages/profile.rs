//! One's own account: password, sessions and personal tokens.

use ralex_api::identity::Session;
use ralex_api::tokens::{NewPersonalToken, NewTokenAnswer, Token};
use yew::prelude::*;

use super::factors::SecondFactors;
use super::identities::Identities;
use super::naming::{NameSession, Rename};
use super::password::PasswordForm;
use super::token_form::{NameAndLife, model_checks, models_of};
use super::token_limits::{Limits, use_limits};
use super::token_rotation::RotateDialog;
use super::tokens::{created_dialog, token_row};
use crate::api;
use crate::components::{
    Badge, Button, Column, ConfirmDelete, Head, Icon, IconButton, Table, Tone, When, key_value,
    rest, show, use_toast,
};
use crate::hooks::{keep, use_action, use_load, use_now, use_pages};
use crate::session::use_session;

#[component]
pub fn ProfilePage() -> Html {
    let Some(session) = use_session() else { return Html::default() };
    let toast = use_toast();
    let user = session.me.user.clone();
    let changed = Callback::from(move |()| {
        toast.emit("The password is changed; your other sessions have ended.".into());
    });
    let renaming = use_state(|| false);
    let set = keep(&renaming);
    let onclose = set.reform(|()| false);
    let renamed = {
        let (refresh, onclose) = (session.refresh.clone(), onclose.clone());
        Callback::from(move |_| {
            onclose.emit(());
            refresh.emit(());
        })
    };
    let facts: Vec<(AttrValue, Html)> = vec![
        (
            "Name".into(),
            html! { <>{ user.name.to_string() }{ " " }<IconButton class="small" icon={Icon::Edit} label="Change your name" onclick={set.reform(|()| true)} /></> },
        ),
        ("E-mail".into(), html! { { user.email.to_string() } }),
        (
            "Organisations".into(),
            html! { { session.me.orgs.iter().map(|org| org.name.to_string()).collect::<Vec<_>>().join(", ") } },
        ),
    ];
    html! {
        <>
            <Head title="Your profile" lead="Your account, where you are signed in, and tokens with your own rights." />
            <section class="panel narrow">{ key_value(&facts) }</section>
            if *renaming { <Rename user={user} ondone={renamed} {onclose} /> }
            <SecondFactors />
            <Identities />
            <OwnTokens />
            <Sessions />
            <section class="panel narrow">
                <header class="panel-head"><h2>{ "Password" }</h2></header>
                <PasswordForm current="Current password" verb="Change password" ondone={changed} />
            </section>
        </>
    }
}

/// What is open over the list.
#[derive(Clone, PartialEq)]
enum Over {
    Nothing,
    Create,
    Created(String),
    Revoke(Box<Token>),
    Rotate(Box<Token>),
}

#[component]
fn OwnTokens() -> Html {
    let (over, now) = (use_state(|| Over::Nothing), use_now());
    let list = use_pages((), |(), cursor| api::identity::own_tokens(cursor));
    let again = list.again.clone();
    let set = keep(&over);
    let onclose = set.reform(|()| Over::Nothing);
    let created = {
        let (set, again) = (set.clone(), again.clone());
        Callback::from(move |answer: NewTokenAnswer| {
            again.emit(());
            set.emit(Over::Created(answer.token));
        })
    };
    let revoked = {
        let (close, again) = (onclose.clone(), again.clone());
        Callback::from(move |()| {
            close.emit(());
            again.emit(());
        })
    };
    let onrevoke = set.reform(|token| Over::Revoke(Box::new(token)));
    let onrotate = set.reform(|token| Over::Rotate(Box::new(token)));
    let rotated = {
        let (set, again) = (set.clone(), again.clone());
        Callback::from(move |secret| {
            again.emit(());
            set.emit(Over::Created(secret));
        })
    };
    let columns = vec![
        Column::text("Name"),
        Column::text("Works for"),
        Column::text("Models").wide(),
        Column::text("Last used").wide(),
        Column::text("Expires").wide(),
        Column::text("State"),
        Column::text(""),
    ];
    html! {
        <section class="panel">
            <header class="panel-head">
                <h2>{ "Personal tokens" }</h2>
                <Button icon={Icon::Plus} onclick={set.reform(|()| Over::Create)}>{ "Create token" }</Button>
            </header>
            { show(&list.state, &again, |page| if page.items.is_empty() {
                html! { <p class="faint">{ "None. One of these can do what you can, for scripts of your own." }</p> }
            } else {
                html! { <>
                    <Table caption="Personal tokens" {columns}>
                        { for page.items.iter().map(|token| token_row(token, now, (true, true), &onrevoke, &onrotate)) }
                    </Table>
                    { rest(page, "token", &list.more) }
                </> }
            }) }
            { match &*over {
                Over::Nothing => Html::default(),
                Over::Create => html! { <CreateOwn ondone={created} {onclose} /> },
                Over::Created(secret) => created_dialog(secret, onclose),
                Over::Revoke(token) => revoke_dialog(token, revoked, onclose),
                Over::Rotate(token) => html! { <RotateDialog token={(**token).clone()} onrotated={rotated} onended={revoked} {onclose} /> },
            } }
        </section>
    }
}

#[derive(Properties, PartialEq)]
struct CreateProps {
    ondone: Callback<NewTokenAnswer>,
    onclose: Callback<()>,
}

#[component]
fn CreateOwn(props: &CreateProps) -> Html {
    let create = use_action(props.ondone.clone());
    let (limits, fields) = use_limits();
    let chosen = use_state(Vec::<String>::new);
    let orgs = use_session().map(|session| session.me.orgs.clone()).unwrap_or_default();
    let orgs: Vec<String> = orgs.iter().map(|org| org.slug.to_string()).collect();
    let several = orgs.len() > 1;
    let (known, again) = use_load(orgs, |orgs| async move { Ok(models_of(&orgs).await) });
    let onsubmit = {
        let (create, limits, models) = (create.clone(), limits.clone(), (*chosen).clone());
        Callback::from(move |(name, expires_at)| {
            let Limits { permissions, addresses } = limits.clone();
            let models = Some(models.clone()).filter(|models| !models.is_empty());
            let new = NewPersonalToken { name, models, permissions, addresses, expires_at };
            create.run(api::identity::create_own_token(new));
        })
    };
    html! {
        <NameAndLife title="Create personal token" placeholder="laptop" running={create.running()} problem={create.problem()} {onsubmit} onclose={props.onclose.clone()}>
            { fields }
            { show(&known, &again, |names| model_checks(names, &chosen)) }
            if several && !chosen.is_empty() {
                <p class="note">{ "In each of your organisations, its models of these names." }</p>
            }
        </NameAndLife>
    }
}

fn revoke_dialog(token: &Token, ondone: Callback<()>, onclose: Callback<()>) -> Html {
    let (id, title) = (token.id, format!("Revoke {}?", token.name));
    let delete = Callback::from(move |()| api::identity::revoke_own_token(id));
    html! {
        <ConfirmDelete {title} verb="Revoke token" {delete} {ondone} {onclose}>
            <p>{ format!("1 token, …{}, stops working within a second. This cannot be undone.", token.last_four) }</p>
        </ConfirmDelete>
    }
}

#[component]
fn Sessions() -> Html {
    let toast = use_toast();
    let list = use_pages((), |(), cursor| api::identity::sessions(cursor));
    let again = list.again.clone();
    let end = {
        let again = again.clone();
        use_action(Callback::from(move |()| {
            again.emit(());
            toast.emit("Ended.".into());
        }))
    };
    let naming = use_state(|| None);
    let set = keep(&naming);
    let onclose = set.reform(|()| None);
    let named = {
        let (onclose, again) = (onclose.clone(), again.clone());
        Callback::from(move |_| {
            onclose.emit(());
            again.emit(());
        })
    };
    let others = {
        let end = end.clone();
        Callback::from(move |()| end.run(api::identity::end_other_sessions()))
    };
    html! {
        <section class="panel">
            <header class="panel-head">
                <h2>{ "Sessions" }</h2>
                if list.state.ready().is_some_and(|page| page.items.len() > 1) { <Button onclick={others}>{ "End all others" }</Button> }
            </header>
            if let Some(problem) = end.problem() { <crate::components::Failed {problem} /> }
            { show(&list.state, &again, |page| html! { <>
                <ul class="rows">
                    { for page.items.iter().map(|session| {
                        let (end, id) = (end.clone(), session.id);
                        let onclick = Callback::from(move |()| end.run(api::identity::end_session(id)));
                        let chosen = session.clone();
                        session_row(session, onclick, set.reform(move |()| Some(chosen.clone())))
                    }) }
                </ul>
                { rest(page, "session", &list.more) }
            </> }) }
            if let Some(session) = &*naming { <NameSession session={session.clone()} ondone={named} {onclose} /> }
        </section>
    }
}

fn session_row(session: &Session, onclick: Callback<()>, onname: Callback<()>) -> Html {
    let program = browser(session.user_agent.as_deref().unwrap_or_default());
    let (title, more) = match &session.name {
        Some(name) => (name.to_string(), format!("{program} · ")),
        None => (program.to_owned(), String::new()),
    };
    html! {
        <li key={session.id.to_string()}>
            <div>
                <strong>{ &title }</strong>{ " " }<IconButton class="small" icon={Icon::Edit} label={format!("Name the session {title}")} onclick={onname} />
                <p class="faint">
                    { more }{ session.address.clone().unwrap_or_default() }{ " · last used " }<When at={session.last_used_at} />
                    { " · ends " }<When at={session.expires_at} />
                </p>
            </div>
            if session.current { <Badge tone={Tone::Info}>{ "This one" }</Badge> } else { <Button {onclick}>{ "End session" }</Button> }
        </li>
    }
}

/// A browser's name out of its long signature; the first that fits, since each also names its ancestors.
fn browser(agent: &str) -> &str {
    let known = [
        ("Edg/", "Edge"),
        ("Firefox/", "Firefox"),
        ("Chrome/", "Chrome"),
        ("Safari/", "Safari"),
        ("curl/", "curl"),
    ];
    known
        .into_iter()
        .find(|(mark, _)| agent.contains(mark))
        .map_or(if agent.is_empty() { "Unknown" } else { agent }, |(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_browser_is_told_from_its_ancestors() {
        assert_eq!(
            browser("Mozilla/5.0 (X11) AppleWebKit/537.36 Chrome/140.0 Safari/537.36 Edg/140.0"),
            "Edge"
        );
        assert_eq!(
            browser("Mozilla/5.0 (X11) AppleWebKit/537.36 Chrome/140.0 Safari/537.36"),
            "Chrome"
        );
        assert_eq!(browser("python-httpx/0.27"), "python-httpx/0.27");
        assert_eq!(browser(""), "Unknown");
    }
}
