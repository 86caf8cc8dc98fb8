//! Who is signed in, the organisation in view, and what may be done there.
//!
//! The server decides; this only hides what it would refuse.

use std::rc::Rc;

use ralex_api::identity::{Me, MyBreakGlass, MyOrg};
use yew::prelude::*;

use crate::people_view::PeopleView;
use crate::route::Place;

/// The person signed in.
#[derive(Clone, PartialEq)]
pub struct Session {
    pub me: Rc<Me>,
    /// Asks the server anew who is signed in.
    pub refresh: Callback<()>,
    pub sign_out: Callback<()>,
}

/// The organisation in view. The default is none, in which nothing is allowed.
#[derive(Clone, Default, PartialEq)]
pub struct Org(Option<Rc<MyOrg>>);

impl Org {
    pub fn new(org: MyOrg) -> Self {
        Self(Some(Rc::new(org)))
    }

    pub fn slug(&self) -> String {
        self.0.as_ref().map(|org| org.slug.to_string()).unwrap_or_default()
    }

    pub fn name(&self) -> String {
        self.0.as_ref().map(|org| org.name.to_string()).unwrap_or_default()
    }

    /// True where nothing in it is open before the reader has a second factor.
    pub fn needs_factor(&self) -> bool {
        self.0.as_ref().is_some_and(|org| org.second_factor_needed)
    }

    /// Why nothing in it is open, where the deployment's operators have closed it.
    pub fn closed(&self) -> Option<String> {
        self.0.as_ref().and_then(|org| org.closed.clone())
    }

    /// Where to sign in, if the organisation takes only who comes in by its single sign-on.
    pub fn way_in(&self) -> Option<String> {
        self.0.as_ref().and_then(|org| org.sign_on.clone())
    }

    /// What there is to know of its break-glass access; nothing where that is nothing.
    pub fn break_glass(&self) -> Option<MyBreakGlass> {
        self.0.as_ref().and_then(|org| org.break_glass.clone())
    }

    /// True where the reader is named to open the break-glass access, whatever else they may.
    pub fn may_break_glass(&self) -> bool {
        self.break_glass().is_some_and(|it| it.is_named)
    }

    /// True where the permission is held in the organisation or anywhere inside it.
    pub fn can(&self, permission: &str) -> bool {
        let held = |names: &[String]| names.iter().any(|name| name == permission);
        self.0.as_ref().is_some_and(|org| {
            held(&org.permissions) || org.scopes.iter().any(|scope| held(&scope.permissions))
        })
    }

    /// True where the permission is held in the organisation, or at one of these places
    /// (`team:<id or slug>`, `project:<id or slug>`).
    pub fn can_at(&self, permission: &str, places: &[String]) -> bool {
        let held = |names: &[String]| names.iter().any(|name| name == permission);
        self.0.as_ref().is_some_and(|org| {
            let here = |place: &String| places.contains(place);
            let mut scopes = org.scopes.iter().filter(|it| here(&it.scope) || here(&it.place));
            held(&org.permissions) || scopes.any(|scope| held(&scope.permissions))
        })
    }

    /// True where the permission is held in the whole organisation.
    pub fn can_everywhere(&self, permission: &str) -> bool {
        self.can_at(permission, &[])
    }

    /// True where the permission is held at a team, or at this project of it.
    pub fn can_in(&self, permission: &str, team: &str, project: Option<&str>) -> bool {
        let project = project.map(|slug| format!("project:{slug}"));
        let places: Vec<_> = [format!("team:{team}")].into_iter().chain(project).collect();
        self.can_at(permission, &places)
    }

    /// Why a change of what holds for the whole organisation would be refused; nothing where it
    /// would not.
    pub fn blocked(&self, permission: &str) -> Option<AttrValue> {
        (!self.can_everywhere(permission)).then(|| {
            format!(
                "Needs {permission} in the whole organisation. Its administrators can grant it."
            )
            .into()
        })
    }

    /// Where one begins: the first page that one may see.
    pub fn start(&self) -> Place {
        Place::ALL.into_iter().find(|place| self.shows(*place)).unwrap_or(Place::Overview)
    }

    /// True where one may see the page.
    pub fn shows(&self, place: Place) -> bool {
        if place == Place::People {
            return !PeopleView::open_to(self).is_empty();
        }
        let seen = if place.is_of_all() {
            self.can_everywhere(place.permission())
        } else {
            self.can(place.permission())
        };
        // Who sets budgets may have to confirm what others change of them.
        seen || (place == Place::Approvals && self.can("budget.set"))
            || (place == Place::BreakGlass && self.may_break_glass())
    }
}

/// The session that every page behind the login has.
#[hook]
pub fn use_session() -> Option<Session> {
    use_context()
}

/// The organisation in view; pages inside one always have it.
#[hook]
pub fn use_org() -> Org {
    use_context().unwrap_or_default()
}
