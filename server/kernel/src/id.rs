//! Identifiers: one type per kind of thing, so that a team's id cannot be passed as a token's.
//!
//! All are UUIDs; ours are version 7 (RFC 9562), which sort by the time they were made.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        #[cfg_attr(feature = "sqlx", derive(sqlx::Type), sqlx(transparent))]
        #[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(value_type = Uuid))]
        pub struct $name(Uuid);

        impl $name {
            /// A fresh id, later than every earlier one of this process.
            #[cfg(not(target_arch = "wasm32"))]
            pub fn generate() -> Self {
                Self(Uuid::now_v7())
            }

            /// Wraps a UUID that is known to name this kind of thing.
            pub const fn from_uuid(id: Uuid) -> Self {
                Self(id)
            }

            pub const fn uuid(self) -> Uuid {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text.parse().map(Self)
            }
        }

        impl From<$name> for Uuid {
            fn from(id: $name) -> Self {
                id.0
            }
        }

        impl From<Uuid> for $name {
            fn from(id: Uuid) -> Self {
                Self(id)
            }
        }
    )+};
}

ids! {
    /// One installation of Ralex and its database.
    DeploymentId,
    /// An organisation: the wall between tenants.
    OrgId,
    /// A person.
    UserId,
    TeamId,
    ProjectId,
    /// An API token: of a person, a team or a service account.
    TokenId,
    /// A machine with tokens of its own, at home in a team or in one project of it.
    ServiceAccountId,
    /// People who are given roles together.
    GroupId,
    /// That an organisation's directory says who its people are.
    ScimConnectionId,
    /// A console session.
    SessionId,
    /// A key pair by which a person proves who they are, whose private half their authenticator keeps.
    PasskeyId,
    ProviderId,
    ModelId,
    /// A name that means a choice of models.
    RouteId,
    /// A provider key in the vault, over all of its versions.
    SecretId,
    BudgetId,
    /// How many requests or tokens calls may take within a window of time.
    RateLimitId,
    /// What counts on a budget beside its calls.
    AdjustmentId,
    /// One thing that is looked for in prompts or answers, at one scope.
    GuardrailId,
    /// One rule about calls, at one scope.
    CallRuleId,
    /// Something that waits for a person to approve it.
    ApprovalId,
    /// A role that somebody asks to hold for a while.
    AccessRequestId,
    /// A change that waits for a second person.
    ChangeRequestId,
    /// A use of the break-glass access, from being asked for to its end.
    BreakGlassId,
    /// A look at who holds what, with decisions about it.
    AccessReviewId,
    /// One model call, from request to settlement. A batch is one call, however many lines it has.
    CallId,
    /// A file that a provider keeps for a caller.
    FileId,
    /// One event of the audit log.
    EventId,
    /// Where the audit log is sent as it grows.
    SinkId,
    /// Something that happened and that a person should know of.
    AlertId,
    /// Who is told of which alerts.
    AlertRuleId,
    /// Where a rule tells of alerts.
    AlertChannelId,
    /// One alert on its way to one channel.
    AlertDeliveryId,
    /// What keeps an organisation's audit log from being pruned.
    HoldId,
    /// A change of retention that waits for a second person.
    AuditRequestId,
    /// A compliance report that was asked for.
    ReportId,
    /// What asks for a report again and again.
    ReportScheduleId,
    /// One role given to one subject at one scope.
    BindingId,
    /// Who vouches for an organisation's people.
    SsoProviderId,
    /// Who somebody is to such a provider.
    SsoLinkId,
    /// One HTTP request.
    RequestId,
    /// One running server process.
    NodeId,
}
