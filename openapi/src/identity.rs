//! People, organisations, teams, projects and tokens.

use chrono::{DateTime, Utc};
use ralex_kernel::{
    Email, Name, OrgId, ProjectId, Secret, ServiceAccountId, SessionId, Slug, TeamId, UserId,
};
use serde::{Deserialize, Serialize};

use crate::access::RoleName;
use crate::factors::{Method, SecondFactor};
use crate::links::Invitation;

/// An e-mail address and a password.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Login {
    pub email: Email,
    pub password: Secret,
}

/// A change of one's own password; ends all of one's other sessions.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct ChangePassword {
    pub current: Secret,
    pub new: Secret,
}

/// The shortest password that is accepted (OWASP ASVS 5.0, 6.2.1); the console asks for more.
pub const PASSWORD_MIN: usize = 8;
/// The longest, so that hashing stays bounded.
pub const PASSWORD_MAX: usize = 256;

crate::answer! {
    /// Who is signed in, and what they may do where.
    pub struct Me {
        pub user: User,
        /// True until a one-time password is replaced; nothing else works before that.
        pub must_change_password: bool,
        /// True where a login asks for more than the password.
        pub second_factor: bool,
        /// True for who manages the deployment's organisations.
        #[serde(default)]
        pub operator: bool,
        /// Where a browser goes for a fresh proof, if the session is by an organisation's provider.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub prove_at: Option<String>,
        pub orgs: Vec<MyOrg>,
    }

    pub struct User {
        pub id: UserId,
        pub email: Email,
        pub name: Name,
    }

    /// An organisation as one of its members sees it.
    pub struct MyOrg {
        pub id: OrgId,
        pub slug: Slug,
        pub name: Name,
        /// True where it asks for a second factor and there is none behind this credential:
        /// nothing in it is open before one is registered.
        pub second_factor_needed: bool,
        /// Permissions held in the whole organisation, by name (`budget.set`).
        pub permissions: Vec<String>,
        /// Teams and projects in which more permissions are held.
        pub scopes: Vec<MyScope>,
        /// Where to sign in, if the organisation takes only who comes in by its single sign-on, and the
        /// caller did not.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub sign_on: Option<String>,
        /// Why nothing is open here, where the deployment's operators have closed it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub closed: Option<String>,
        /// What there is to know of its break-glass access; absent where that is nothing.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub break_glass: Option<MyBreakGlass>,
    }

    /// The break-glass access of an organisation, as one of its members sees it everywhere.
    pub struct MyBreakGlass {
        /// Whether one may open it.
        pub is_named: bool,
        /// Until when it is open; absent while it is closed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub open_until: Option<DateTime<Utc>>,
        /// How many uses wait for their review.
        pub reviews_waiting: u32,
    }

    /// A team or project in which the caller holds permissions beyond those of the organisation.
    pub struct MyScope {
        /// `team:<id>` or `project:<id>`.
        pub scope: String,
        /// The same by its slug.
        #[serde(default)]
        pub place: String,
        pub permissions: Vec<String>,
    }

    pub struct Org {
        pub id: OrgId,
        pub slug: Slug,
        pub name: Name,
        pub created_at: DateTime<Utc>,
    }

    pub struct Session {
        pub id: SessionId,
        pub created_at: DateTime<Utc>,
        pub last_used_at: DateTime<Utc>,
        pub expires_at: DateTime<Utc>,
        /// By what the person behind it proved last who they are, and when.
        pub methods: Vec<Method>,
        pub authenticated_at: DateTime<Utc>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub address: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub user_agent: Option<String>,
        /// What its owner calls it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub name: Option<Name>,
        /// The session of this very request.
        pub current: bool,
    }

    pub struct Team {
        pub id: TeamId,
        pub slug: Slug,
        pub name: Name,
        pub projects: u32,
        pub tokens: u32,
        pub members: u32,
        pub created_at: DateTime<Utc>,
    }

    pub struct Project {
        pub id: ProjectId,
        pub slug: Slug,
        pub name: Name,
        pub team: TeamId,
        pub team_slug: Slug,
        pub created_at: DateTime<Utc>,
    }

    /// A person in the organisation, with the roles they hold in it.
    pub struct Member {
        pub user: User,
        pub roles: Vec<MemberRole>,
        pub joined_at: DateTime<Utc>,
        /// Since when they hold nothing here, until they are let back in.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub suspended_at: Option<DateTime<Utc>>,
        /// Whether they had an account when they were added, and have yet to say that they belong here;
        /// nothing is open to them before.
        #[serde(default)]
        pub awaits_acceptance: bool,
        /// Until when the link of their invitation is good; it is over where that is past. Absent for who
        /// has used it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub invited_until: Option<DateTime<Utc>>,
    }

    pub struct MemberRole {
        pub role: RoleName,
        /// `org`, `team:<slug>` or `project:<slug>`.
        pub scope: String,
        /// The slug of the group by which they hold it; absent where it is given by name.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub group: Option<String>,
    }

    /// A new member. The password is shown once, and only where the person was new to Ralex.
    pub struct NewMemberAnswer {
        pub member: Member,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub one_time_password: Option<String>,
        /// Present where the person was invited.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub invitation: Option<Invitation>,
    }

    /// What a program is, whichever of its tokens it shows: budgets and rate limits of it count over
    /// all of them, and the audit log names it.
    pub struct ServiceAccount {
        pub id: ServiceAccountId,
        pub slug: Slug,
        pub name: Name,
        /// The team that it is at home in, and whose models and money it uses.
        pub team: Slug,
        /// The one project of that team that it is limited to.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub project: Option<Slug>,
        /// How many of its tokens are neither revoked nor expired.
        pub tokens: u32,
        pub created_at: DateTime<Utc>,
        /// Since when none of its tokens works.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub disabled_at: Option<DateTime<Utc>>,
        /// Exact to a minute.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub last_used_at: Option<DateTime<Utc>>,
    }
}

crate::request! {
    pub struct NewTeam {
        pub slug: Slug,
        pub name: Name,
    }

    /// What one wants to be called, in every organisation.
    pub struct UpdateMe {
        pub name: Name,
    }

    /// What one calls a session of one's own; nothing takes its name away.
    pub struct NameSession {
        pub name: Option<Name>,
    }

    /// What an organisation is called; its slug stays.
    pub struct UpdateOrg {
        pub name: Name,
    }

    pub struct UpdateTeam {
        pub name: Name,
    }

    pub struct UpdateProject {
        pub name: Name,
    }

    pub struct NewProject {
        pub slug: Slug,
        pub name: Name,
        /// Id or slug of the team.
        pub team: String,
    }

    pub struct NewMember {
        pub email: Email,
        /// Needed; whoever has an account goes on being called as they are.
        #[serde(default)]
        pub name: Option<Name>,
        pub role: RoleName,
        /// `org` (the default), `team:<slug>` or `project:<slug>`.
        #[serde(default)]
        pub scope: Option<String>,
        /// Whether somebody new gets a link by which they choose their password, in the place of a
        /// password to use once.
        #[serde(default)]
        pub invite: bool,
    }

    pub struct NewServiceAccount {
        pub slug: Slug,
        pub name: Name,
        /// Id or slug of the team that it is at home in.
        pub team: String,
        /// Id or slug of the one project of that team that it is limited to.
        #[serde(default)]
        pub project: Option<String>,
    }

    /// What is absent stays as it is.
    pub struct UpdateServiceAccount {
        #[serde(default)]
        pub name: Option<Name>,
        /// While true, none of its tokens works.
        #[serde(default)]
        pub disabled: Option<bool>,
    }
}

/// What a login answers: beside the session's cookie who is signed in, or that a second factor is
/// asked for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct LoginAnswer {
    /// Absent until every factor is proven.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<User>,
    #[serde(default)]
    pub must_change_password: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub second_factor: Option<SecondFactor>,
}
