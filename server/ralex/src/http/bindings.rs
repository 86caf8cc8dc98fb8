//! Bindings: who holds which role where, who is denied one, and what follows from it.

use actix_web::web::{Data, Path};
use actix_web::{HttpResponse, delete, get, post};
use chrono::{DateTime, Utc};
use ralex_access::{Access, Asked, Bearer, OWNER, Permission, Proposed, Wanted, Which};
use ralex_api::Page;
use ralex_api::access::{
    AccessHistory, Binding, BindingEffect, BindingsQuery, ExplainQuestion, Explanation, NewBinding,
    RoleName,
};
use ralex_api::changes::ChangeRequest;
use ralex_api::page::PageQuery;
use ralex_api::simulate::{Proposal, Simulated};
use ralex_identity::Identity;
use ralex_kernel::{BindingId, OrgId, Problem, ScopePath};

use super::changes::done;
use super::extract::{Body, OrgCaller, Query};
use super::problem::Result;

/// List who holds which role where, oldest first, those included that have ended or not begun.
#[utoipa::path(tag = "roles", params(("org" = String, Path), BindingsQuery), responses((status = 200, body = Page<Binding>)))]
#[get("/bindings")]
pub async fn list_bindings(
    who: OrgCaller,
    identity: Data<Identity>,
    access: Data<Access>,
    query: Query<BindingsQuery>,
) -> Result<HttpResponse> {
    let BindingsQuery { subject, role, scope, at, cursor, limit } = query.0;
    let names = Names { org: who.org, identity: &identity, access: &access, at };
    let within = match &scope {
        Some(text) => names.place(text).await?,
        None => ScopePath::Org,
    };
    let scope = access.allow_asking(who.caller(), who.org, within).await?;
    let bearer = match subject {
        Some(text) => Some(names.bearer(&text).await?),
        None => None,
    };
    let which = Which { bearer, role: role.map(RoleName), within };
    let page = PageQuery { cursor, limit };
    Ok(HttpResponse::Ok().json(access.bindings(&scope, &which, at, &page).await?))
}

/// Give a role to a person or a program, or deny it to them, for a time or for good. To make an owner asks a
/// session for a fresh proof.
#[utoipa::path(tag = "roles", params(("org" = String, Path)), request_body = NewBinding, responses((status = 201, body = Binding), (status = 202, body = ChangeRequest)))]
#[post("/bindings")]
pub async fn create_binding(
    who: OrgCaller,
    identity: Data<Identity>,
    access: Data<Access>,
    new: Body<NewBinding>,
) -> Result<HttpResponse> {
    let new = new.0;
    let at = identity.scope_of(who.org, new.scope.as_deref().unwrap_or("org")).await?;
    // Asked for first, so that who may not is not told whom there is.
    let scope = access.allow_binding(who.caller(), who.org, new.effect, at).await?;
    if new.role.0 == OWNER && new.effect == BindingEffect::Allow {
        identity.require_fresh_session(&who.signed_in)?;
    }
    let wanted = Wanted {
        bearer: identity.bearer(who.org, &new.subject).await?,
        role: new.role,
        at,
        effect: new.effect,
        not_before: new.not_before,
        expires_at: new.expires_at,
    };
    let made = access.create_binding(&scope, wanted).await?;
    Ok(done(made, |binding| HttpResponse::Created().json(binding)))
}

/// Take a role away, or a denial of one; it stops to hold everywhere within a second.
#[utoipa::path(tag = "roles", params(("org" = String, Path), ("binding" = BindingId, Path)), responses((status = 204)))]
#[delete("/bindings/{binding}")]
pub async fn delete_binding(
    who: OrgCaller,
    access: Data<Access>,
    path: Path<(String, BindingId)>,
) -> Result<HttpResponse> {
    access.delete_binding(who.caller(), who.org, path.1).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Explain whether somebody may do something at a place, or could at a moment, and why or why not.
#[utoipa::path(tag = "roles", params(("org" = String, Path)), request_body = ExplainQuestion, responses((status = 200, body = Explanation)))]
#[post("/access/explain")]
pub async fn explain_access(
    who: OrgCaller,
    identity: Data<Identity>,
    access: Data<Access>,
    asked: Body<ExplainQuestion>,
) -> Result<HttpResponse> {
    let ExplainQuestion { subject, permission, scope, at } = asked.0;
    let names = Names { org: who.org, identity: &identity, access: &access, at };
    let written = scope.unwrap_or_else(|| "org".to_owned());
    let place = names.place(&written).await?;
    let scope = access.allow_asking(who.caller(), who.org, place).await?;
    let bearer = names.bearer(&subject).await?;
    let asked = Asked { permission: named(&permission)?, place, written, at };
    let told = access.explain(&scope, bearer, asked).await?;
    Ok(HttpResponse::Ok().json(told))
}

/// Tell what a change of roles would do before it is made: who could do more or less where, and which
/// recorded calls of the last days would have been refused. Nothing is written.
#[utoipa::path(tag = "roles", params(("org" = String, Path)), request_body = Proposal, responses((status = 200, body = Simulated)))]
#[post("/access/simulate")]
pub async fn simulate_access(
    who: OrgCaller,
    identity: Data<Identity>,
    access: Data<Access>,
    proposal: Body<Proposal>,
) -> Result<HttpResponse> {
    let scope = who.allow(Permission::RoleRead).await?;
    let Proposal { bind, unbind, roles, days, limit } = proposal.0;
    let names = Names { org: who.org, identity: &identity, access: &access, at: None };
    let mut wanted = Vec::with_capacity(bind.len());
    for new in bind {
        wanted.push(names.wanted(new).await?);
    }
    let proposed = Proposed { bind: wanted, unbind, roles, days, limit };
    Ok(HttpResponse::Ok().json(access.simulate(&scope, proposed).await?))
}

/// Tell how far back it is known who could do what: the earliest `at` of these questions.
#[utoipa::path(tag = "roles", params(("org" = String, Path)), responses((status = 200, body = AccessHistory)))]
#[get("/access/history")]
pub async fn access_history(who: OrgCaller, access: Data<Access>) -> Result<HttpResponse> {
    let scope = who.allow(Permission::RoleRead).await?;
    Ok(HttpResponse::Ok().json(access.history(&scope).await?))
}

/// What names mean, now or at a moment; what there was then before what there is now.
pub(super) struct Names<'a> {
    pub org: OrgId,
    pub identity: &'a Identity,
    pub access: &'a Access,
    pub at: Option<DateTime<Utc>>,
}

impl Names<'_> {
    pub async fn place(&self, text: &str) -> std::result::Result<ScopePath, Problem> {
        if let Some(at) = self.at
            && let Some(place) = self.access.place_at(self.org, text, at).await?
        {
            return Ok(place);
        }
        self.identity.scope_of(self.org, text).await
    }

    async fn wanted(&self, new: NewBinding) -> std::result::Result<Wanted, Problem> {
        Ok(Wanted {
            bearer: self.bearer(&new.subject).await?,
            role: new.role,
            at: self.place(new.scope.as_deref().unwrap_or("org")).await?,
            effect: new.effect,
            not_before: new.not_before,
            expires_at: new.expires_at,
        })
    }

    async fn bearer(&self, text: &str) -> std::result::Result<Bearer, Problem> {
        if let Some(at) = self.at
            && let Some(bearer) = self.access.bearer_at(self.org, text, at).await?
        {
            return Ok(bearer);
        }
        self.identity.bearer(self.org, text).await
    }
}

pub(super) fn named(permission: &str) -> std::result::Result<Permission, Problem> {
    permission.parse().map_err(|_| {
        let rule = format!("is not a permission: \"{permission}\"; roles name all that there are");
        Problem::field("permission", rule)
    })
}
