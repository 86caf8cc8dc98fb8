//! Teams and their projects: the places that rights, tokens and budgets hang on.

use ralex_api::identity::{NewTeam, Org as Renamed, Team};
use ralex_kernel::{Name, Slug};
use yew::prelude::*;

use super::rename::RenameOrg;
use super::team_drawer::TeamDrawer;
use crate::api;
use crate::components::{
    Button, Column, Dialog, Empty, Form, Head, Icon, Kind, Table, TextField, When, rest, show,
    use_toast,
};
use crate::hooks::input::{Input, parses};
use crate::hooks::{use_action, use_input, use_pages, use_query};
use crate::session::{use_org, use_session};
use crate::text::number::grouped;

const COLUMNS: [Column; 6] = [
    Column::text("Team"),
    Column::text("Slug").wide(),
    Column::number("Projects"),
    Column::number("Tokens"),
    Column::number("People").wide(),
    Column::text("Created").wide(),
];

#[component]
pub fn TeamsPage() -> Html {
    let org = use_org();
    let (query, set) = use_query();
    let creating = use_state(|| false);
    let renaming = use_state(|| false);
    let session = use_session();
    let toast = use_toast();
    let list = use_pages(org.slug(), |org, cursor| api::identity::teams(&org, cursor));
    let again = list.again.clone();
    let open = {
        let (query, set) = (query.clone(), set);
        Callback::from(move |slug: String| set.emit(query.with("team", &slug)))
    };
    let onclose = {
        let creating = creating.clone();
        Callback::from(move |()| creating.set(false))
    };
    let ondone = {
        let (close, again, toast) = (onclose.clone(), again.clone(), toast.clone());
        Callback::from(move |team: Team| {
            close.emit(());
            again.emit(());
            toast.emit(format!("Team {} is created.", team.name).into());
        })
    };
    let leave = {
        let renaming = renaming.clone();
        Callback::from(move |()| renaming.set(false))
    };
    let renamed = {
        let (leave, toast) = (leave.clone(), toast.clone());
        Callback::from(move |org: Renamed| {
            leave.emit(());
            toast.emit(format!("The organisation is now called {}.", org.name).into());
            if let Some(session) = &session {
                session.refresh.emit(());
            }
        })
    };
    let create = {
        let creating = creating.clone();
        Callback::from(move |()| creating.set(true))
    };
    let create = html! {
        if org.can_everywhere("team.create") { <Button kind={Kind::Primary} icon={Icon::Plus} onclick={create}>{ "Create team" }</Button> }
    };
    let rename = {
        let renaming = renaming.clone();
        Callback::from(move |()| renaming.set(true))
    };
    html! {
        <>
            <Head title="Teams" lead="Who works together: a team has projects, tokens and budgets of its own.">
                if org.can_everywhere("org.update") { <Button icon={Icon::Edit} onclick={rename}>{ "Rename organisation" }</Button> }
                { create.clone() }
            </Head>
            { show(&list.state, &again, |page| if page.items.is_empty() {
                html! {
                    <Empty icon={Icon::Layers} title="No team yet">
                        <p>{ "A token works for a team, so a team comes first." }</p>{ create }
                    </Empty>
                }
            } else {
                html! { <>
                    <Table caption="Teams" columns={COLUMNS.to_vec()}>{ for page.items.iter().map(|team| row(team, &open)) }</Table>
                    { rest(page, "team", &list.more) }
                </> }
            }) }
            if *renaming { <RenameOrg ondone={renamed} onclose={leave} /> }
            if *creating { <CreateTeam {ondone} {onclose} /> }
            if let Some(slug) = query.find("team") {
                <TeamDrawer key={slug.to_owned()} slug={slug.to_owned()} onchange={again} onclose={open.reform(|()| String::new())} />
            }
        </>
    }
}

fn row(team: &Team, open: &Callback<String>) -> Html {
    let slug = team.slug.to_string();
    let onclick = open.reform(move |_: MouseEvent| slug.clone());
    html! {
        <tr key={team.id.to_string()} class="clickable" {onclick}>
            <td><button type="button" class="row-open strong">{ team.name.to_string() }</button></td>
            <td class="wide"><code>{ team.slug.to_string() }</code></td>
            <td class="number">{ grouped(team.projects.into()) }</td>
            <td class="number">{ grouped(team.tokens.into()) }</td>
            <td class="number wide">{ grouped(team.members.into()) }</td>
            <td class="wide"><When at={team.created_at} /></td>
        </tr>
    }
}

#[derive(Properties, PartialEq)]
struct CreateProps {
    ondone: Callback<Team>,
    onclose: Callback<()>,
}

#[component]
fn CreateTeam(props: &CreateProps) -> Html {
    let org = use_org();
    let create = use_action(props.ondone.clone());
    let (name, slug) = (use_input("", parses::<Name>), use_input("", parses::<Slug>));
    let onsubmit = {
        let (name, slug, create) = (name.clone(), slug.clone(), create.clone());
        Callback::from(move |()| {
            if let (Some(name), Some(slug)) = (name.parsed(), slug.parsed()) {
                let org = org.slug();
                create.run(api::identity::create_team(&org, NewTeam { slug, name }));
            }
        })
    };
    html! {
        <Dialog title="Create team" onclose={props.onclose.clone()}>
            <Form inputs={vec![name.clone(), slug.clone()]} verb="Create team" running={create.running()} problem={create.problem()}
                {onsubmit} oncancel={props.onclose.clone()}>
                { name_and_slug(&name, &slug, "Platform team") }
            </Form>
        </Dialog>
    }
}

/// A name, and a slug that follows it until somebody writes another.
pub fn name_and_slug(name: &Input, slug: &Input, example: &'static str) -> Html {
    let follow = {
        let (slug, before) = (slug.clone(), slug_of(&name.text()));
        Callback::from(move |name: String| {
            if slug.text() == before {
                slug.set(slug_of(&name));
            }
        })
    };
    html! {
        <>
            <TextField label="Name" path="name" input={name.clone()} placeholder={example} autofocus=true onchange={follow} />
            <TextField label="Slug" path="slug" input={slug.clone()} hint="Short name in addresses, tokens and on command lines. It stays." />
        </>
    }
}

/// `Platform team` → `platform-team`.
fn slug_of(name: &str) -> String {
    let letters = name.chars().map(|letter| letter.to_ascii_lowercase());
    let plain: String =
        letters.map(|letter| if letter.is_ascii_alphanumeric() { letter } else { '-' }).collect();
    let words: Vec<&str> = plain.split('-').filter(|word| !word.is_empty()).collect();
    words.join("-").chars().take(63).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slug_made_of_a_name_is_a_slug() {
        assert_eq!(slug_of("Platform team"), "platform-team");
        assert_eq!(slug_of("  R&D (Zürich) "), "r-d-z-rich");
        assert!(slug_of(&"Long name ".repeat(20)).trim_end_matches('-').parse::<Slug>().is_ok());
    }
}
