//! Addresses: every page of the console and what one must be allowed to see it.

use std::fmt;
use std::str::FromStr;

use crate::components::icon::Icon;
use crate::text::query::encode;

/// A page's address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Route {
    Home,
    Profile,
    /// A program on this machine asks for a token.
    Authorize,
    /// A program elsewhere does, with a code.
    Device,
    /// What operators manage.
    Organisations,
    Org {
        org: String,
    },
    Place {
        org: String,
        place: Place,
    },
    NotFound,
}

impl Route {
    /// The page that a path names.
    pub fn of(path: &str) -> Self {
        let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
        match parts[..] {
            [] => Self::Home,
            ["profile"] => Self::Profile,
            ["authorize"] => Self::Authorize,
            ["device"] => Self::Device,
            ["organisations"] => Self::Organisations,
            ["o", org] => Self::Org { org: org.to_owned() },
            ["o", org, place] => place
                .parse()
                .map_or(Self::NotFound, |place| Self::Place { org: org.to_owned(), place }),
            _ => Self::NotFound,
        }
    }

    pub fn path(&self) -> String {
        match self {
            Self::Home => "/".to_owned(),
            Self::Profile => "/profile".to_owned(),
            Self::Authorize => "/authorize".to_owned(),
            Self::Device => "/device".to_owned(),
            Self::Organisations => "/organisations".to_owned(),
            Self::Org { org } => format!("/o/{}", encode(org)),
            Self::Place { org, place } => format!("/o/{}/{place}", encode(org)),
            Self::NotFound => "/404".to_owned(),
        }
    }
}

/// A page inside an organisation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Place {
    Overview,
    Playground,
    Calls,
    Batches,
    Usage,
    Budgets,
    Teams,
    People,
    Tokens,
    BreakGlass,
    Providers,
    Models,
    Routes,
    Guardrails,
    CallRules,
    Approvals,
    Health,
    Alerts,
    Reports,
    Audit,
}

/// The navigation: groups of pages that serve one job.
pub const GROUPS: [(&str, &[Place]); 5] = [
    ("", &[Place::Overview, Place::Playground, Place::Calls, Place::Batches]),
    ("Spend", &[Place::Usage, Place::Budgets]),
    ("Access", &[Place::Teams, Place::People, Place::Tokens, Place::BreakGlass]),
    (
        "Gateway",
        &[
            Place::Providers,
            Place::Models,
            Place::Routes,
            Place::Guardrails,
            Place::CallRules,
            Place::Approvals,
            Place::Health,
        ],
    ),
    ("Proof", &[Place::Alerts, Place::Reports, Place::Audit]),
];

impl Place {
    pub const ALL: [Self; 20] = [
        Self::Overview,
        Self::Playground,
        Self::Calls,
        Self::Batches,
        Self::Usage,
        Self::Budgets,
        Self::Teams,
        Self::People,
        Self::Tokens,
        Self::BreakGlass,
        Self::Providers,
        Self::Models,
        Self::Routes,
        Self::Guardrails,
        Self::CallRules,
        Self::Approvals,
        Self::Health,
        Self::Alerts,
        Self::Reports,
        Self::Audit,
    ];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Overview => "overview",
            Self::Playground => "playground",
            Self::Calls => "calls",
            Self::Batches => "batches",
            Self::Usage => "usage",
            Self::Budgets => "budgets",
            Self::Teams => "teams",
            Self::People => "people",
            Self::Tokens => "tokens",
            Self::BreakGlass => "break-glass",
            Self::Providers => "providers",
            Self::Models => "models",
            Self::Routes => "routes",
            Self::Guardrails => "guardrails",
            Self::CallRules => "call-rules",
            Self::Approvals => "approvals",
            Self::Health => "health",
            Self::Alerts => "alerts",
            Self::Reports => "reports",
            Self::Audit => "audit",
        }
    }

    pub const fn title(self) -> &'static str {
        match self {
            Self::Overview => "Overview",
            Self::Playground => "Playground",
            Self::Calls => "Calls",
            Self::Batches => "Batches",
            Self::Usage => "Usage",
            Self::Budgets => "Budgets",
            Self::Teams => "Teams",
            Self::People => "People",
            Self::Tokens => "Tokens",
            Self::BreakGlass => "Break-glass",
            Self::Providers => "Providers and keys",
            Self::Models => "Models",
            Self::Routes => "Routes",
            Self::Guardrails => "Guardrails",
            Self::CallRules => "Call rules",
            Self::Approvals => "Approvals",
            Self::Health => "Health",
            Self::Alerts => "Alerts",
            Self::Reports => "Reports",
            Self::Audit => "Audit log",
        }
    }

    pub const fn icon(self) -> Icon {
        match self {
            Self::Overview => Icon::Gauge,
            Self::Playground => Icon::Prompt,
            Self::Calls => Icon::List,
            Self::Batches => Icon::Stack,
            Self::Usage => Icon::Chart,
            Self::Budgets => Icon::Wallet,
            Self::Teams => Icon::Layers,
            Self::People => Icon::People,
            Self::Tokens => Icon::Key,
            Self::BreakGlass => Icon::Warn,
            Self::Providers => Icon::Plug,
            Self::Models => Icon::Cube,
            Self::Routes => Icon::Fork,
            Self::Guardrails => Icon::Funnel,
            Self::CallRules => Icon::Rule,
            Self::Approvals => Icon::Check,
            Self::Health => Icon::Pulse,
            Self::Alerts => Icon::Bell,
            Self::Reports => Icon::Download,
            Self::Audit => Icon::Shield,
        }
    }

    /// The letter that goes here after `g`.
    pub const fn letter(self) -> char {
        match self {
            Self::Overview => 'o',
            Self::Playground => 'p',
            Self::Calls => 'c',
            Self::Batches => 's',
            Self::Usage => 'u',
            Self::Budgets => 'b',
            Self::Teams => 't',
            Self::People => 'e',
            Self::Tokens => 'k',
            Self::BreakGlass => 'x',
            Self::Providers => 'v',
            Self::Models => 'm',
            Self::Routes => 'r',
            Self::Guardrails => 'g',
            Self::CallRules => 'w',
            Self::Approvals => 'd',
            Self::Health => 'h',
            Self::Alerts => 'l',
            Self::Reports => 'f',
            Self::Audit => 'a',
        }
    }

    /// The right without which the page is not shown.
    pub const fn permission(self) -> &'static str {
        match self {
            Self::Overview | Self::Usage => "usage.read",
            Self::Playground => "llm.invoke",
            Self::Calls | Self::Batches => "call.read",
            Self::Budgets => "budget.read",
            Self::Teams => "team.read",
            Self::People => "member.read",
            Self::Tokens => "token.read",
            Self::BreakGlass => "break_glass.arm",
            Self::Providers | Self::Health => "provider.read",
            Self::Models | Self::Routes => "model.read",
            Self::Guardrails => "guardrail.read",
            Self::CallRules => "call_rule.read",
            Self::Approvals => "approval.read",
            Self::Alerts => "alert.read",
            Self::Reports => "report.read",
            Self::Audit => "audit.read",
        }
    }

    /// Whether it tells of the whole organisation, and so takes the right there; of the others whoever holds
    /// it somewhere sees what is there. (Each part of People has a rule of its own: see `PeopleView`.)
    pub const fn is_of_all(self) -> bool {
        !matches!(
            self,
            Self::Playground
                | Self::Calls
                | Self::Batches
                | Self::Usage
                | Self::Budgets
                | Self::Teams
                | Self::Tokens
                | Self::Models
                | Self::Approvals
                | Self::Alerts
        )
    }

    pub fn of(self, org: &str) -> Route {
        let org = org.to_owned();
        if self == Self::Overview { Route::Org { org } } else { Route::Place { org, place: self } }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Place {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|place| place.as_str() == text).ok_or(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_page_is_in_the_navigation_once_with_a_letter_of_its_own() {
        let listed: Vec<Place> =
            GROUPS.iter().flat_map(|(_, places)| places.iter().copied()).collect();
        assert_eq!(listed, Place::ALL);
        let letters: BTreeSet<char> = Place::ALL.into_iter().map(Place::letter).collect();
        assert_eq!(letters.len(), Place::ALL.len());
    }

    #[test]
    fn an_address_leads_back_to_its_page() {
        for place in Place::ALL {
            let route = place.of("acme");
            assert_eq!(Route::of(&route.path()), route);
        }
        assert_eq!(Route::of("/o/acme/"), Place::Overview.of("acme"));
        for (path, route) in [("/", Route::Home), ("/profile", Route::Profile)] {
            assert_eq!((Route::of(path), route.path().as_str()), (route, path));
        }
        for lost in ["/o/acme/nowhere", "/o", "/404", "/o/acme/usage/more"] {
            assert_eq!(Route::of(lost), Route::NotFound);
        }
    }
}
