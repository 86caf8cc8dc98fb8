//! What operators do: the deployment's organisations, and who manages them.

use ralex_api::Page;
use ralex_api::operators::{
    AccountDeactivation, AskedDeletion, DeactivateAccount, DeactivatedAccount, DeleteOrg,
    DeletedOrg, FactorsReset, ManagedOrg, NewOperator, NewOrg, NewOrgAnswer, Operator, Operators,
    ResetFactors, SuspendOrg,
};
use ralex_kernel::UserId;
use serde_json::json;

use super::client::{self, Reply};
use super::{PAGE, page};
use crate::text::query::{Query, encode};

const BASE: &str = "/operator/orgs";
const CLOSED: &str = "/operator/deactivated-accounts";

fn org(slug: &str, verb: &str) -> String {
    format!("{BASE}/{}/{verb}", encode(slug))
}

pub fn orgs(cursor: Option<&str>) -> Reply<Page<ManagedOrg>> {
    client::list(&page(BASE, cursor, PAGE, Query::default()))
}

pub fn deleted(cursor: Option<&str>) -> Reply<Page<DeletedOrg>> {
    client::list(&page("/operator/deleted-orgs", cursor, PAGE, Query::default()))
}

pub fn create(new: &NewOrg) -> Reply<NewOrgAnswer> {
    client::create(BASE, new)
}

pub fn suspend(slug: &str, reason: String) -> Reply<ManagedOrg> {
    client::create(&org(slug, "suspend"), &SuspendOrg { reason })
}

pub fn resume(slug: &str) -> Reply<()> {
    client::tell(&org(slug, "resume"), None)
}

pub fn delete(slug: &str, how: &DeleteOrg) -> Reply<ManagedOrg> {
    client::create(&org(slug, "deletion"), how)
}

/// As it was read: what was asked for anew meanwhile is not confirmed.
pub fn confirm_deletion(slug: &str, asked: &AskedDeletion) -> Reply<()> {
    let seen = json!({ "asked_at": asked.asked_at });
    client::tell(&org(slug, "deletion/confirm"), Some(&seen))
}

/// Also withdraws that somebody wants it deleted.
pub fn keep(slug: &str) -> Reply<()> {
    client::delete(&org(slug, "deletion"))
}

pub fn operators() -> Reply<Operators> {
    client::find("/operator/operators")
}

pub fn add(new: &NewOperator) -> Reply<Operator> {
    client::create("/operator/operators", new)
}

pub fn reset_factors(asked: &ResetFactors) -> Reply<FactorsReset> {
    client::create("/operator/factor-resets", asked)
}

pub fn closed(cursor: Option<&str>) -> Reply<Page<DeactivatedAccount>> {
    client::list(&page(CLOSED, cursor, PAGE, Query::default()))
}

pub fn close(asked: &DeactivateAccount) -> Reply<AccountDeactivation> {
    client::create(CLOSED, asked)
}

pub fn reopen(user: UserId) -> Reply<()> {
    client::delete(&format!("{CLOSED}/{user}"))
}

pub fn remove(user: UserId) -> Reply<()> {
    client::delete(&format!("/operator/operators/{user}"))
}
