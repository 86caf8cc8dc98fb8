//! Rules as people write them: create, find, list, update, delete.

use ralex_access::{Permission, Scope};
use ralex_api::call_rules::{CallEffect, CallRule, CallRulesQuery, NewCallRule, UpdateCallRule};
use ralex_api::page::{Page, PageQuery};
use ralex_audit::{CallRuleEvent, Event, record};
use ralex_kernel::{CallRuleId, Caller, Code, OrgId, Problem, ScopePath};
use ralex_store::{OnConstraint, Tenant, problem};

use crate::CallRules;
use crate::ruleset::Compiled;
use crate::sql::{self, Filter, Stored};
use crate::terms::{Terms, place};

/// How many rules an organisation may have: each is asked about each call.
const MOST: i64 = 500;

impl CallRules {
    /// Makes a rule at a scope, which holds there and below from the next call on.
    pub async fn create(
        &self,
        caller: &Caller,
        org: OrgId,
        new: NewCallRule,
    ) -> Result<CallRule, Problem> {
        let (access, id) = (&self.0.access, CallRuleId::generate());
        access.belongs(caller, org).await?;
        let at = self.place_of(caller, org, new.scope.as_deref()).await?;
        let mut terms = Terms::new(new);
        let scope = self.may_write(caller, org, at, terms.effect).await?;
        terms.check()?;
        terms.subjects = self.0.subjects(org, terms.subjects, &[]).await?;
        let mut tx = self.0.db.tenant(org).await?;
        if sql::count(&mut tx, org).await.map_err(problem)? >= MOST {
            let detail =
                format!("There are {MOST} call rules, which is the most; delete some first.");
            return Err(Problem::new(Code::Conflict, detail));
        }
        let gone = || Problem::field("scope", "was deleted at this moment");
        let by = caller.subject.to_string();
        sql::insert(&mut tx, org, (id, at), &terms, &by)
            .await
            .or_problem([("call_rule_team", gone()), ("call_rule_project", gone())])?;
        let stored = one(&mut tx, org, id).await?.ok_or_else(missing)?;
        let event = CallRuleEvent::Created {
            call_rule: id,
            scope: stored.scope.clone(),
            said: terms.said(),
        };
        self.finish(tx, &scope, stored, event).await
    }

    pub async fn find(
        &self,
        caller: &Caller,
        org: OrgId,
        id: CallRuleId,
    ) -> Result<CallRule, Problem> {
        let (_, stored) = self.known(caller, org, (id, Permission::CallRuleRead)).await?;
        Ok(shown(stored))
    }

    /// Those that the caller may see, the oldest first.
    pub async fn list(
        &self,
        caller: &Caller,
        org: OrgId,
        query: &CallRulesQuery,
    ) -> Result<Page<CallRule>, Problem> {
        let reach = self.0.access.reach(caller, org, Permission::CallRuleRead).await?;
        let page = PageQuery { cursor: query.cursor.clone(), limit: query.limit };
        let mut tx = self.0.db.tenant(org).await?;
        let within = match &query.scope {
            Some(text) => Some(place(&mut tx, org, text).await?),
            None => None,
        };
        let filter = Filter {
            reach: Some(&reach),
            within,
            only: None,
            after: page.after()?,
            effect: query.effect,
            phase: query.phase,
            enabled: query.enabled,
            at_most: Some(page.size() + 1),
        };
        let stored = sql::select(&mut tx, org, &filter).await.map_err(problem)?;
        let items = stored.into_iter().map(shown).collect();
        Ok(Page::of(items, page.size(), |rule: &CallRule| rule.id.to_string()))
    }

    /// Changes one. Where `version` is given, only that version of it.
    pub async fn update(
        &self,
        caller: &Caller,
        org: OrgId,
        id: CallRuleId,
        (change, version): (UpdateCallRule, Option<u64>),
    ) -> Result<CallRule, Problem> {
        let (_, known) = self.known(caller, org, (id, Permission::CallRuleSet)).await?;
        let mut terms = Terms::changed(&known, change.clone());
        let scope = self.may_write(caller, org, known.place(), terms.effect).await?;
        terms.check()?;
        let subjects = self.0.subjects(org, terms.subjects, &known.subjects).await?;
        let mut tx = self.0.db.tenant(org).await?;
        sql::lock(&mut tx, org, id).await.map_err(problem)?;
        let before = one(&mut tx, org, id).await?.ok_or_else(missing)?;
        let wanted = version.unwrap_or(known.version.unsigned_abs());
        if wanted != before.version.unsigned_abs() {
            let detail = "The call rule was changed since you read it. Read it again.";
            return Err(Problem::new(Code::PreconditionFailed, detail));
        }
        terms.subjects = subjects;
        sql::update(&mut tx, org, id, &terms, &caller.subject.to_string())
            .await
            .map_err(problem)?;
        let stored = one(&mut tx, org, id).await?.ok_or_else(missing)?;
        let version = stored.version.unsigned_abs();
        let event = CallRuleEvent::Updated { call_rule: id, version, said: terms.said() };
        self.finish(tx, &scope, stored, event).await
    }

    /// Deletes one: from the next call on it says nothing.
    pub async fn delete(&self, caller: &Caller, org: OrgId, id: CallRuleId) -> Result<(), Problem> {
        let (scope, _) = self.known(caller, org, (id, Permission::CallRuleSet)).await?;
        let mut tx = self.0.db.tenant(org).await?;
        sql::lock(&mut tx, org, id).await.map_err(problem)?;
        let stored = one(&mut tx, org, id).await?.ok_or_else(missing)?;
        sql::delete(&mut tx, org, id).await.map_err(problem)?;
        let event = CallRuleEvent::Deleted {
            call_rule: id,
            effect: stored.effect().as_str(),
            name: stored.name,
            scope: stored.scope,
        };
        record(&mut tx, scope.author(), Event::CallRule(event)).await.map_err(problem)?;
        self.0.access.commit(tx, org).await
    }

    /// The proof that a rule may be written there. What allows lifts what the organisation says holds
    /// otherwise, so that takes the right in the whole of it.
    async fn may_write(
        &self,
        caller: &Caller,
        org: OrgId,
        at: ScopePath,
        effect: CallEffect,
    ) -> Result<Scope, Problem> {
        let at = match effect {
            CallEffect::Allow => ScopePath::Org,
            CallEffect::Ask | CallEffect::Deny => at,
        };
        self.0.access.allow(caller, org, Permission::CallRuleSet, at).await
    }

    /// The place that somebody means. Who may write rules nowhere is not told which places there are.
    async fn place_of(
        &self,
        caller: &Caller,
        org: OrgId,
        text: Option<&str>,
    ) -> Result<ScopePath, Problem> {
        let Some(text) = text.filter(|text| *text != "org") else { return Ok(ScopePath::Org) };
        self.0.access.reach(caller, org, Permission::CallRuleSet).await?;
        let mut tx = self.0.db.tenant(org).await?;
        place(&mut tx, org, text).await
    }

    /// One, with the proof that this may be done to it where it holds.
    async fn known(
        &self,
        caller: &Caller,
        org: OrgId,
        (id, permission): (CallRuleId, Permission),
    ) -> Result<(Scope, Stored), Problem> {
        let access = &self.0.access;
        access.belongs(caller, org).await?;
        let mut tx = self.0.db.tenant(org).await?;
        let stored = one(&mut tx, org, id).await?;
        drop(tx);
        // Who may not gets the same answer whether there is one or not.
        let at = stored.as_ref().map_or(ScopePath::Org, Stored::place);
        let scope = access.allow(caller, org, permission, at).await?;
        Ok((scope, stored.ok_or_else(missing)?))
    }

    async fn finish(
        &self,
        mut tx: Tenant,
        scope: &Scope,
        stored: Stored,
        event: CallRuleEvent,
    ) -> Result<CallRule, Problem> {
        record(&mut tx, scope.author(), Event::CallRule(event)).await.map_err(problem)?;
        self.0.access.commit(tx, scope.org()).await?;
        Ok(shown(stored))
    }
}

async fn one(tx: &mut Tenant, org: OrgId, id: CallRuleId) -> Result<Option<Stored>, Problem> {
    let filter = Filter { only: Some(id), ..Filter::default() };
    let found = sql::select(tx, org, &filter).await.map_err(problem)?;
    Ok(found.into_iter().next())
}

fn missing() -> Problem {
    Problem::not_found("call rule")
}

fn shown(stored: Stored) -> CallRule {
    let broken = Compiled::of(&stored).broken();
    CallRule {
        id: stored.id,
        effect: stored.effect(),
        phase: stored.phase(),
        name: stored.name,
        description: stored.description,
        scope: stored.scope,
        scope_name: stored.scope_name,
        actions: stored.actions,
        resources: stored.resources,
        subjects: stored.subjects,
        subject_names: stored.subject_names,
        condition: stored.condition,
        message: stored.message,
        enabled: stored.enabled,
        version: stored.version.unsigned_abs(),
        broken,
        created_by: stored.created_by,
        created_at: stored.created_at,
        updated_by: stored.updated_by,
        updated_at: stored.updated_at,
    }
}
