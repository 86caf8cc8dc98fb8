//! The parts of the page People: what each is called, and who may see it.
//!
//! Whoever may see one of them is shown the page, with those that they may see.

use crate::session::Org;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PeopleView {
    People,
    Groups,
    Roles,
    Policy,
    Access,
    Reviews,
    SignIn,
    Export,
}

impl PeopleView {
    pub const ALL: [Self; 8] = [
        Self::People,
        Self::Groups,
        Self::Roles,
        Self::Policy,
        Self::Access,
        Self::Reviews,
        Self::SignIn,
        Self::Export,
    ];

    /// Those that the reader may see.
    pub fn open_to(org: &Org) -> Vec<Self> {
        Self::ALL.into_iter().filter(|view| view.is_open_to(org)).collect()
    }

    /// The one that an address means: nothing where there is none of that name, and the first that is
    /// open where it names none.
    pub fn of(name: &str, open: &[Self]) -> Option<Self> {
        let first = open.first().copied();
        match Self::ALL.into_iter().find(|view| view.as_str() == name)? {
            Self::People if !open.contains(&Self::People) => first,
            named => Some(named),
        }
    }

    /// How the address says it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::People => "",
            Self::Groups => "groups",
            Self::Roles => "roles",
            Self::Policy => "policy",
            Self::Access => "access",
            Self::Reviews => "reviews",
            Self::SignIn => "sign-in",
            Self::Export => "export",
        }
    }

    pub const fn title(self) -> &'static str {
        match self {
            Self::People => "People",
            Self::Groups => "Groups",
            Self::Roles => "Roles",
            Self::Policy => "Policy",
            Self::Access => "Access requests",
            Self::Reviews => "Access reviews",
            Self::SignIn => "Sign-in",
            Self::Export => "Export",
        }
    }

    /// What lets somebody see it.
    pub const fn permission(self) -> &'static str {
        match self {
            Self::People => "member.read",
            Self::Groups => "group.read",
            Self::Roles | Self::Policy => "role.read",
            Self::Access => "access.request",
            Self::Reviews => "review.read",
            Self::SignIn => "security.manage",
            Self::Export => "org.export",
        }
    }

    fn is_open_to(self, org: &Org) -> bool {
        let anywhere = |names: [&str; 2]| names.into_iter().any(|name| org.can(name));
        let everywhere = |name: &str| org.can_everywhere(name);
        match self {
            // All rules together are those of the whole organisation.
            Self::People | Self::Groups | Self::Policy | Self::Export => {
                everywhere(self.permission())
            }
            Self::Roles => org.can(self.permission()),
            Self::Access => anywhere(["access.request", "access.decide"]),
            // Whoever gives roles somewhere decides in the reviews of them.
            Self::Reviews => anywhere(["review.read", "role.bind"]),
            Self::SignIn => {
                ["security.manage", "sso.manage", "scim.manage"].into_iter().any(everywhere)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_without_a_part_means_the_first_that_is_open() {
        let open = [PeopleView::Roles, PeopleView::Access];
        assert_eq!(PeopleView::of("", &open), Some(PeopleView::Roles));
        assert_eq!(PeopleView::of("", &PeopleView::ALL), Some(PeopleView::People));
        assert_eq!(PeopleView::of("", &[]), None);
        assert_eq!(PeopleView::of("nowhere", &open), None);
        for view in PeopleView::ALL.into_iter().skip(1) {
            assert_eq!(PeopleView::of(view.as_str(), &open), Some(view), "named as it is");
        }
        assert_eq!(PeopleView::open_to(&Org::default()), []);
    }
}
