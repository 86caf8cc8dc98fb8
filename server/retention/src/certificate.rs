//! Certificates: what was destroyed of a person, what is kept and why, and what proves it.

use chrono::{DateTime, TimeDelta, Utc};
use ralex_api::erasure::{ErasedAccount, ErasureCertificate, KeptAfterErasure};
use ralex_kernel::{AuditRequestId, Code, OrgId, Problem};
use ralex_store::{Tenant, problem};

use crate::Retention;
use crate::class::kept_until;
use crate::erase::Destroyed;
use crate::sql;
use crate::sql::erase::{self, Done};

/// Answers to retried requests are kept so long.
const ANSWERS_KEPT: TimeDelta = TimeDelta::hours(24);

impl Retention {
    /// What came of a request to erase somebody; what is kept is told as it is now.
    pub async fn certificate(
        &self,
        org: OrgId,
        id: AuditRequestId,
    ) -> Result<ErasureCertificate, Problem> {
        let mut tx = self.0.db.tenant(org).await?;
        let done = erase::done(&mut tx, org, id).await.map_err(problem)?;
        let done = done.ok_or_else(|| Problem::not_found("erasure"))?;
        let destroyed: Destroyed = serde_json::from_value(done.destroyed.clone())
            .map_err(|_| Problem::new(Code::Internal, "This erasure cannot be read."))?;
        let kept = self.kept(&mut tx, &done, destroyed.account).await?;
        tx.rollback().await.map_err(problem)?;
        let proof = self.0.audit.prove(org, done.event).await?;
        let receipt = self.0.audit.receipt(org, done.event).await?;
        Ok(ErasureCertificate {
            ralex_erasure_certificate: 1,
            id,
            org,
            person: done.user,
            asked_by: done.asked_by,
            asked_at: done.asked_at,
            approved_by: done.approved_by,
            erased_at: done.erased_at,
            keys: destroyed.keys,
            removed: destroyed.removed,
            account: destroyed.account,
            kept,
            event: done.event,
            index: proof.index,
            receipt,
            key: proof.key,
        })
    }

    async fn kept(
        &self,
        tx: &mut Tenant,
        done: &Done,
        account: ErasedAccount,
    ) -> Result<Vec<KeptAfterErasure>, Problem> {
        let org = tx.org();
        let mut kept = vec![
            entry(
                "The person's id in events, calls and approvals",
                "It names nobody without the account and the key; without it the record of who did what to money and keys would be broken.",
            ),
            entry(
                "Sums of spend, and calls with their costs and token counts",
                "They are the organisation's accounts; they hold the id and no prompt.",
            ),
        ];
        if account == ErasedAccount::Kept {
            kept.push(entry(
                "The account",
                "It is used, or held for a court or an investigation, outside of this organisation, which sees nothing of it any more. Ask for the erasure again once it is not.",
            ));
        }
        kept.extend(self.kept_readable(tx, done).await?);
        if done.mentions > 0 {
            kept.push(counted(
                "Other events from before that, which named the e-mail address at the time of the erasure",
                "Likewise.",
                done.mentions,
                None,
            ));
        }
        let (reports, until) =
            erase::reports_before(tx, org, done.erased_at).await.map_err(problem)?;
        if reports > 0 {
            kept.push(counted(
                "Reports made before, about others or everybody",
                "They may name the person, and are deleted when their time is over, or by hand before.",
                reports,
                until,
            ));
        }
        kept.extend(always(done.erased_at));
        Ok(kept)
    }

    /// Events from before there were commitments, until when retention lets them go.
    async fn kept_readable(
        &self,
        tx: &mut Tenant,
        done: &Done,
    ) -> Result<Option<KeptAfterErasure>, Problem> {
        let org = tx.org();
        let days = sql::days(tx, org).await.map_err(problem)?;
        let readable = erase::readable(tx, org, done.user).await.map_err(problem)?;
        let count: i64 = readable.iter().map(|it| it.count).sum();
        let ends =
            readable.iter().map(|it| kept_until(&self.0.classes, &days, &it.action, it.last_at));
        // Where one of them is kept for ever, so are all that one can rely on.
        let until = ends.collect::<Option<Vec<_>>>().and_then(|ends| ends.into_iter().max());
        let told = counted(
            "Events from before personal values were sealed, which hold the address of the person's network or their e-mail address",
            "Their text is what the signed tree proves. They go when retention prunes them; without a retention they are kept for ever.",
            count,
            until,
        );
        Ok((count > 0).then_some(told))
    }
}

/// What no erasure reaches.
fn always(erased_at: DateTime<Utc>) -> Vec<KeptAfterErasure> {
    let mut kept = Vec::new();
    if erased_at + ANSWERS_KEPT > Utc::now() {
        kept.push(KeptAfterErasure {
            until: Some(erased_at + ANSWERS_KEPT),
            ..entry(
                "Sealed answers to requests that may be retried",
                "One of them may be that of adding the person.",
            )
        });
    }
    kept.push(entry(
        "Counts of failed logins by network address",
        "They slow guessing down, and belong to a network and to nobody.",
    ));
    kept.push(entry(
        "What people wrote themselves: reasons, names of things, tags",
        "Nobody can tell by machine whom it names.",
    ));
    kept.push(entry(
        "Copies outside of this database: backups from before, exports, and what sinks and recipients were sent",
        "They are out of Ralex's hands. A backup from before still has the key: let it expire, and erase again after restoring one.",
    ));
    kept
}

fn entry(what: &str, why: &str) -> KeptAfterErasure {
    KeptAfterErasure { what: what.to_owned(), why: why.to_owned(), count: None, until: None }
}

fn counted(what: &str, why: &str, count: i64, until: Option<DateTime<Utc>>) -> KeptAfterErasure {
    KeptAfterErasure { count: u64::try_from(count).ok(), until, ..entry(what, why) }
}
