//! Operators: people who manage a deployment's organisations, and see nothing inside them.

use chrono::{DateTime, Utc};
use ralex_kernel::{Email, Name, OrgId, Slug, UserId};

use crate::identity::User;
use crate::links::Invitation;

/// How long an organisation waits before it is deleted, in days, where nothing else is said.
pub const GRACE_DAYS: u32 = 30;
/// The shortest time, so that whoever uses it can notice.
pub const GRACE_DAYS_MIN: u32 = 1;
/// And the longest.
pub const GRACE_DAYS_MAX: u32 = 365;
/// How long another operator has to confirm that an organisation is deleted, in days.
pub const CONFIRM_DAYS: u32 = 7;

crate::words! {
    /// Whether anything is open in an organisation.
    pub enum OrgState {
        Active = "active",
        /// Nothing is open until an operator opens it again.
        Suspended = "suspended",
        /// Nothing is open, and everything is deleted when its time is over.
        Deleting = "deleting",
    }
}

crate::answer! {
    /// An organisation as operators see it: that it is there, and nothing of what is in it.
    pub struct ManagedOrg {
        pub id: OrgId,
        pub slug: Slug,
        pub name: Name,
        pub state: OrgState,
        /// How many people belong to it.
        pub people: u32,
        pub created_at: DateTime<Utc>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub suspended_at: Option<DateTime<Utc>>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub suspended_reason: Option<String>,
        /// When all of it is deleted.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub delete_after: Option<DateTime<Utc>>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub deletion_reason: Option<String>,
        /// Whether one operator alone has it deleted, since there was no other one who counted.
        #[serde(default)]
        pub deletion_by_one: bool,
        /// That an operator wants it deleted, which another one has to confirm; nothing is closed until then.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub deletion_asked: Option<AskedDeletion>,
        /// Of how many people its owners have said that operators may carry its export to them; without any, no
        /// operator can export it.
        #[serde(default)]
        pub export_recipients: u32,
    }

    /// That an operator wants an organisation deleted.
    pub struct AskedDeletion {
        pub asked_at: DateTime<Utc>,
        /// Their e-mail address, or their id.
        pub asked_by: String,
        pub reason: String,
        /// How long it can still be kept once it is confirmed.
        pub grace_days: u32,
        /// Until when it can be confirmed.
        pub expires_at: DateTime<Utc>,
        /// Whether the reader can confirm it.
        pub may_confirm: bool,
    }

    /// A new organisation. Its owner is invited where nobody can come in by their account yet.
    pub struct NewOrgAnswer {
        pub org: ManagedOrg,
        pub owner: User,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub invitation: Option<Invitation>,
    }

    /// What was removed of somebody who had lost it.
    pub struct FactorsReset {
        pub user: User,
        /// Whether there was an app with codes.
        pub app: bool,
        pub passkeys: u32,
        pub recovery_codes: u32,
        pub sessions_ended: u32,
        /// Whether a mail server took the news for them.
        pub told: bool,
    }

    /// An account that an operator has closed on the whole deployment.
    pub struct DeactivatedAccount {
        pub user: User,
        pub at: DateTime<Utc>,
        pub reason: String,
        /// Who did it; absent where their account is gone.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub by: Option<UserId>,
    }

    /// What was ended with it.
    pub struct AccountDeactivation {
        pub account: DeactivatedAccount,
        pub sessions_ended: u32,
        pub tokens_ended: u32,
        /// Whether the person was an operator, and is none any more.
        pub was_operator: bool,
    }

    /// What is left of an organisation that was deleted.
    pub struct DeletedOrg {
        pub id: OrgId,
        pub slug: Slug,
        pub name: Name,
        pub created_at: DateTime<Utc>,
        pub deleted_at: DateTime<Utc>,
        /// When somebody asked for it, and why.
        pub asked_at: DateTime<Utc>,
        /// Who did; absent where it was no person.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub asked_by: Option<UserId>,
        /// Which other operator confirmed it; absent where there was none.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub confirmed_by: Option<UserId>,
        pub reason: String,
        /// How many events its audit log had, and the hash of their tree, in hexadecimal, with which the
        /// log of logs and earlier exports can be compared.
        pub tree_size: u64,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub root_hash: Option<String>,
    }

    /// Somebody who manages organisations.
    pub struct Operator {
        pub user: User,
        pub since: DateTime<Utc>,
        /// Whether a login asks them for more than the password.
        pub second_factor: bool,
    }

    /// All operators.
    pub struct Operators {
        pub items: Vec<Operator>,
    }
}

crate::request! {
    /// An organisation with its first owner.
    pub struct NewOrg {
        pub slug: Slug,
        /// The slug when absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub name: Option<Name>,
        pub owner_email: Email,
        /// Needed where this person is new to Ralex.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub owner_name: Option<Name>,
    }

    /// Whose second factors are removed, and why; the log of each of their organisations says that.
    pub struct ResetFactors {
        pub email: Email,
        pub reason: String,
    }

    /// Whose account is closed, and why; the log of each of their organisations says that.
    pub struct DeactivateAccount {
        pub email: Email,
        pub reason: String,
    }

    /// Why an organisation is closed; everybody in it reads that.
    pub struct SuspendOrg {
        pub reason: String,
    }

    /// That an organisation is deleted, after a time in which it can be kept.
    pub struct DeleteOrg {
        /// Everybody in it reads that.
        pub reason: String,
        /// 1 to 365; 30 when absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub grace_days: Option<u32>,
    }

    /// Which wish is confirmed: what was asked for anew meanwhile is not.
    pub struct ConfirmDeletion {
        /// As it was read.
        pub asked_at: DateTime<Utc>,
    }

    /// Somebody with an account, by their e-mail address.
    pub struct NewOperator {
        pub email: Email,
    }
}
