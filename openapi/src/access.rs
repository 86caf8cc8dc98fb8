//! Roles and permissions, by their names in `policies/access/`.

use chrono::{DateTime, Utc};
use ralex_kernel::{
    AccessRequestId, BindingId, BreakGlassId, BudgetId, GroupId, Name, SecretId, Slug,
};
use serde::{Deserialize, Serialize};

use crate::identity::User;

/// A role's name (`owner`, `developer`).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(value_type = String, example = "developer"))]
pub struct RoleName(pub String);

impl RoleName {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for RoleName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(&self.0)
    }
}

crate::answer! {
    /// A role and what it allows.
    pub struct Role {
        pub name: RoleName,
        pub title: String,
        pub description: String,
        /// Names of all permissions, inherited ones included.
        pub permissions: Vec<String>,
        /// Whether it comes with the deployment; others are the organisation's own.
        pub built_in: bool,
        /// The permissions that it names itself.
        pub direct: Vec<String>,
        /// The roles all of which it allows as well.
        pub includes: Vec<RoleName>,
        /// Rises with each change; the `ETag`. 0 for one that comes with the deployment.
        #[serde(default)]
        pub version: u64,
    }
}

crate::answer! {
    /// A permission, and what it allows.
    pub struct PermissionInfo {
        pub name: String,
        pub description: String,
    }

    /// People who are given roles together.
    pub struct Group {
        pub id: GroupId,
        pub slug: Slug,
        pub name: Name,
        /// How many people are in it.
        pub members: u32,
        /// How many roles it is given or denied.
        pub bindings: u32,
        /// The e-mail address of who made it, or else their id.
        pub created_by: String,
        pub created_at: DateTime<Utc>,
        /// Whether the organisation's directory decides who is in it.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        pub managed_by_scim: bool,
    }

    pub struct GroupMember {
        pub user: User,
        /// The e-mail address of who let them in, or else their id.
        pub added_by: String,
        pub added_at: DateTime<Utc>,
    }
}

crate::request! {
    /// A role of the organisation's own.
    pub struct NewRole {
        /// Lower-case letters, digits and `_`; it cannot be changed later.
        pub name: RoleName,
        pub title: Name,
        #[serde(default)]
        pub description: Option<String>,
        /// Names of the permissions that it gives itself.
        #[serde(default)]
        pub permissions: Vec<String>,
        /// Names of roles all of which it gives as well.
        #[serde(default)]
        pub includes: Vec<RoleName>,
    }

    /// What is absent stays as it is.
    pub struct UpdateRole {
        #[serde(default)]
        pub title: Option<Name>,
        #[serde(default)]
        pub description: Option<String>,
        #[serde(default)]
        pub permissions: Option<Vec<String>>,
        #[serde(default)]
        pub includes: Option<Vec<RoleName>>,
    }

    pub struct NewGroup {
        pub slug: Slug,
        pub name: Name,
    }

    pub struct UpdateGroup {
        pub name: Name,
    }

    pub struct NewGroupMember {
        /// `user:<id or e-mail>`.
        pub subject: String,
    }
}

crate::words! {
    /// What a binding does.
    #[derive(Default)]
    pub enum BindingEffect {
        #[default]
        Allow = "allow",
        /// Takes away what the role allows, whatever else its holder holds.
        Deny = "deny",
    }
}

crate::answer! {
    /// A role that a person or a program holds at a place and below it, or is denied there.
    pub struct Binding {
        pub id: BindingId,
        /// `user:<id>`, `group:<slug>`, `service_account:<slug>`.
        pub subject: String,
        /// The person's e-mail address, or what the group or program is called.
        pub subject_name: String,
        pub role: RoleName,
        /// `org`, `team:<slug>` or `project:<slug>`.
        pub scope: String,
        pub effect: BindingEffect,
        /// From when on it holds; since it was made when absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub not_before: Option<DateTime<Utc>>,
        /// Until when it holds; until it is taken away when absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub expires_at: Option<DateTime<Utc>>,
        /// The e-mail address of who gave it, or else their id.
        pub created_by: String,
        pub created_at: DateTime<Utc>,
        /// The provider of single sign-on whose groups give it; each login by it makes it so again.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub managed_by: Option<String>,
        /// The access request that it came of.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub access_request: Option<AccessRequestId>,
    }
}

crate::request! {
    #[derive(PartialEq)]
    pub struct NewBinding {
        /// `user:<id or e-mail>`, `group:<slug or id>` or `service_account:<slug or id>`.
        pub subject: String,
        pub role: RoleName,
        /// `org`, `team:<slug or id>` or `project:<slug or id>`; the organisation when absent.
        #[serde(default)]
        pub scope: Option<String>,
        #[serde(default)]
        pub effect: BindingEffect,
        /// From when on it holds; at once when absent.
        #[serde(default)]
        pub not_before: Option<DateTime<Utc>>,
        /// Until when it holds; until it is taken away when absent.
        #[serde(default)]
        pub expires_at: Option<DateTime<Utc>>,
    }
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(utoipa::IntoParams))]
pub struct BindingsQuery {
    /// Only those of `user:<id or e-mail>`, `group:<slug or id>` or `service_account:<slug or id>`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// Only those of this role.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// Only those at `team:<slug or id>` or `project:<slug or id>`, or below.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
    /// As they were then, deleted ones among them; as they are now when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<DateTime<Utc>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
}

crate::words! {
    /// What decides whether somebody may do something.
    pub enum ExplainReason {
        /// A role that is given.
        Role = "role",
        /// What programs hold at their home by themselves.
        Home = "home",
        /// The break-glass access, which the person has opened with another.
        BreakGlass = "break_glass",
        /// A denial, which beats every role.
        Denied = "denied",
        /// Nothing that is held gives it there.
        NotHeld = "not_held",
        /// The person cannot log in, or the program is disabled.
        Disabled = "disabled",
        /// The person is suspended in the organisation.
        Suspended = "suspended",
    }
}

crate::answer! {
    /// Whether somebody may do something at a place, or could, and why.
    pub struct Explanation {
        pub subject: String,
        pub subject_name: String,
        pub permission: String,
        pub scope: String,
        pub allowed: bool,
        pub reason: ExplainReason,
        /// The role that gives it, or the denial that takes it away.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub binding: Option<Binding>,
        /// The use of the break-glass access that gives it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub break_glass: Option<BreakGlassId>,
        /// All roles that would give it.
        pub roles: Vec<RoleName>,
        /// The moment of which it is told; now when absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub at: Option<DateTime<Utc>>,
    }

    /// Somebody who may do what was asked for, and by what.
    pub struct Able {
        /// `user:<id>`, `service_account:<slug>`, or `token:<id>` for a team's own.
        pub subject: String,
        pub subject_name: String,
        /// Which of what was asked about: of a key, `llm.invoke` uses it in calls, `secret.rotate` replaces it,
        /// `secret.delete` destroys it.
        #[serde(default)]
        pub permissions: Vec<String>,
        /// By what they may do the first of it.
        pub reason: ExplainReason,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub role: Option<RoleName>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub binding: Option<BindingId>,
    }
}

crate::request! {
    pub struct ExplainQuestion {
        /// `user:<id or e-mail>` or `service_account:<slug or id>`.
        pub subject: String,
        /// The name of a permission, such as `budget.set`.
        pub permission: String,
        /// `org`, `team:<slug or id>` or `project:<slug or id>`; the organisation when absent.
        #[serde(default)]
        pub scope: Option<String>,
        /// As it was then; as it is now when absent.
        #[serde(default)]
        pub at: Option<DateTime<Utc>>,
    }

    /// Who may do something at a place, whose calls a budget pays, or who may use, replace or destroy a key: one of
    /// the three.
    pub struct WhoCanQuestion {
        /// The name of a permission, such as `llm.invoke`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub permission: Option<String>,
        /// With a permission: `org`, `team:<slug or id>` or `project:<slug or id>`; the organisation when absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub scope: Option<String>,
        /// Those who can spend it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub budget: Option<BudgetId>,
        /// Those whose calls can use this key of a provider, who can replace it, and who can destroy it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub key: Option<SecretId>,
        /// With a permission: as it was then; as it is now when absent.
        #[serde(default)]
        pub at: Option<DateTime<Utc>>,
        /// Those after this one, by its `subject`.
        #[serde(default)]
        pub cursor: Option<String>,
        /// So many at most, 50 when absent.
        #[serde(default)]
        pub limit: Option<u32>,
    }
}

crate::answer! {
    /// How far back it is known who could do what.
    pub struct AccessHistory {
        pub known_since: DateTime<Utc>,
    }
}
