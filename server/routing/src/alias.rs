//! Aliases: other names of models and routes.

use ralex_access::Scope;
use ralex_api::Page;
use ralex_api::routing::{Alias, NewAlias, UpdateAlias};
use ralex_audit::{Event, record};
use ralex_kernel::Problem;
use ralex_store::{Tenant, problem};

use crate::names::Names;
use crate::{Routing, sql};

impl Routing {
    /// The aliases, by name.
    pub async fn list_aliases(&self, scope: &Scope) -> Result<Page<Alias>, Problem> {
        let mut tx = self.0.db.tenant(scope.org()).await?;
        let rows = sql::rules::aliases(&mut tx, scope.org()).await.map_err(problem)?;
        let items = rows.into_iter().map(sql::rules::AliasRow::alias).collect();
        Ok(Page { items, next_cursor: None })
    }

    pub async fn create_alias(&self, scope: &Scope, new: NewAlias) -> Result<Alias, Problem> {
        let org = scope.org();
        let mut tx = self.0.db.tenant(org).await?;
        let names = Names::hold(&mut tx, org).await?;
        names.check_new(&new.name)?;
        names.check_leads(&new.name, target(&new.target))?;
        sql::rules::insert_alias(&mut tx, org, &new.name, &new.target).await.map_err(problem)?;
        self.finish_alias(tx, scope, new.name, new.target).await
    }

    /// Lets an alias mean something else, for calls from now on.
    pub async fn update_alias(
        &self,
        scope: &Scope,
        name: &str,
        change: UpdateAlias,
    ) -> Result<Alias, Problem> {
        let org = scope.org();
        let mut tx = self.0.db.tenant(org).await?;
        let names = Names::hold(&mut tx, org).await?;
        names.check_leads(name, target(&change.target))?;
        let there = sql::rules::update_alias(&mut tx, org, name, &change.target).await;
        if !there.map_err(problem)? {
            return Err(no_such_alias());
        }
        self.finish_alias(tx, scope, name.to_owned(), change.target).await
    }

    pub async fn delete_alias(&self, scope: &Scope, name: &str) -> Result<(), Problem> {
        let org = scope.org();
        let mut tx = self.0.db.tenant(org).await?;
        let target = sql::rules::delete_alias(&mut tx, org, name).await.map_err(problem)?;
        let target = target.ok_or_else(no_such_alias)?;
        let event = Event::AliasDeleted { alias: name.to_owned(), target };
        record(&mut tx, scope.author(), event).await.map_err(problem)?;
        self.0.access.commit(tx, org).await
    }

    async fn finish_alias(
        &self,
        mut tx: Tenant,
        scope: &Scope,
        name: String,
        target: String,
    ) -> Result<Alias, Problem> {
        let event = Event::AliasSet { alias: name.clone(), target };
        record(&mut tx, scope.author(), event).await.map_err(problem)?;
        let rows = sql::rules::aliases(&mut tx, scope.org()).await.map_err(problem)?;
        let found = rows.into_iter().find(|row| row.name == name).ok_or_else(no_such_alias)?;
        self.0.access.commit(tx, scope.org()).await?;
        Ok(found.alias())
    }
}

fn target(name: &str) -> impl Iterator<Item = (String, String)> {
    std::iter::once((name.to_owned(), "target".to_owned()))
}

fn no_such_alias() -> Problem {
    Problem::not_found("alias")
}
