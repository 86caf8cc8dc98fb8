//! Tokens: what programs and people's tools sign in with.

use chrono::{DateTime, Utc};
use ralex_kernel::{Name, Secret, Slug, TokenId};

crate::answer! {
    /// A token without its secret.
    pub struct Token {
        pub id: TokenId,
        pub name: Name,
        /// The last four characters, to tell tokens apart.
        pub last_four: String,
        /// The team that a team token works for; absent on a personal token.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub team: Option<Slug>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub project: Option<Slug>,
        /// The service account that it is of; absent on a team's own token.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub service_account: Option<Slug>,
        /// Names of the models it may use; absent for all.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub models: Option<Vec<String>>,
        /// Names of the permissions that it brings, of those that its holder has; absent for all.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub permissions: Option<Vec<String>>,
        /// Networks that it works from (`203.0.113.0/24`, `2001:db8::/32`); absent for all.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub addresses: Option<Vec<String>>,
        pub created_at: DateTime<Utc>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub expires_at: Option<DateTime<Utc>>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub revoked_at: Option<DateTime<Utc>>,
        /// Exact to a minute.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub last_used_at: Option<DateTime<Utc>>,
        /// When it got the secret that it has now, where that is not its first.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub rotated_at: Option<DateTime<Utc>>,
        /// The secret before this one, while it works beside it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub former: Option<FormerSecret>,
        /// Why it does not work, where it is neither revoked nor expired.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub stopped: Option<TokenStop>,
    }

    /// A secret that a token had before, in the time in which both work.
    pub struct FormerSecret {
        pub last_four: String,
        pub until: DateTime<Utc>,
        /// Exact to a minute; since the new secret was made.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub last_used_at: Option<DateTime<Utc>>,
    }

    /// A new token with its secret, which is never shown again.
    pub struct NewTokenAnswer {
        pub id: TokenId,
        /// The secret (`rlx_…`).
        pub token: String,
    }

    /// What became of a reported token: whether it is one that was made here.
    pub struct LeakAnswer {
        /// The SHA-256 of the reported text, in base64, to tell answers apart without repeating it.
        pub token_hash: String,
        /// `rlx_pat`, `rlx_svc`, `rlx_scim` or `rlx_ses`; absent for what is no token.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub token_type: Option<String>,
        pub label: LeakLabel,
    }
}

crate::words! {
    /// Why a token does not work that is neither revoked nor expired.
    pub enum TokenStop {
        /// Its service account is disabled.
        Disabled = "disabled",
        /// The role is over by which somebody made it who held that for a while.
        RoleOver = "role_over",
        /// The single sign-on is over by which its person was in when they made it.
        SignOnOver = "sign_on_over",
    }
}

crate::words! {
    /// What a reported text is.
    pub enum LeakLabel {
        /// A token of this deployment. It has ended.
        TruePositive = "true_positive",
        /// None that was ever made here.
        FalsePositive = "false_positive",
    }
}

crate::request! {
    /// A token of one's own: it has one's own rights, in all of one's organisations.
    pub struct NewPersonalToken {
        pub name: Name,
        /// Names of the models it may use, in each organisation those that it has; all when absent.
        #[serde(default)]
        pub models: Option<Vec<String>>,
        /// Names of the permissions that it is to bring, of those that its holder has; all when absent.
        #[serde(default)]
        pub permissions: Option<Vec<String>>,
        /// Networks that it is to work from (`203.0.113.0/24`, `2001:db8::/32`, or single addresses); all
        /// when absent.
        #[serde(default)]
        pub addresses: Option<Vec<String>>,
        #[serde(default)]
        pub expires_at: Option<DateTime<Utc>>,
    }

    pub struct NewToken {
        pub name: Name,
        /// Id or slug of the team that it works for. Needed where no service account is named.
        #[serde(default)]
        pub team: Option<String>,
        /// Id or slug of the one project of that team that it is limited to.
        #[serde(default)]
        pub project: Option<String>,
        /// Id or slug of the service account that it is of, which has its home; instead of a team.
        #[serde(default)]
        pub service_account: Option<String>,
        /// Names of the models it may use; all when absent.
        #[serde(default)]
        pub models: Option<Vec<String>>,
        /// Names of the permissions that it is to bring, of those that its holder has; all when absent.
        #[serde(default)]
        pub permissions: Option<Vec<String>>,
        /// Networks that it is to work from (`203.0.113.0/24`, `2001:db8::/32`, or single addresses); all
        /// when absent.
        #[serde(default)]
        pub addresses: Option<Vec<String>>,
        #[serde(default)]
        pub expires_at: Option<DateTime<Utc>>,
    }

    /// How a token gets a new secret.
    pub struct RotateToken {
        /// For how many seconds the former secret works beside the new one: a day when absent, 30 days at
        /// most, 0 to end it at once.
        #[serde(default)]
        pub overlap_seconds: Option<u32>,
        /// A new end of the token; as it was when absent.
        #[serde(default)]
        pub expires_at: Option<DateTime<Utc>>,
    }
}

/// A token that somebody found where it should not be. The form is that of GitHub's secret scanning.
#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct LeakedToken {
    pub token: Secret,
    /// What the finder takes it for; nothing depends on it.
    #[serde(default, rename = "type")]
    pub kind: Option<String>,
    /// Where it was found.
    #[serde(default)]
    pub url: Option<String>,
    /// What it was found in: `commit`, `issue_description` and the like.
    #[serde(default)]
    pub source: Option<String>,
}
