//! The gate: first who is signed in, then which page the address names.

use std::rc::Rc;

use ralex_api::identity::Me;
use ralex_api::{Code, Problem};
use wasm_bindgen_futures::spawn_local;
use yew::prelude::*;

use crate::api;
use crate::components::Failed;
use crate::components::toast::Toasts;
use crate::frame::Frame;
use crate::hooks::clock::Clock;
use crate::pages::login::LoginPage;
use crate::pages::password::FirstPasswordPage;
use crate::pages::proof::ProofGate;
use crate::pages::welcome::WelcomePage;
use crate::pages::{self, lost};
use crate::parts::{Page, Part};
use crate::route::{Place, Route};
use crate::router::{Redirect, Router, use_location, use_way_back};
use crate::session::{Org, Session, use_session};

#[component]
pub fn App() -> Html {
    html! {
        <Clock>
            <Toasts>
                <Router><Gate /></Router>
            </Toasts>
        </Clock>
    }
}

/// What is known of the person in front.
#[derive(Clone, PartialEq)]
enum Who {
    Asking,
    Nobody,
    Failed(Problem),
    Somebody(Rc<Me>),
}

#[component]
fn Gate() -> Html {
    let location = use_location();
    let who = use_state(|| Who::Asking);
    let refresh = {
        let who = who.clone();
        use_callback((), move |(), ()| ask(who.clone()))
    };
    let sign_out = {
        let who = who.clone();
        use_callback((), move |(), ()| {
            let who = who.clone();
            spawn_local(async move {
                // Signed out or not, this browser shows nothing any more.
                let _ = api::identity::logout().await;
                who.set(Who::Nobody);
            });
        })
    };
    {
        let (refresh, who) = (refresh.clone(), who.clone());
        use_effect_with((), move |()| {
            let again = refresh.clone();
            api::client::when_signed_out(Callback::from(move |code| match code {
                Code::PasswordChangeRequired | Code::SecondFactorRequired => again.emit(()),
                _signed_out => who.set(Who::Nobody),
            }));
            refresh.emit(());
        });
    }
    // A link is for whoever holds it, signed in or not.
    if location.path == "/welcome" {
        return html! { <WelcomePage onchange={refresh} onsignout={sign_out} /> };
    }
    match &*who {
        Who::Asking => html! { <div class="gate" aria-busy="true" /> },
        Who::Failed(problem) => html! {
            <main class="gate"><Failed problem={problem.clone()} retry={refresh} /></main>
        },
        Who::Nobody => html! { <LoginPage ondone={refresh} /> },
        Who::Somebody(me) if me.must_change_password => html! {
            <FirstPasswordPage ondone={refresh} onsignout={sign_out} />
        },
        Who::Somebody(me) => html! {
            <ContextProvider<Session> context={Session { me: Rc::clone(me), refresh, sign_out }}>
                <Routed route={Route::of(&location.path)} />
                <ProofGate />
            </ContextProvider<Session>>
        },
    }
}

fn ask(who: UseStateHandle<Who>) {
    spawn_local(async move {
        match api::identity::me().await {
            Ok(me) => who.set(Who::Somebody(Rc::new(me))),
            Err(problem) if problem.code == Code::Unauthenticated => who.set(Who::Nobody),
            Err(problem) => who.set(Who::Failed(problem)),
        }
    });
}

#[derive(Properties, PartialEq)]
struct RoutedProps {
    route: Route,
}

#[component]
fn Routed(props: &RoutedProps) -> Html {
    let Some(session) = use_session() else { return Html::default() };
    let named = match &props.route {
        Route::Org { org } | Route::Place { org, .. } => Some(org.as_str()),
        Route::Home
        | Route::Profile
        | Route::Authorize
        | Route::Device
        | Route::Organisations
        | Route::NotFound => None,
    };
    let mut orgs = session.me.orgs.iter();
    let found = match named {
        Some(slug) => orgs.find(|org| org.slug.as_str() == slug),
        None => orgs.next(),
    };
    let org = found.cloned().map(Org::new);
    let place = place_of(&props.route);
    let closed = org.as_ref().and_then(Org::closed);
    let way_in = org.as_ref().and_then(|org| Some((org.name(), org.way_in()?)));
    use_way_back(way_in.is_some() && place != Some(Place::BreakGlass));
    let content = match (&props.route, &org) {
        (Route::Home | Route::Org { .. } | Route::Place { .. }, Some(org)) if closed.is_some() => {
            lost::closed(&org.name(), closed.unwrap_or_default())
        }
        // It opens where nothing else does.
        (Route::Place { place: Place::BreakGlass, .. }, Some(org)) if org.may_break_glass() => {
            inside(place, org)
        }
        (Route::Home | Route::Org { .. } | Route::Place { .. }, Some(org)) if way_in.is_some() => {
            let (name, way_in) = way_in.unwrap_or_default();
            let glass = org.may_break_glass().then(|| Place::BreakGlass.of(&org.slug()));
            pages::sso_door::sign_on_needed(&name, &way_in, glass)
        }
        (Route::Home | Route::Org { .. } | Route::Place { .. }, Some(org))
            if org.needs_factor() =>
        {
            pages::factors::factor_needed(&org.name())
        }
        (Route::Home, Some(org)) => {
            html! { <Redirect to={org.start().of(&org.slug())} /> }
        }
        // An organisation's own address is where one begins, as the home is.
        (Route::Org { .. }, Some(org)) if org.start() != Place::Overview => {
            html! { <Redirect to={org.start().of(&org.slug())} /> }
        }
        (Route::Home, None) => lost::no_org(),
        (Route::Profile, _) => part(Page::Profile),
        (Route::Authorize, _) => part(Page::Authorize),
        (Route::Device, _) => part(Page::Device),
        (Route::Organisations, _) if session.me.operator => part(Page::Organisations),
        (Route::Organisations, _) => html! { <lost::LostPage /> },
        (Route::NotFound, _) | (Route::Org { .. } | Route::Place { .. }, None) => {
            html! { <lost::LostPage /> }
        }
        (Route::Org { .. } | Route::Place { .. }, Some(org)) => inside(place, org),
    };
    // A page of one organisation keeps nothing when another comes into view.
    let key = org.as_ref().map(Org::slug).unwrap_or_default();
    html! {
        <ContextProvider<Org> context={org.unwrap_or_default()}>
            <Frame {place}><div key={key} class="page">{ content }</div></Frame>
        </ContextProvider<Org>>
    }
}

fn place_of(route: &Route) -> Option<Place> {
    match route {
        Route::Org { .. } => Some(Place::Overview),
        Route::Place { place, .. } => Some(*place),
        Route::Home
        | Route::Profile
        | Route::Authorize
        | Route::Device
        | Route::Organisations
        | Route::NotFound => None,
    }
}

fn inside(place: Option<Place>, org: &Org) -> Html {
    let Some(place) = place else { return html! { <lost::LostPage /> } };
    if !org.shows(place) {
        return html! { <lost::ForbiddenPage {place} /> };
    }
    part(Page::Of(place))
}

/// Keyed, so that a page keeps nothing of another.
fn part(page: Page) -> Html {
    html! { <Part key={format!("{page:?}")} {page} /> }
}
