//! Who can: by a permission and a place, by a budget, or by a key.

use actix_web::web::Data;
use actix_web::{HttpResponse, post};
use ralex_access::{Access, Asked, Permission, Scope, Where, Who};
use ralex_api::Page;
use ralex_api::access::{Able, WhoCanQuestion};
use ralex_api::page::PageQuery;
use ralex_budgets::{Budgets, Payers};
use ralex_identity::Identity;
use ralex_kernel::{BudgetId, Code, Problem, ScopePath, SecretId};
use ralex_vault::Vault;

use super::bindings::{Names, named};
use super::extract::{Body, OrgCaller};
use super::problem::Result;

type Answer = std::result::Result<Page<Able>, Problem>;

/// List everybody who may do something at a place, or could at a moment: people, service accounts and teams' tokens;
/// or whose calls a budget pays, or who uses, replaces or destroys a key.
#[utoipa::path(tag = "roles", params(("org" = String, Path)), request_body = WhoCanQuestion, responses((status = 200, body = Page<Able>)))]
#[post("/access/who-can")]
pub async fn who_can(
    who: OrgCaller,
    identity: Data<Identity>,
    access: Data<Access>,
    budgets: Data<Budgets>,
    vault: Data<Vault>,
    asked: Body<WhoCanQuestion>,
) -> Result<HttpResponse> {
    let page = PageQuery { cursor: asked.0.cursor.clone(), limit: asked.0.limit };
    let able = match Question::of(asked.0)? {
        Question::Right(permission, question) => {
            let at = question.at;
            let names = Names { org: who.org, identity: &identity, access: &access, at };
            let written = question.scope.unwrap_or_else(|| "org".to_owned());
            let place = names.place(&written).await?;
            let scope = access.allow_asking(who.caller(), who.org, place).await?;
            let asked = Asked { permission: named(&permission)?, place, written, at };
            access.who_can(&scope, &asked, &page).await?
        }
        Question::Budget(id) => spenders(&who, (&access, &budgets), id, &page).await?,
        Question::Key(id) => users(&who, (&access, &vault), id, &page).await?,
    };
    Ok(HttpResponse::Ok().json(able))
}

/// One of the three.
enum Question {
    Right(String, WhoCanQuestion),
    Budget(BudgetId),
    Key(SecretId),
}

impl Question {
    fn of(mut asked: WhoCanQuestion) -> std::result::Result<Self, Problem> {
        let named = [
            ("permission", asked.permission.is_some()),
            ("budget", asked.budget.is_some()),
            ("key", asked.key.is_some()),
        ];
        let mut named = named.into_iter().filter(|(_, is)| *is).map(|(name, _)| name);
        let first = named.next();
        if let (Some(first), Some(second)) = (first, named.next()) {
            let rule = format!("is not asked together with `{first}`; ask one after the other");
            return Err(Problem::field(second, rule));
        }
        let of_place = [("scope", asked.scope.is_some()), ("at", asked.at.is_some())];
        if asked.permission.is_none()
            && first.is_some()
            && let Some((name, _)) = of_place.into_iter().find(|(_, is)| *is)
        {
            let rule = "is asked with a `permission` only; a budget and a key have their place";
            return Err(Problem::field(name, rule));
        }
        match (asked.permission.take(), asked.budget, asked.key) {
            (Some(permission), _, _) => Ok(Self::Right(permission, asked)),
            (None, Some(budget), _) => Ok(Self::Budget(budget)),
            (None, None, Some(key)) => Ok(Self::Key(key)),
            (None, None, None) => {
                let rule = "is needed, where neither a `budget` nor a `key` is asked about";
                Err(Problem::field("permission", rule))
            }
        }
    }
}

async fn spenders(
    who: &OrgCaller,
    (access, budgets): (&Access, &Budgets),
    id: BudgetId,
    page: &PageQuery,
) -> Answer {
    let found = budgets.payers(who.org, id).await?;
    let place = found.map_or(ScopePath::Org, |payers| payers.place);
    let scope = seen(who, (Permission::BudgetRead, place), "budget").await?;
    let Payers { who, within, .. } = found.ok_or_else(|| Problem::not_found("budget"))?;
    let rights = [(Permission::LlmInvoke, Where::Within(within))];
    access.able(&scope, (who, &rights), None, page).await
}

async fn users(
    who: &OrgCaller,
    (access, vault): (&Access, &Vault),
    id: SecretId,
    page: &PageQuery,
) -> Answer {
    let scope = seen(who, (Permission::SecretRead, ScopePath::Org), "key").await?;
    let is_usable = vault.is_usable(who.org, id).await?;
    let is_usable = is_usable.ok_or_else(|| Problem::not_found("key"))?;
    let use_it = (Permission::LlmInvoke, Where::Within(ScopePath::Org));
    let rights = is_usable.then_some(use_it).into_iter().chain([
        (Permission::SecretRotate, Where::At(ScopePath::Org)),
        (Permission::SecretDelete, Where::At(ScopePath::Org)),
    ]);
    let rights: Vec<_> = rights.collect();
    access.able(&scope, (Who::All, &rights), None, page).await
}

/// The proof that roles may be seen there by who may see the thing. Who may not is not told whether it is there.
async fn seen(
    who: &OrgCaller,
    (permission, at): (Permission, ScopePath),
    what: &str,
) -> std::result::Result<Scope, Problem> {
    let hidden = |why: Problem| match why.code {
        Code::Forbidden => Problem::not_found(what),
        _ => why,
    };
    who.allow_at(permission, at).await.map_err(hidden)?;
    who.allow_at(Permission::RoleRead, at).await.map_err(hidden)
}
