//! Commands by name: every page and action, found by a few letters.

use web_sys::HtmlInputElement;
use yew::prelude::*;

use super::dialog::Dialog;
use super::icon::Icon;
use crate::route::{Place, Route};
use crate::router;
use crate::session::use_org;
use crate::text::borrowed::lower;

#[derive(Properties, PartialEq)]
pub struct Props {
    pub onclose: Callback<()>,
}

/// Where a name leads.
#[derive(Clone, PartialEq)]
struct Command {
    title: &'static str,
    icon: Icon,
    key: Option<char>,
    route: Route,
}

#[component]
pub fn Palette(props: &Props) -> Html {
    let org = use_org();
    let text = use_state(String::new);
    let chosen = use_state(|| 0_usize);
    let slug = org.slug();
    let mut commands: Vec<Command> = Place::ALL
        .into_iter()
        .filter(|place| org.shows(*place))
        .map(|place| Command {
            title: place.title(),
            icon: place.icon(),
            key: Some(place.letter()),
            route: place.of(&slug),
        })
        .collect();
    commands.push(Command {
        title: "Your profile",
        icon: Icon::User,
        key: None,
        route: Route::Profile,
    });
    commands.retain(|command| matches(command.title, &text));
    let (mut commands, others): (Vec<_>, Vec<_>) =
        commands.into_iter().partition(|command| starts_with(command.title, &text));
    commands.extend(others);
    let go = {
        let close = props.onclose.clone();
        Callback::from(move |route: Route| {
            close.emit(());
            router::go(&route.path());
        })
    };
    let oninput = {
        let (text, chosen) = (text.clone(), chosen.clone());
        Callback::from(move |event: InputEvent| {
            text.set(event.target_unchecked_into::<HtmlInputElement>().value());
            chosen.set(0);
        })
    };
    let onkeydown = keys(&commands, &chosen, &go);
    let active = commands.get(*chosen).map(|_| format!("command-{}", *chosen));
    html! {
        <Dialog title="Go to" onclose={props.onclose.clone()}>
            <input class="palette-input" type="text" role="combobox" aria-expanded="true" aria-controls="commands"
                aria-activedescendant={active} aria-label="Page" placeholder="Type a page’s name" autofocus=true
                value={(*text).clone()} {oninput} {onkeydown} />
            <ul class="palette" id="commands" role="listbox" aria-label="Pages">
                { for commands.iter().enumerate().map(|(place, command)| row(place, command, place == *chosen, &go)) }
            </ul>
            if commands.is_empty() { <p class="faint">{ "No page has such a name." }</p> }
        </Dialog>
    }
}

fn row(place: usize, command: &Command, on: bool, go: &Callback<Route>) -> Html {
    let onclick = {
        let (go, route) = (go.clone(), command.route.clone());
        Callback::from(move |_| go.emit(route.clone()))
    };
    html! {
        <li id={format!("command-{place}")} role="option" aria-selected={if on { "true" } else { "false" }} {onclick}>
            { command.icon.show() }<span>{ command.title }</span>
            if let Some(key) = command.key { <kbd>{ "g " }{ key }</kbd> }
        </li>
    }
}

fn keys(
    commands: &[Command],
    chosen: &UseStateHandle<usize>,
    go: &Callback<Route>,
) -> Callback<KeyboardEvent> {
    let (routes, chosen, go) = (
        commands.iter().map(|command| command.route.clone()).collect::<Vec<_>>(),
        chosen.clone(),
        go.clone(),
    );
    Callback::from(move |event: KeyboardEvent| {
        let last = routes.len().saturating_sub(1);
        match event.key().as_str() {
            "ArrowDown" => chosen.set((*chosen + 1).min(last)),
            "ArrowUp" => chosen.set(chosen.saturating_sub(1)),
            "Enter" => {
                if let Some(route) = routes.get(*chosen) {
                    go.emit(route.clone());
                }
            }
            _ => return,
        }
        event.prevent_default();
    })
}

/// True where every letter typed comes in the name in the same order.
fn matches(name: &str, typed: &str) -> bool {
    let (name, typed) = (lower(name), lower(typed.trim()));
    let mut letters = name.chars();
    typed.chars().all(|wanted| letters.any(|letter| letter == wanted))
}

/// True where the name begins with what is typed; such names come first.
fn starts_with(name: &str, typed: &str) -> bool {
    lower(name).starts_with(&lower(typed.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_letters_in_order_find_a_name() {
        assert!(matches("Providers and keys", "pk"));
        assert!(matches("Audit log", "AUD"));
        assert!(matches("Usage", ""));
        assert!(!matches("Usage", "gu"));
        assert!(starts_with("Usage", "US") && !starts_with("Playground", "u"));
    }
}
