//! What conversations name by ids of a provider's store, files, earlier answers and what those told
//! of: only the caller's own, and only to the provider that keeps it.

use std::collections::HashMap;

use ralex_kernel::{Code, Problem, ProviderId};

use super::{Owner, sql};
use crate::Broker;
use crate::choice::Chosen;
use crate::exchange::CallRequest;

impl Broker {
    /// Puts the provider's names in the place of ours, and remembers which provider that is.
    pub(crate) async fn name_files(&self, request: &mut CallRequest) -> Result<(), Problem> {
        let ids = request.inbound.file_ids();
        if ids.is_empty() {
            return Ok(());
        }
        let owner = owner(request);
        let mut names = HashMap::new();
        let mut keeper: Option<ProviderId> = None;
        for id in ids {
            let row = self.file_of(&owner, &id).await?;
            if *keeper.get_or_insert(row.provider_id) != row.provider_id {
                let detail = "The files of one call must be kept by one provider.";
                return Err(Problem::new(Code::Unsupported, detail));
            }
            names.insert(id, row.upstream_id.unwrap_or_default());
        }
        let name = |id: &str| names.get(id).cloned().ok_or_else(|| Problem::not_found("file"));
        request.inbound = request.inbound.with_file_ids(name)?;
        request.wishes.keeper = keeper;
        Ok(())
    }

    /// Sees that a call names only what stood in answers to calls of the same owner, and remembers
    /// which provider keeps that.
    pub(crate) async fn go_on(&self, request: &mut CallRequest) -> Result<(), Problem> {
        let mut ids: Vec<String> =
            request.inbound.kept_ids()?.into_iter().map(str::to_owned).collect();
        if ids.is_empty() {
            return Ok(());
        }
        ids.sort_unstable();
        ids.dedup();
        self.settle_before_reading().await;
        let mut tx = self.tenant(request.org).await?;
        let found = sql::answer::named(&mut tx, &owner(request), &ids).await;
        let found = found.map_err(ralex_store::problem)?;
        if let Some(id) = ids.iter().find(|id| found.iter().all(|it| it.id != **id)) {
            let detail = format!(
                "{id} names no answer that was given here, nor anything that one told of. Only \
                 calls of the same team or project can be gone on from, and where store was false \
                 only their containers."
            );
            return Err(Problem::new(Code::NotFound, detail));
        }
        for keeper in found.into_iter().filter_map(|it| it.provider) {
            if *request.wishes.keeper.get_or_insert(keeper) != keeper {
                let detail = "What this call names (files, earlier answers, containers) is kept by \
                              more than one provider.";
                return Err(Problem::new(Code::Unsupported, detail));
            }
        }
        Ok(())
    }
}

fn owner(request: &CallRequest) -> Owner {
    let caller = &request.signed_in.caller;
    let (user, token) = (caller.subject.user(), caller.credential.token());
    Owner { org: request.org, at: request.at, user, token }
}

/// Leaves out whom the files of a call, or what it goes on from, mean nothing to.
pub(crate) fn keeping(request: &CallRequest, mut chosen: Chosen) -> Result<Chosen, Problem> {
    let Some(keeper) = request.wishes.keeper else { return Ok(chosen) };
    chosen.candidates.retain(|candidate| candidate.plan.provider == keeper);
    if chosen.candidates.is_empty() {
        let detail = "What this call names (its files, an earlier answer, a container) is kept by \
                      another provider than the one that would answer. Use a model of theirs, or \
                      send it to the other provider.";
        return Err(Problem::new(Code::Unsupported, detail));
    }
    Ok(chosen)
}
