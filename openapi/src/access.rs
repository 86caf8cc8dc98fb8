//! Roles and permissions, by their names in `policies/access/`.

use serde::{Deserialize, Serialize};

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
    }
}
