//! Permissions: the closed list of what can be allowed, and sets of them.
//!
//! `policies/access/permissions.toml` describes each; a test of `access` holds the two lists equal.

use std::fmt;
use std::str::FromStr;

macro_rules! permissions {
    ($($variant:ident = $name:literal),+ $(,)?) => {
        /// One thing that a role can allow.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum Permission { $($variant),+ }

        impl Permission {
            /// Every permission, in the order in which they are shown.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The name in policies and answers (`budget.set`).
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name),+ }
            }
        }

        impl FromStr for Permission {
            type Err = UnknownPermission;

            fn from_str(name: &str) -> Result<Self, Self::Err> {
                match name {
                    $($name => Ok(Self::$variant),)+
                    unknown => Err(UnknownPermission(unknown.to_owned())),
                }
            }
        }
    };
}

permissions! {
    OrgRead = "org.read",
    OrgUpdate = "org.update",
    OrgExport = "org.export",
    SecurityManage = "security.manage",
    FourEyesManage = "four_eyes.manage",
    BreakGlassArm = "break_glass.arm",
    SsoManage = "sso.manage",
    ScimManage = "scim.manage",
    TeamRead = "team.read",
    TeamCreate = "team.create",
    TeamUpdate = "team.update",
    TeamDelete = "team.delete",
    ProjectRead = "project.read",
    ProjectCreate = "project.create",
    ProjectUpdate = "project.update",
    ProjectDelete = "project.delete",
    MemberRead = "member.read",
    MemberInvite = "member.invite",
    MemberRemove = "member.remove",
    GroupRead = "group.read",
    GroupManage = "group.manage",
    RoleRead = "role.read",
    RoleDefine = "role.define",
    RoleBind = "role.bind",
    RoleDeny = "role.deny",
    AccessRequest = "access.request",
    AccessDecide = "access.decide",
    ReviewRead = "review.read",
    ReviewManage = "review.manage",
    ServiceAccountRead = "service_account.read",
    ServiceAccountCreate = "service_account.create",
    ServiceAccountUpdate = "service_account.update",
    TokenRead = "token.read",
    TokenCreate = "token.create",
    TokenRevoke = "token.revoke",
    ProviderRead = "provider.read",
    ProviderConfigure = "provider.configure",
    ModelRead = "model.read",
    ModelConfigure = "model.configure",
    SecretRead = "secret.read",
    SecretCreate = "secret.create",
    SecretRotate = "secret.rotate",
    SecretDelete = "secret.delete",
    BudgetRead = "budget.read",
    BudgetSet = "budget.set",
    GuardrailRead = "guardrail.read",
    GuardrailSet = "guardrail.set",
    CallRuleRead = "call_rule.read",
    CallRuleSet = "call_rule.set",
    AlertRead = "alert.read",
    AlertAcknowledge = "alert.acknowledge",
    AlertConfigure = "alert.configure",
    ApprovalRead = "approval.read",
    ApprovalDecide = "approval.decide",
    UsageRead = "usage.read",
    CallRead = "call.read",
    AuditRead = "audit.read",
    AuditExport = "audit.export",
    AuditForward = "audit.forward",
    AuditRetain = "audit.retain",
    ReportRead = "report.read",
    ReportCreate = "report.create",
    LlmInvoke = "llm.invoke",
    SecretUse = "secret.use",
}

/// A name that no permission has.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no permission \"{0}\"")]
pub struct UnknownPermission(String);

impl fmt::Display for Permission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A set of permissions, one bit each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Permissions(u128);

const _: () = assert!(Permission::ALL.len() <= 128, "a set has 128 bits");

impl Permissions {
    pub const NONE: Self = Self(0);

    pub const fn with(self, permission: Permission) -> Self {
        Self(self.0 | 1 << permission as u8)
    }

    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// What is in this set and not in `other`.
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// What is in both sets.
    pub const fn intersection(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    pub const fn contains(self, permission: Permission) -> bool {
        self.0 & (1 << permission as u8) != 0
    }

    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub fn iter(self) -> impl Iterator<Item = Permission> {
        Permission::ALL.iter().copied().filter(move |permission| self.contains(*permission))
    }

    /// The names, as answers show them.
    pub fn names(self) -> Vec<String> {
        self.iter().map(|permission| permission.as_str().to_owned()).collect()
    }
}

impl FromIterator<Permission> for Permissions {
    fn from_iter<T: IntoIterator<Item = Permission>>(permissions: T) -> Self {
        permissions.into_iter().fold(Self::NONE, Self::with)
    }
}
