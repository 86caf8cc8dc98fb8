//! Who one is to the providers of one's organisations.

use ralex_api::sso::{SsoBegun, SsoLink};
use yew::prelude::*;

use super::sso_door::{Refused, leave_for};
use crate::api;
use crate::components::{
    Button, Column, ConfirmDelete, Failed, Icon, IconButton, Table, When, show,
};
use crate::hooks::{keep, use_action, use_load};
use crate::session::use_session;

const COLUMNS: [Column; 4] = [
    Column::text("Provider"),
    Column::text("Known there as").wide(),
    Column::text("Last login"),
    Column::text(""),
];

/// One's own account at providers of single sign-on: connected, and disconnected.
#[component]
pub fn Identities() -> Html {
    let orgs = use_session().map(|session| session.me.orgs.clone()).unwrap_or_default();
    let gone = use_state(|| None::<SsoLink>);
    let (load, again) = use_load((), |()| api::sso::identities());
    // Which providers there are, in each organisation that one belongs to.
    let slugs: Vec<String> = orgs.iter().map(|org| org.slug.to_string()).collect();
    let (doors, _) = use_load(slugs, |slugs| async move {
        let mut all = Vec::new();
        for slug in slugs {
            all.extend(
                api::sso::doors(&slug).await?.items.into_iter().map(|it| (slug.clone(), it)),
            );
        }
        Ok(all)
    });
    let connect = use_action(Callback::from(|begun: SsoBegun| leave_for(&begun.url)));
    let set = keep(&gone);
    let onclose = set.reform(|()| None);
    let removed = {
        let (close, again) = (onclose.clone(), again.clone());
        Callback::from(move |()| {
            close.emit(());
            again.emit(());
        })
    };
    let doors = doors.ready().map(|found| (**found).clone()).unwrap_or_default();
    let linked = load.ready().map(|found| found.items.clone()).unwrap_or_default();
    if doors.is_empty() && linked.is_empty() {
        return html! { <Refused /> };
    }
    let known = |slug: &str, provider: &str| {
        linked.iter().any(|it| it.org.as_str() == slug && it.provider.as_str() == provider)
    };
    let ways = doors.iter().filter_map(|(org, door)| {
        let provider = provider_of(&door.start_url)?;
        (!known(org, &provider)).then(|| (org.clone(), provider, door.provider.to_string()))
    });
    html! {
        <section class="panel">
            <header class="panel-head"><h2>{ "Single sign-on" }</h2></header>
            <Refused />
            if let Some(problem) = connect.problem() { <Failed {problem} /> }
            { show(&load, &again, |found| if found.items.is_empty() { Html::default() } else {
                html! {
                    <Table caption="Providers" columns={COLUMNS.to_vec()}>
                        { for found.items.iter().map(|link| row(link, &set)) }
                    </Table>
                }
            }) }
            <p class="badges">
                { for ways.map(|(org, provider, name)| {
                    let connect = connect.clone();
                    let label = format!("Connect {name}");
                    let onclick = Callback::from(move |()| connect.run(api::sso::connect(org.clone(), provider.clone())));
                    html! { <Button {onclick}>{ label }</Button> }
                }) }
            </p>
            if let Some(link) = &*gone { { remove_dialog(link, removed, onclose) } }
        </section>
    }
}

/// The provider's slug, which stands before the last word of where a login begins.
fn provider_of(start_url: &str) -> Option<String> {
    start_url.rsplit('/').nth(1).map(str::to_owned)
}

fn row(link: &SsoLink, set: &Callback<Option<SsoLink>>) -> Html {
    let chosen = link.clone();
    html! {
        <tr key={link.id.to_string()}>
            <td><span class="strong">{ link.provider_name.to_string() }</span>{ " " }<code class="faint">{ link.org.to_string() }</code></td>
            <td class="wide"><code>{ &link.subject }</code></td>
            <td>if let Some(at) = link.last_login_at { <When {at} /> } else { <span class="faint">{ "Never" }</span> }</td>
            <td class="number"><IconButton icon={Icon::Trash} label={format!("Disconnect {}", link.provider_name)} onclick={set.reform(move |()| Some(chosen.clone()))} /></td>
        </tr>
    }
}

fn remove_dialog(link: &SsoLink, ondone: Callback<()>, onclose: Callback<()>) -> Html {
    let id = link.id;
    let delete = Callback::from(move |()| api::sso::disconnect(id));
    html! {
        <ConfirmDelete title={format!("Disconnect {}?", link.provider_name)} verb="Disconnect" {delete} {ondone} {onclose}>
            <p>{ "The sessions that it opened end, and you come in by your password." }</p>
        </ConfirmDelete>
    }
}
