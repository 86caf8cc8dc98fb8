//! The table of all roles: permissions as rows, roles as columns, moved through with the arrow keys.
//!
//! It is one stop of the keyboard: the cell that has the focus is remembered, arrows, Home and End
//! move it, and space turns what can be turned. On a phone only the column with the focus is shown.

use std::rc::Rc;

use ralex_api::access::{PermissionInfo, Role};
use wasm_bindgen::JsCast;
use web_sys::{HtmlElement, HtmlSelectElement};
use yew::prelude::*;

use super::role_draft::{Drafts, Held, Sheet, Step};
use crate::components::{Icon, IconButton};
use crate::session::{Org, use_org};

#[derive(Properties, PartialEq)]
pub struct Props {
    pub roles: Rc<Vec<Role>>,
    /// Those that are shown, in groups of one resource.
    pub permissions: Rc<Vec<PermissionInfo>>,
    pub drafts: UseReducerHandle<Drafts>,
    pub onedit: Callback<Role>,
    pub ondelete: Callback<Role>,
}

/// A cell by its row and column, from 0.
type At = (usize, usize);

#[component]
pub fn Matrix(props: &Props) -> Html {
    let org = use_org();
    let frame = use_node_ref();
    let (rows, columns) = (props.permissions.len(), props.roles.len());
    let (here, onhere, go) = use_here(&frame, (rows, columns));
    let sheet = Sheet::new(&props.roles, &props.drafts);
    let locks: Vec<Option<AttrValue>> = props.roles.iter().map(|it| lock(&org, it)).collect();
    let cell = |permission: &PermissionInfo, column: usize| {
        let role = &props.roles[column];
        let held = sheet.held(role, &permission.name);
        let saved = role.direct.contains(&permission.name);
        let lock = locks[column].clone().or_else(|| fixed(&org, &held, permission));
        Cell { drafted: saved != (held == Held::Own), held, lock, built_in: role.built_in }
    };
    let ontoggle = {
        let (drafts, roles) = (props.drafts.dispatcher(), Rc::clone(&props.roles));
        use_callback((roles, drafts), |(permission, column): (String, usize), (roles, drafts)| {
            let Some(role) = roles.get(column) else { return };
            let saved = role.direct.contains(&permission);
            drafts.dispatch(Step::Toggle { role: role.name.to_string(), permission, saved });
        })
    };
    let onkeydown = keys(&frame, (rows, columns), go);
    let onrole = onhere.reform(move |event: Event| {
        let column = event.target_unchecked_into::<HtmlSelectElement>().selected_index();
        (here.0, usize::try_from(column).unwrap_or_default())
    });
    let row = |row: usize, permission: &PermissionInfo| {
        let cells: Vec<Cell> = (0..columns).map(|column| cell(permission, column)).collect();
        html! { <Row key={permission.name.clone()} permission={permission.clone()} {cells} {row} column={here.1} focus={row == here.0} roles={Rc::clone(&props.roles)} ontoggle={ontoggle.clone()} onhere={onhere.clone()} /> }
    };
    let focused = props.permissions.get(here.0).zip(props.roles.get(here.1));
    let note = focused.map(|(permission, role)| note(permission, role, &cell(permission, here.1)));
    html! {
        <>
            { phone_select(&props.roles, here.1, onrole) }
            { note }
            <div class="table-frame matrix-frame" ref={frame} role="region" aria-label="What each role allows">
                <table class="table matrix" role="grid" aria-rowcount={(rows + 1).to_string()} {onkeydown}>
                    <caption class="sr">{ "What each role allows" }</caption>
                    <thead>
                        <tr>
                            <th scope="col">{ "Permission" }</th>
                            { for props.roles.iter().enumerate().map(|(column, role)| head(props, role, locks[column].is_none(), column == here.1)) }
                        </tr>
                    </thead>
                    { for groups(&props.permissions, columns, row) }
                </table>
            </div>
        </>
    }
}

/// What the cell with the focus means, and why it cannot be turned, for those without a mouse to rest on it.
fn note(permission: &PermissionInfo, role: &Role, cell: &Cell) -> Html {
    let why = match &cell.held {
        Held::Through(part) if cell.built_in => {
            Some(format!("{} has it through {part}.", role.title).into())
        }
        Held::Through(_) | Held::Own | Held::Not => cell.lock.clone(),
    };
    html! {
        <p class="note matrix-note">
            <code>{ &permission.name }</code>{ ": " }{ &permission.description }
            if let Some(why) = why { { " " }{ why } }
        </p>
    }
}

/// Rows of one resource under its title.
fn groups(
    permissions: &[PermissionInfo],
    columns: usize,
    row: impl Fn(usize, &PermissionInfo) -> Html,
) -> Vec<Html> {
    let mut first = 0;
    let groups = permissions.chunk_by(|one, next| resource(one) == resource(next));
    let drawn = groups.map(|group| {
        let begin = first;
        first += group.len();
        let name = resource(&group[0]);
        html! {
            <tbody key={name.to_owned()}>
                <tr class="matrix-group"><th scope="rowgroup" colspan={(columns + 1).to_string()}><span>{ title(name) }</span></th></tr>
                { for group.iter().enumerate().map(|(place, permission)| row(begin + place, permission)) }
            </tbody>
        }
    });
    drawn.collect()
}

/// The cell with the focus, how to say that it is another one, and how to move it there.
#[hook]
fn use_here(frame: &NodeRef, size: At) -> (At, Callback<At>, Callback<At>) {
    let (rows, columns) = size;
    let at = use_state(|| (0_usize, 0_usize));
    let here = (at.0.min(rows.saturating_sub(1)), at.1.min(columns.saturating_sub(1)));
    let moved = use_mut_ref(|| false);
    {
        let (frame, moved) = (frame.clone(), Rc::clone(&moved));
        use_effect_with(here, move |at| {
            if moved.replace(false) {
                focus(&frame, *at);
            }
        });
    }
    let onhere = {
        let at = at.setter();
        use_callback((), move |to: At, ()| at.set(to))
    };
    let go = onhere.reform(move |to: At| {
        moved.replace(to != here);
        to
    });
    (here, onhere, go)
}

/// What the keys do. Where they begin is read from what has the focus, since the next key may come
/// before the table is drawn again.
fn keys(frame: &NodeRef, size: At, go: Callback<At>) -> Callback<KeyboardEvent> {
    let frame = frame.clone();
    Callback::from(move |event: KeyboardEvent| {
        // The buttons in the head have keys of their own.
        let Some((cell, here)) = cell_of(&event) else { return };
        if event.key() == " " {
            event.prevent_default();
            cell.click();
        } else if let Some(to) = step(&event, here, size) {
            event.prevent_default();
            focus(&frame, to);
            go.emit(to);
        }
    })
}

/// Why nothing of a role can be changed here; nothing where something can.
fn lock(org: &Org, role: &Role) -> Option<AttrValue> {
    if role.built_in {
        return Some("It comes with the deployment and stays as it is.".into());
    }
    org.blocked("role.define").or_else(|| {
        let missing = role.permissions.iter().find(|name| org.blocked(name).is_some())?;
        let why =
            format!("The role allows {missing}, which you do not hold in the whole organisation.");
        Some(why.into())
    })
}

/// Why this cell of a role that can be changed cannot.
fn fixed(org: &Org, held: &Held, permission: &PermissionInfo) -> Option<AttrValue> {
    if let Held::Through(part) = held {
        return Some(format!("It comes through {part}, which this role includes.").into());
    }
    org.blocked(&permission.name).map(|_| {
        let name = &permission.name;
        format!("Only who holds {name} in the whole organisation can give it.").into()
    })
}

/// `service_account.read` is about service accounts.
pub fn resource(permission: &PermissionInfo) -> &str {
    permission.name.split('.').next().unwrap_or_default()
}

/// `service_account` → Service account.
fn title(resource: &str) -> String {
    let words = match resource {
        "llm" => "models' calls",
        "scim" => "directory",
        "sso" => "single sign-on",
        "org" => "organisation",
        other => other,
    };
    let text = words.replace('_', " ");
    let mut letters = text.chars();
    letters
        .next()
        .map_or_else(String::new, |first| first.to_ascii_uppercase().to_string() + letters.as_str())
}

fn cell_of(event: &KeyboardEvent) -> Option<(HtmlElement, At)> {
    let cell = event.target()?.dyn_into::<HtmlElement>().ok()?;
    let at = cell.get_attribute("data-at")?;
    let (row, column) = at.split_once('-')?;
    let at = (row.parse().ok()?, column.parse().ok()?);
    Some((cell, at))
}

/// Where a key leads to.
fn step(event: &KeyboardEvent, (row, column): At, (rows, columns): At) -> Option<At> {
    let (last_row, last) = (rows.checked_sub(1)?, columns.checked_sub(1)?);
    let all = event.ctrl_key() || event.meta_key();
    Some(match event.key().as_str() {
        "ArrowDown" => ((row + 1).min(last_row), column),
        "ArrowUp" => (row.saturating_sub(1), column),
        "ArrowRight" => (row, (column + 1).min(last)),
        "ArrowLeft" => (row, column.saturating_sub(1)),
        "PageDown" => ((row + 10).min(last_row), column),
        "PageUp" => (row.saturating_sub(10), column),
        "Home" => (if all { 0 } else { row }, 0),
        "End" => (if all { last_row } else { row }, last),
        _other => return None,
    })
}

fn focus(frame: &NodeRef, (row, column): At) {
    let frame = frame.cast::<HtmlElement>();
    let cell = frame.and_then(|it| it.query_selector(&format!("[data-at='{row}-{column}']")).ok());
    if let Some(cell) = cell.flatten().and_then(|it| it.dyn_into::<HtmlElement>().ok()) {
        // Where the browser refuses, the focus stays where it was.
        let _ = cell.focus();
    }
}

fn phone_select(roles: &[Role], chosen: usize, onchange: Callback<Event>) -> Html {
    html! {
        <div class="field only-narrow">
            <label for="matrix-role">{ "Role" }</label>
            <div class="control select">
                <select id="matrix-role" {onchange}>
                    { for roles.iter().enumerate().map(|(at, role)| html! {
                        <option value={role.name.to_string()} selected={at == chosen}>{ role.title.clone() }</option>
                    }) }
                </select>
                { Icon::Down.show() }
            </div>
        </div>
    }
}

fn head(props: &Props, role: &Role, open: bool, chosen: bool) -> Html {
    let with = |tell: &Callback<Role>| {
        let role = role.clone();
        tell.reform(move |()| role.clone())
    };
    html! {
        <th scope="col" key={role.name.to_string()} class={classes!("role", chosen.then_some("chosen"))} title={role.description.clone()}>
            <span>{ &role.title }</span>
            if role.built_in {
                <span class="role-kind">{ "Built in" }</span>
            } else if open {
                <span class="role-kind">
                    <IconButton class="small" icon={Icon::Edit} label={format!("Change {}", role.title)} onclick={with(&props.onedit)} />
                    <IconButton class="small" icon={Icon::Trash} label={format!("Delete {}", role.title)} onclick={with(&props.ondelete)} />
                </span>
            } else {
                <span class="role-kind">{ "Own" }</span>
            }
        </th>
    }
}

#[derive(Clone, PartialEq)]
struct Cell {
    held: Held,
    /// Why it cannot be turned.
    lock: Option<AttrValue>,
    /// Other than it is saved.
    drafted: bool,
    built_in: bool,
}

#[derive(Properties, PartialEq)]
struct RowProps {
    permission: PermissionInfo,
    cells: Vec<Cell>,
    row: usize,
    /// The column that the focus is in.
    column: usize,
    /// Whether the focus is in this row.
    focus: bool,
    roles: Rc<Vec<Role>>,
    ontoggle: Callback<(String, usize)>,
    onhere: Callback<At>,
}

#[component]
fn Row(props: &RowProps) -> Html {
    let PermissionInfo { name, description } = &props.permission;
    html! {
        <tr>
            <th scope="row" title={description.clone()}>
                <code>{ name }</code><span id={meaning(props.row)} hidden=true>{ description }</span>
            </th>
            { for props.cells.iter().enumerate().map(|(column, cell)| {
                let chosen = column == props.column;
                let classes = classes!("role", chosen.then_some("chosen"), cell.drafted.then_some("drafted"));
                html! { <td class={classes}>{ mark(props, cell, column) }</td> }
            }) }
        </tr>
    }
}

/// The element that says what the permission of a row means.
fn meaning(row: usize) -> String {
    format!("meaning-{row}")
}

fn mark(props: &RowProps, cell: &Cell, column: usize) -> Html {
    let (row, name) = (props.row, props.permission.name.clone());
    let (kind, sign, words) = match &cell.held {
        Held::Own => ("own", "✓", "yes".to_owned()),
        Held::Through(part) => ("through", "✓", format!("yes, through {part}")),
        Held::Not => ("", "", "no".to_owned()),
    };
    let tabindex = if props.focus && column == props.column { "0" } else { "-1" };
    let at = format!("{row}-{column}");
    let onfocus = props.onhere.reform(move |_: FocusEvent| (row, column));
    let lock = cell.lock.clone();
    if cell.built_in {
        let title = match &cell.held {
            Held::Through(_) => words.clone(),
            Held::Own | Held::Not => String::new(),
        };
        return html! {
            <span class={classes!("mark", "still", kind)} {tabindex} data-at={at} aria-describedby={meaning(row)} title={title} {onfocus}>
                <span aria-hidden="true">{ sign }</span><span class="sr">{ words }</span>
            </span>
        };
    }
    let role = props.roles.get(column).map(|role| role.title.clone()).unwrap_or_default();
    let label = match (&cell.held, cell.drafted) {
        (Held::Through(part), _) => format!("{name} for {role}, through {part}"),
        (Held::Own | Held::Not, true) => format!("{name} for {role}, not saved yet"),
        (Held::Own | Held::Not, false) => format!("{name} for {role}"),
    };
    let onclick = {
        let (tell, open) = (props.ontoggle.clone(), lock.is_none());
        Callback::from(move |_: MouseEvent| {
            if open {
                tell.emit((name.clone(), column));
            }
        })
    };
    let why = format!("lock-{at}");
    let told = match lock {
        Some(_) => format!("{} {why}", meaning(row)),
        None => meaning(row),
    };
    html! {
        <>
        <span class={classes!("mark", kind, lock.is_some().then_some("still"))} role="checkbox" {tabindex} data-at={at}
            aria-checked={if cell.held == Held::Not { "false" } else { "true" }}
            aria-disabled={lock.is_some().then_some("true")} aria-label={label} aria-describedby={told} title={lock.clone()} {onclick} {onfocus}>
            <span aria-hidden="true">{ sign }</span>
        </span>
        if let Some(lock) = lock { <span id={why} hidden=true>{ lock }</span> }
        </>
    }
}
