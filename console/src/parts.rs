//! The console comes in parts: the pages of one section of the menu, fetched when somebody goes there.
//!
//! The table below says which page is in which part, and is all there is to say. The build takes the
//! compiled console apart at these functions (`tools/bindgen`): what one part alone reaches is in its
//! file, what several reach and the first page does not is in the file that they share, and
//! everything else is there from the start.

use ralex_api::{Code, Problem};
use wasm_bindgen_futures::spawn_local;
use wasm_split_helpers::{SplitLoaderError, wasm_split};
use yew::html::BaseComponent;
use yew::prelude::*;

use crate::api::client::Answer;
use crate::components::{Banner, Button, Icon, Tone, skeleton};
use crate::hooks::{Load, use_load};
use crate::pages;
use crate::route::{Place, Route};
use crate::router;

/// A page that may have to be fetched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Page {
    Profile,
    Authorize,
    Device,
    Organisations,
    Of(Place),
}

impl Page {
    /// The page at an address, if one is there.
    pub fn at(route: &Route) -> Option<Self> {
        match route {
            Route::Profile => Some(Self::Profile),
            Route::Authorize => Some(Self::Authorize),
            Route::Device => Some(Self::Device),
            Route::Organisations => Some(Self::Organisations),
            Route::Org { .. } => Some(Self::Of(Place::Overview)),
            Route::Place { place, .. } => Some(Self::Of(*place)),
            Route::Home | Route::NotFound => None,
        }
    }
}

macro_rules! parts {
    ($($part:ident { $($page:pat => $component:ty,)+ })+) => {
        $(
            #[wasm_split($part, fallible)]
            fn $part(page: Page) -> Result<Html, SplitLoaderError> {
                Ok(match page {
                    $($page => page_of::<$component>(),)+
                    _of_another_part => Html::default(),
                })
            }
        )+

        /// Draws a page, once its part is here.
        #[expect(clippy::unnested_or_patterns, reason = "the table has a line for each page")]
        async fn draw(page: Page) -> Result<Html, SplitLoaderError> {
            match page {
                Page::Of(Place::Overview) => Ok(page_of::<pages::overview::OverviewPage>()),
                $($($page)|+ => $part(page).await,)+
            }
        }
    };
}

parts! {
    account {
        Page::Profile => pages::profile::ProfilePage,
        Page::Authorize => pages::programs::AuthorizePage,
        Page::Device => pages::programs::DevicePage,
    }
    deployment {
        Page::Organisations => pages::organisations::OrganisationsPage,
    }
    work {
        Page::Of(Place::Playground) => pages::playground::PlaygroundPage,
        Page::Of(Place::Calls) => pages::calls::CallsPage,
        Page::Of(Place::Batches) => pages::batches::BatchesPage,
    }
    spend {
        Page::Of(Place::Usage) => pages::usage::UsagePage,
        Page::Of(Place::Budgets) => pages::budgets::BudgetsPage,
    }
    access {
        Page::Of(Place::Teams) => pages::teams::TeamsPage,
        Page::Of(Place::People) => pages::people::PeoplePage,
        Page::Of(Place::Tokens) => pages::tokens::TokensPage,
        Page::Of(Place::BreakGlass) => pages::break_glass::BreakGlassPage,
    }
    gateway {
        Page::Of(Place::Providers) => pages::providers::ProvidersPage,
        Page::Of(Place::Models) => pages::models::ModelsPage,
        Page::Of(Place::Routes) => pages::routes::RoutesPage,
        Page::Of(Place::Guardrails) => pages::guardrails::GuardrailsPage,
        Page::Of(Place::CallRules) => pages::call_rules::CallRulesPage,
        Page::Of(Place::Approvals) => pages::approvals::ApprovalsPage,
        Page::Of(Place::Health) => pages::health::HealthPage,
    }
    proof {
        Page::Of(Place::Alerts) => pages::alerts::AlertsPage,
        Page::Of(Place::Reports) => pages::reports::ReportsPage,
        Page::Of(Place::Audit) => pages::audit::AuditPage,
    }
}

fn page_of<P: BaseComponent<Properties = ()>>() -> Html {
    html! { <P /> }
}

/// Begins to fetch the part of a page to which somebody is likely to go.
pub fn expect(route: &Route) {
    let Some(page) = Page::at(route) else { return };
    spawn_local(async move {
        // Going there tries again, and says what is wrong.
        let _ = draw(page).await;
    });
}

#[derive(Properties, PartialEq)]
pub struct Props {
    pub page: Page,
}

/// A page, after its part has been fetched.
#[component]
pub fn Part(props: &Props) -> Html {
    let (load, again) = use_load(props.page, fetch);
    match load {
        Load::Pending => skeleton(0, 6),
        Load::Ready(page) => (*page).clone(),
        Load::Failed(problem) => html! {
            <>
            <h1 class="sr">{ "Not fetched" }</h1>
            <Banner tone={Tone::Bad}>
                <p><strong>{ problem.title }</strong></p>
                <p>{ problem.detail }</p>
                <Button icon={Icon::Rotate} onclick={again}>{ "Try again" }</Button>
                <Button onclick={|()| router::reload()}>{ "Reload the console" }</Button>
            </Banner>
            </>
        },
    }
}

async fn fetch(page: Page) -> Answer<Html> {
    draw(page).await.map_err(|_not_told_why| Problem {
        title: "This page could not be fetched".to_owned(),
        ..Problem::new(
            Code::Unavailable,
            "The server cannot be reached, or has a newer console by now. Try again; if it stays so, reload.",
        )
    })
}
