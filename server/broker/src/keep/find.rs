//! Where something is kept: a provider that offers it, and the key that it is kept under.

use std::sync::Arc;

use ralex_access::Permission;
use ralex_kernel::{Code, OrgId, Problem, ProviderId, SecretId};
use ralex_providers::{Line, Operation, Target};
use ralex_routing::classify::Sample;
use ralex_routing::{Plan, Question};
use ralex_vault::KeyRef;

use super::KeepRequest;
use crate::Broker;

/// A provider that keeps something, with the key that it does so under.
#[derive(Clone, Debug)]
pub(crate) struct Keeper {
    /// One of the provider's models, for its address and kind.
    pub plan: Arc<Plan>,
    /// Nothing where none is needed.
    pub key: Option<KeyRef>,
}

impl Keeper {
    /// The provider itself, whatever the model.
    pub fn target(&self) -> &Target {
        &self.plan.target
    }
}

impl Broker {
    /// The provider that keeps a file for which nobody names a model: the one that is named, the
    /// one whose model is named, or the only one that keeps files.
    pub(super) async fn keeper_for(
        &self,
        request: &KeepRequest,
        model: Option<&str>,
    ) -> Result<Keeper, Problem> {
        let all = self.parts.routing.available(request.org).await?;
        let keeps: Vec<_> = all.into_iter().filter(|plan| offers(plan, Operation::Files)).collect();
        let named = request.provider.as_deref();
        let fits = |plan: &&Arc<Plan>| {
            named.is_none_or(|slug| plan.provider_slug.as_str() == slug)
                && model.is_none_or(|name| plan.name == name)
        };
        let mut found: Vec<&Arc<Plan>> = keeps.iter().filter(fits).collect();
        found.sort_by_key(|plan| plan.provider);
        found.dedup_by_key(|plan| plan.provider);
        let plan = match found.as_slice() {
            [one] => Arc::clone(one),
            [] if keeps.is_empty() => {
                let detail = "No provider of this organisation keeps files.";
                return Err(Problem::new(Code::Unsupported, detail));
            }
            [] => {
                let names = names(&keeps);
                let detail =
                    format!("There is no such provider that keeps files; there are: {names}.");
                return Err(Problem::new(Code::Unsupported, detail));
            }
            several => {
                let names = names(&several.iter().copied().cloned().collect::<Vec<_>>());
                let detail = format!(
                    "Several providers keep files: {names}. Name one in the header \
                     x-ralex-provider, or a model of it in the field `model`."
                );
                return Err(Problem::new(Code::InvalidRequest, detail));
            }
        };
        self.with_key(request.org, plan, None).await
    }

    /// The model of a batch and its provider: chosen as for the call in the first line, among those
    /// that take batches.
    pub(super) async fn keeper_of_line(
        &self,
        request: &KeepRequest,
        line: &Line,
    ) -> Result<Keeper, Problem> {
        let model = line.inbound.model().to_owned();
        let plan = self.batch_plan(request, line.endpoint, &model).await?;
        self.with_key(request.org, plan, None).await
    }

    /// The model that a name means to a caller now, if it takes batches.
    pub(super) async fn batch_plan(
        &self,
        request: &KeepRequest,
        endpoint: ralex_providers::Endpoint,
        model: &str,
    ) -> Result<Arc<Plan>, Problem> {
        let wishes = &request.wishes;
        let question = Question {
            labels: &wishes.labels,
            residency: wishes.residency.as_deref(),
            allowed: request.signed_in.caller.models.as_deref(),
            operation: crate::choice::operation(endpoint.operation()),
            dialect: endpoint.dialect().as_str(),
            now: self.parts.clock.now(),
            dry: true,
            ..Question::new(model, request.at, Sample::default())
        };
        let choice = self.parts.routing.choose(request.org, &question).await?;
        let fits = |plan: &Plan| {
            let named = request.provider.as_deref();
            offers(plan, Operation::Batches)
                && named.is_none_or(|slug| plan.provider_slug.as_str() == slug)
        };
        let plan = choice.candidates.into_iter().map(|one| one.plan).find(|plan| fits(plan));
        plan.ok_or_else(|| {
            let detail = format!(
                "No provider that would answer {model} takes batches. Call it without a batch, or \
                 use a model of a provider that does."
            );
            Problem::new(Code::Unsupported, detail)
        })
    }

    /// The provider that keeps something already, under the key that it was given with.
    pub(super) async fn keeper_at(
        &self,
        org: OrgId,
        provider: ProviderId,
        secret: Option<SecretId>,
    ) -> Result<Keeper, Problem> {
        let all = self.parts.routing.available(org).await?;
        let plan = all.into_iter().find(|plan| plan.provider == provider).ok_or_else(|| {
            let detail = "The provider that keeps this is switched off or gone.";
            Problem::new(Code::ProviderNotReady, detail)
        })?;
        self.with_key(org, plan, secret).await
    }

    async fn with_key(
        &self,
        org: OrgId,
        plan: Arc<Plan>,
        secret: Option<SecretId>,
    ) -> Result<Keeper, Problem> {
        let Some(origin) = &plan.origin else { return Ok(Keeper { plan, key: None }) };
        let located = self.parts.vault.locate_all(org, plan.provider, origin).await?;
        let same = located.iter().position(|key| Some(key.secret) == secret);
        let key = match same {
            Some(at) => located.into_iter().nth(at),
            // Its key may have been replaced by another of the same account.
            None => self.keys.order(located).into_iter().next(),
        };
        if key.is_none() && plan.needs_key {
            return Err(plan.key_missing());
        }
        Ok(Keeper { plan, key })
    }

    /// The provider that keeps an answer, under each of its keys in turn: an answer is kept for the
    /// account of the key that asked, and several keys may be of several accounts.
    pub(super) async fn keepers_of_answer(
        &self,
        org: OrgId,
        provider: ProviderId,
    ) -> Result<Vec<Keeper>, Problem> {
        let Keeper { plan, key } = self.keeper_at(org, provider, None).await?;
        if !offers(&plan, Operation::Responses) {
            let detail = format!(
                "{} offers no way to come back to an answer that it keeps, but to go on from it.",
                plan.target.spec.name
            );
            return Err(Problem::new(Code::Unsupported, detail));
        }
        let located = match &plan.origin {
            Some(origin) => self.parts.vault.locate_all(org, plan.provider, origin).await?,
            None => Vec::new(),
        };
        let keys = self.keys.order(located).into_iter().map(Some);
        let mut keepers: Vec<_> = keys.map(|key| Keeper { plan: Arc::clone(&plan), key }).collect();
        if keepers.is_empty() {
            keepers.push(Keeper { plan, key });
        }
        Ok(keepers)
    }

    /// To have a key used is a right of its own; nobody gets to see it by it.
    pub(super) async fn allow_key(
        &self,
        request: &KeepRequest,
        keeper: &Keeper,
    ) -> Result<(), Problem> {
        if keeper.key.is_some() {
            let caller = &request.signed_in.caller;
            let permission = Permission::SecretUse;
            self.parts.access.allow(caller, request.org, permission, request.at).await?;
        }
        Ok(())
    }
}

/// Whether a model's provider keeps files, or takes batches, in OpenAI's form.
fn offers(plan: &Plan, operation: Operation) -> bool {
    !plan.target.spec.is_simulated() && plan.target.spec.operations.contains_key(&operation)
}

fn names(plans: &[Arc<Plan>]) -> String {
    let mut names: Vec<&str> = plans.iter().map(|plan| plan.provider_slug.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    names.join(", ")
}
