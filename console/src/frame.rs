//! The frame around every page: navigation at the left, a bar at the top.

use std::fmt;

use ralex_api::Page;
use web_sys::HtmlSelectElement;
use yew::prelude::*;

use crate::api;
use crate::components::palette::Palette;
use crate::components::segments::Segments;
use crate::components::{Banner, Icon, IconButton, Tone};
use crate::hooks::clock::use_now;
use crate::hooks::use_load;
use crate::route::{GROUPS, Place, Route};
use crate::router::{self, Link, use_location};
use crate::session::{Org, Session, use_org, use_session};
use crate::shortcuts::{Wish, help, use_shortcuts};
use crate::text::borrowed::upper;
use crate::text::time::exact;
use crate::theme::{self, Theme};

#[derive(Properties, PartialEq)]
pub struct Props {
    pub children: Html,
    /// The page in view, where it is one of the navigation.
    pub place: Option<Place>,
}

/// What lies over the page.
#[derive(Clone, Copy, PartialEq)]
enum Over {
    Nothing,
    Menu,
    Palette,
    Help,
}

#[component]
pub fn Frame(props: &Props) -> Html {
    let (org, session) = (use_org(), use_session());
    let over = use_state(|| Over::Nothing);
    let set = |what: Over| {
        let over = over.clone();
        Callback::from(move |()| over.set(what))
    };
    let places: Vec<Place> = Place::ALL.into_iter().filter(|place| org.shows(*place)).collect();
    {
        let (over, slug, allowed) = (over.clone(), org.slug(), places.clone());
        // Made anew only when it would do something else, since listening starts anew with it.
        let wish = use_callback((slug, allowed), move |wish, (slug, allowed)| match wish {
            Wish::Find => over.set(Over::Palette),
            Wish::Help => over.set(Over::Help),
            Wish::Close => over.set(Over::Nothing),
            Wish::Go(place) => {
                if allowed.contains(&place) {
                    router::go(&place.of(slug).path());
                }
            }
        });
        use_shortcuts(wish);
    }
    let path = use_location().path;
    {
        let over = over.clone();
        use_effect_with(path.clone(), move |_| over.set(Over::Nothing));
    }
    let close = set(Over::Nothing);
    let open = *over == Over::Menu;
    let waiting = use_waiting();
    html! {
        <div class="frame">
            <a class="skip" href="#content">{ "Skip to the content" }</a>
            <aside class={classes!("side", open.then_some("open"))} id="navigation">
                { navigation(&org, props.place, waiting) }
            </aside>
            if open { <div class="veil" onclick={close.reform(|_| ())} /> }
            <div class="main">
                <header class="bar">
                    <IconButton class={if waiting.is_any() { "menu-button told" } else { "menu-button" }} icon={Icon::Menu} label="Navigation" expanded={open} onclick={set(Over::Menu)} />
                    { switcher(&org, session.as_ref()) }
                    <button type="button" class="find" onclick={set(Over::Palette).reform(|_: MouseEvent| ())}>
                        { Icon::Search.show() }<span>{ "Go to" }</span><kbd aria-hidden="true">{ "Ctrl K" }</kbd>
                    </button>
                    // Made anew on every page, which also closes it.
                    <UserMenu key={path} onhelp={set(Over::Help)} />
                </header>
                <main id="content" class="content" tabindex="-1">{ told(&org) }{ props.children.clone() }</main>
            </div>
            if *over == Over::Palette { <Palette onclose={close.clone()} /> }
            if *over == Over::Help { { help(&places, close) } }
        </div>
    }
}

/// What takes a right that two people may be needed for.
const CONFIRMING: [&str; 7] = [
    "secret.delete",
    "budget.set",
    "role.bind",
    "security.manage",
    "sso.manage",
    "four_eyes.manage",
    "break_glass.arm",
];

/// So many of something, or more than can be counted at once.
#[derive(Clone, Copy, Default, PartialEq)]
struct Count {
    known: u64,
    more: bool,
}

impl Count {
    /// What one answer holds.
    fn of<T>(page: &Page<T>) -> Self {
        Self { known: page.items.len() as u64, more: page.next_cursor.is_some() }
    }

    const fn all(known: u64) -> Self {
        Self { known, more: false }
    }

    const fn and(self, other: Self) -> Self {
        Self { known: self.known + other.known, more: self.more || other.more }
    }

    const fn is_any(self) -> bool {
        self.known > 0
    }
}

impl fmt::Display for Count {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(to, "{}{}", self.known, if self.more { "+" } else { "" })
    }
}

/// What waits for this person: approvals, changes and access to decide, alerts to read.
#[derive(Clone, Copy, Default, PartialEq)]
struct Waiting {
    approvals: Count,
    access: Count,
    alerts: Count,
}

impl Waiting {
    const fn is_any(self) -> bool {
        self.approvals.is_any() || self.access.is_any() || self.alerts.is_any()
    }
}

/// Asked anew with every page and every tick of the clock; nothing of what they may not do.
#[hook]
fn use_waiting() -> Waiting {
    let org = use_org();
    let confirms = CONFIRMING.iter().any(|name| org.can(name));
    let [decides, gives, reads] =
        ["approval.decide", "access.decide", "alert.read"].map(|name| org.can(name));
    let may = [decides, gives, reads, confirms];
    let (load, again) =
        use_load((org.slug(), may), |(org, [decides, gives, reads, confirms])| async move {
            // What one question does not tell takes nothing from what the others told.
            let mut waiting = Waiting::default();
            if decides && let Ok(told) = api::approvals::waiting(&org).await {
                waiting.approvals = Count::all(told.waiting);
            }
            if confirms && let Ok(waits) = api::changes::list(&org, Some("to_decide"), None).await {
                waiting.approvals = waiting.approvals.and(Count::of(&waits));
            }
            if gives && let Ok(waits) = api::access::list(&org, Some("to_decide"), None).await {
                waiting.access = Count::of(&waits);
            }
            if reads && let Ok(told) = api::alerts::unread(&org).await {
                waiting.alerts = Count::all(told.unread);
            }
            Ok(waiting)
        });
    let first = use_mut_ref(|| true);
    let (location, now) = (use_location(), use_now());
    use_effect_with((location, now), move |_| {
        // The first answer is on its way already.
        if !first.replace(false) {
            again.emit(());
        }
    });
    load.ready().map_or(Waiting::default(), |waiting| **waiting)
}

fn navigation(org: &Org, place_in_view: Option<Place>, waiting: Waiting) -> Html {
    let slug = org.slug();
    let group = |(title, places): (&'static str, &[Place])| {
        let shown: Vec<Place> = places.iter().copied().filter(|place| org.shows(*place)).collect();
        if shown.is_empty() || slug.is_empty() {
            return Html::default();
        }
        html! {
            <div class="nav-group">
                if !title.is_empty() { <p class="nav-title">{ title }</p> }
                <ul>
                    { for shown.into_iter().map(|place| {
                        let count = match place {
                            Place::Approvals => waiting.approvals,
                            Place::People => waiting.access,
                            Place::Alerts => waiting.alerts,
                            _elsewhere => Count::default(),
                        };
                        entry(place, &slug, place_in_view == Some(place), count)
                    }) }
                </ul>
            </div>
        }
    };
    html! {
        <>
            <Link to={Route::Home} class="brand">
                <svg viewBox="0 0 20 20" aria-hidden="true"><path d="M3 17V3h7.5a4.2 4.2 0 0 1 0 8.4H3M9.5 11.4L16 17" /></svg>
                <span>{ "Ralex" }</span>
            </Link>
            <nav aria-label="Pages">{ for GROUPS.into_iter().map(group) }</nav>
        </>
    }
}

/// That the break-glass access is open, or waits for its review: on every page, until it is over.
fn told(org: &Org) -> Html {
    let Some(glass) = org.break_glass() else { return Html::default() };
    let said = match (glass.open_until, glass.reviews_waiting) {
        (Some(until), _) => format!("The break-glass access is open until {}.", exact(until)),
        (None, 0) => return Html::default(),
        (None, 1) => "A use of the break-glass access waits for its review.".to_owned(),
        (None, many) => format!("{many} uses of the break-glass access wait for their reviews."),
    };
    let tone = if glass.open_until.is_some() { Tone::Bad } else { Tone::Warn };
    let shown = org.shows(Place::BreakGlass);
    html! {
        <Banner {tone}>
            <p>
                { said }
                if shown { { " " }<Link to={Place::BreakGlass.of(&org.slug())}>{ "Look at it" }</Link> }
            </p>
        </Banner>
    }
}

fn entry(place: Place, org: &str, on: bool, count: Count) -> Html {
    let class = if on { "nav-link on" } else { "nav-link" };
    html! {
        <li aria-current={on.then_some("page")}>
            <Link to={place.of(org)} class={class}>
                { place.icon().show() }<span>{ place.title() }</span>
                if count.is_any() { <span class="nav-count">{ count.to_string() }<span class="sr">{ ", waiting for you" }</span></span> }
            </Link>
        </li>
    }
}

/// The organisation in view; a choice only where there are several.
fn switcher(org: &Org, session: Option<&Session>) -> Html {
    let Some(Session { me, .. }) = session else { return Html::default() };
    if me.orgs.len() < 2 {
        return html! { <span class="org-name">{ org.name() }</span> };
    }
    let onchange = Callback::from(move |event: Event| {
        let slug = event.target_unchecked_into::<HtmlSelectElement>().value();
        router::go(&Place::Overview.of(&slug).path());
    });
    html! {
        <div class="control select switcher">
            <select aria-label="Organisation" {onchange}>
                { for me.orgs.iter().map(|mine| html! {
                    <option value={mine.slug.to_string()} selected={mine.slug.as_str() == org.slug()}>{ mine.name.to_string() }</option>
                }) }
            </select>
            { Icon::Down.show() }
        </div>
    }
}

#[derive(Properties, PartialEq)]
struct UserMenuProps {
    onhelp: Callback<()>,
}

#[component]
fn UserMenu(props: &UserMenuProps) -> Html {
    let chosen = use_state(theme::remembered);
    let Some(Session { me, sign_out, .. }) = use_session() else { return Html::default() };
    let onchange = {
        let chosen = chosen.clone();
        Callback::from(move |name: String| {
            theme::apply(Theme::named(&name));
            chosen.set(Theme::named(&name));
        })
    };
    let options = Theme::ALL.map(|theme| (theme.as_str().into(), theme.title().into())).to_vec();
    let initial: String = me.user.name.as_str().chars().take(1).collect();
    html! {
        <>
            <button type="button" class="avatar" popovertarget="user-menu" aria-label={format!("Your account, {}", me.user.name)}>
                { upper(&initial) }
            </button>
            <div id="user-menu" class="menu" popover="auto">
                <p class="menu-name">{ me.user.name.to_string() }</p>
                <p class="faint">{ me.user.email.to_string() }</p>
                <Segments label="Theme" {options} value={chosen.as_str()} {onchange} />
                <Link to={Route::Profile} class="menu-item">{ Icon::User.show() }{ "Your profile" }</Link>
                if me.operator { <Link to={Route::Organisations} class="menu-item">{ Icon::Layers.show() }{ "Organisations" }</Link> }
                <button type="button" class="menu-item" popovertarget="user-menu" onclick={props.onhelp.reform(|_| ())}>
                    { Icon::Prompt.show() }{ "Keyboard shortcuts" }
                </button>
                <a class="menu-item" href="/docs/">{ Icon::External.show() }{ "API reference" }</a>
                <button type="button" class="menu-item" onclick={sign_out.reform(|_| ())}>{ Icon::SignOut.show() }{ "Sign out" }</button>
            </div>
        </>
    }
}
