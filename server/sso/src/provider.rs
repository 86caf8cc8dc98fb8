//! Providers as people set them: make, list, change, delete.

use ralex_access::Scope;
use ralex_api::access::RoleName;
use ralex_api::sso::{
    NewSsoProvider, SsoClaims, SsoEnforcement, SsoProvider, SsoProviders, UpdateSsoProvider,
};
use ralex_audit::{Event, SsoEvent, record};
use ralex_kernel::{Code, OrgId, Problem, SignOn, SsoProviderId};
use ralex_store::{OnConstraint, problem};
use sqlx::PgConnection;

use crate::mapping::{self, Wished};
use crate::sql::provider::{self as sql, Stored};
use crate::sql::{enforcement, link};
use crate::{Sso, wish};

/// An organisation has so many at most.
const MOST: i64 = 20;
/// Half a day, as other sessions last when they are used.
const USUAL_MINUTES: u32 = 720;

impl Sso {
    /// All of them, and whether one is the only way in. `base` is where this server is reached.
    pub async fn providers(&self, org: OrgId, base: &str) -> Result<SsoProviders, Problem> {
        let mut tx = self.0.db.tenant(org).await?;
        let mut items = Vec::new();
        for stored in sql::list(&mut tx, org, None).await.map_err(problem)? {
            items.push(self.shown(&mut tx, org, stored, base).await?);
        }
        let found = enforcement::find(&mut tx, org).await.map_err(problem)?;
        let enforcement = found.map(enforced).transpose()?;
        Ok(SsoProviders { items, enforcement })
    }

    /// One of them, by its id or slug.
    pub async fn provider(
        &self,
        org: OrgId,
        reference: &str,
        base: &str,
    ) -> Result<SsoProvider, Problem> {
        let mut tx = self.0.db.tenant(org).await?;
        let stored = one(&mut tx, org, reference).await?;
        self.shown(&mut tx, org, stored, base).await
    }

    /// Makes one. Its secret is sealed, and never shown again.
    pub async fn create_provider(
        &self,
        scope: &Scope,
        new: NewSsoProvider,
        base: &str,
    ) -> Result<SsoProvider, Problem> {
        let org = scope.org();
        let wished =
            Wished { default_role: new.default_role.clone(), mappings: new.mappings.clone() };
        let row = self.wished(org, new)?;
        let mut tx = self.0.db.tenant(org).await?;
        if sql::count(&mut tx, org).await.map_err(problem)? >= MOST {
            let detail = format!("An organisation has {MOST} providers of single sign-on at most.");
            return Err(Problem::new(Code::Conflict, detail));
        }
        let detail = format!("There is a provider `{}` already; choose another slug.", row.slug);
        let taken = Problem::new(Code::AlreadyExists, detail);
        sql::insert(&mut tx, org, &row).await.or_problem([("sso_provider_slug_taken", taken)])?;
        self.write_mappings(&mut tx, scope, row.id, wished).await?;
        let event = SsoEvent::ProviderCreated {
            provider: row.id,
            slug: stored(&row.slug)?,
            name: stored(&row.name)?,
            issuer: row.issuer,
        };
        record(&mut tx, scope.author(), Event::Sso(event)).await.map_err(problem)?;
        self.0.access.commit(tx, org).await?;
        self.provider(org, &row.slug, base).await
    }

    fn wished(&self, org: OrgId, new: NewSsoProvider) -> Result<Stored, Problem> {
        wish::issuer(&new.issuer, &self.0.post)?;
        wish::client_id(&new.client_id)?;
        wish::client_secret(&new.client_secret)?;
        wish::claims(&new.claims)?;
        let domains = wish::domains(new.domains)?;
        wish::newcomers(new.create_members, &domains)?;
        let id = SsoProviderId::generate();
        Ok(Stored {
            id,
            slug: new.slug.to_string(),
            name: new.name.to_string(),
            issuer: new.issuer,
            client_id: new.client_id,
            sealed_secret: self.seal(org, id, &new.client_secret)?,
            scopes: wish::scopes(new.scopes)?,
            email_claim: new.claims.email,
            verified_claim: new.claims.email_verified,
            name_claim: new.claims.name,
            groups_claim: new.claims.groups,
            domains,
            enabled: new.enabled,
            create_members: new.create_members,
            session_minutes: wish::minutes(new.session_minutes.unwrap_or(USUAL_MINUTES))?,
            version: 1,
            tested_at: None,
            used_at: None,
            created_at: self.0.clock.now(),
        })
    }

    /// Changes one. Where `version` is given, only that version of it. To be switched off it takes
    /// nothing but the permission; every other change also needs that the writer could give all roles
    /// that its groups mean, since it decides who gets them.
    pub async fn update_provider(
        &self,
        scope: &Scope,
        reference: &str,
        change: UpdateSsoProvider,
        (version, base): (Option<u64>, &str),
    ) -> Result<SsoProvider, Problem> {
        let org = scope.org();
        let mut tx = self.0.db.system("change a provider of single sign-on").await?;
        let before = sql::lock(&mut tx, org, reference).await.map_err(problem)?;
        let before = before.ok_or_else(unknown)?;
        if version.is_some_and(|version| i64::try_from(version) != Ok(before.version)) {
            let detail = "The provider was changed since you read it. Read it again.";
            return Err(Problem::new(Code::PreconditionFailed, detail));
        }
        let rows = mapping_rows(&mut tx, org, before.id).await?;
        let only_switches_off = change.enabled == Some(false) && change.is_silent_otherwise();
        let wished = wished_mappings(&change, rows.clone());
        let after = self.changed(org, before.clone(), change)?;
        if before.enabled && !after.enabled {
            refuse_if_enforced(&mut tx, org, before.id, "switched off").await?;
        }
        let mut changed = differences(&before, &after);
        if !only_switches_off {
            self.write_mappings(&mut tx, scope, before.id, wished).await?;
            if mapping_rows(&mut tx, org, before.id).await? != rows {
                changed.push("mappings".to_owned());
            }
        }
        let asks_otherwise =
            before.client_id != after.client_id || before.sealed_secret != after.sealed_secret;
        sql::update(&mut tx, org, &after, asks_otherwise).await.map_err(problem)?;
        let by = SignOn { org, provider: before.id };
        let sessions_ended = if after.enabled {
            0
        } else {
            self.0.identity.end_signed_on(&mut tx, by, None, None).await?
        };
        let event = SsoEvent::ProviderUpdated {
            provider: before.id,
            enabled: after.enabled,
            changed,
            sessions_ended,
        };
        record(&mut tx, scope.author(), Event::Sso(event)).await.map_err(problem)?;
        self.0.access.commit(tx, org).await?;
        self.provider(org, &before.slug, base).await
    }

    fn changed(
        &self,
        org: OrgId,
        before: Stored,
        change: UpdateSsoProvider,
    ) -> Result<Stored, Problem> {
        let mut after = before;
        if let Some(name) = change.name {
            after.name = name.to_string();
        }
        if let Some(client_id) = change.client_id {
            wish::client_id(&client_id)?;
            after.client_id = client_id;
        }
        if let Some(secret) = change.client_secret {
            wish::client_secret(&secret)?;
            after.sealed_secret = self.seal(org, after.id, &secret)?;
        }
        if let Some(scopes) = change.scopes {
            after.scopes = wish::scopes(Some(scopes))?;
        }
        if let Some(claims) = change.claims {
            wish::claims(&claims)?;
            after.email_claim = claims.email;
            after.verified_claim = claims.email_verified;
            after.name_claim = claims.name;
            after.groups_claim = claims.groups;
        }
        if let Some(domains) = change.domains {
            after.domains = wish::domains(domains)?;
        }
        after.create_members = change.create_members.unwrap_or(after.create_members);
        wish::newcomers(after.create_members, &after.domains)?;
        if let Some(minutes) = change.session_minutes {
            after.session_minutes = wish::minutes(minutes)?;
        }
        after.enabled = change.enabled.unwrap_or(after.enabled);
        Ok(after)
    }

    /// Deletes one, with its links, the roles that its groups gave, and every session and token that
    /// counts by its word.
    pub async fn delete_provider(&self, scope: &Scope, reference: &str) -> Result<(), Problem> {
        let org = scope.org();
        let mut tx = self.0.db.system("delete a provider of single sign-on").await?;
        let gone = sql::lock(&mut tx, org, reference).await.map_err(problem)?;
        let gone = gone.ok_or_else(unknown)?;
        refuse_if_enforced(&mut tx, org, gone.id, "deleted").await?;
        let by = SignOn { org, provider: gone.id };
        let sessions = self.0.identity.end_signed_on(&mut tx, by, None, None).await?;
        let roles = self.0.access.end_managed(&mut tx, scope.author(), (gone.id, None)).await?;
        let links = link::count(&mut tx, org, gone.id).await.map_err(problem)?;
        sql::delete(&mut tx, org, gone.id).await.map_err(problem)?;
        let event = SsoEvent::ProviderDeleted {
            provider: gone.id,
            slug: stored(&gone.slug)?,
            links: u32::try_from(links).unwrap_or(u32::MAX),
            roles,
            sessions,
        };
        record(&mut tx, scope.author(), Event::Sso(event)).await.map_err(problem)?;
        self.0.access.commit(tx, org).await
    }

    async fn shown(
        &self,
        conn: &mut PgConnection,
        org: OrgId,
        row: Stored,
        base: &str,
    ) -> Result<SsoProvider, Problem> {
        let (default_role, mappings) = mapping::shown(mapping_rows(conn, org, row.id).await?);
        let snapshot = self.0.access.snapshot(org).await?;
        let path = |end: &str| address(base, snapshot.slug(), &row.slug, end);
        Ok(SsoProvider {
            callback_url: path("callback"),
            logout_url: path("logout"),
            start_url: path("start"),
            id: row.id,
            slug: stored(&row.slug)?,
            name: stored(&row.name)?,
            issuer: row.issuer.clone(),
            client_id: row.client_id.clone(),
            scopes: row.scopes.clone(),
            claims: claims_of(&row),
            domains: row.domains.clone(),
            enabled: row.enabled,
            create_members: row.create_members,
            default_role,
            mappings,
            session_minutes: u32::try_from(row.session_minutes).unwrap_or(USUAL_MINUTES),
            tested_at: row.tested_at,
            used_at: row.used_at,
            created_at: row.created_at,
            version: u64::try_from(row.version).unwrap_or(0),
        })
    }
}

pub(crate) fn claims_of(row: &Stored) -> SsoClaims {
    SsoClaims {
        email: row.email_claim.clone(),
        email_verified: row.verified_claim.clone(),
        name: row.name_claim.clone(),
        groups: row.groups_claim.clone(),
    }
}

/// Where a provider's part of this server is: `start`, `callback` or `logout`.
pub(crate) fn address(base: &str, org: &str, provider: &str, end: &str) -> String {
    format!("{base}/api/v1/auth/sso/{org}/{provider}/{end}")
}

pub(crate) async fn one(
    conn: &mut PgConnection,
    org: OrgId,
    reference: &str,
) -> Result<Stored, Problem> {
    let found = sql::list(conn, org, Some(reference)).await.map_err(problem)?;
    found.into_iter().next().ok_or_else(unknown)
}

pub(crate) fn unknown() -> Problem {
    Problem::not_found("provider of single sign-on")
}

pub(crate) fn enforced(row: enforcement::Row) -> Result<SsoEnforcement, Problem> {
    Ok(SsoEnforcement {
        provider: stored(&row.provider)?,
        break_glass: row.break_glass,
        break_glass_email: row.email,
        since: row.since,
    })
}

/// A name as the database has it, which was checked when it was written.
pub(crate) fn stored<T: std::str::FromStr>(text: &str) -> Result<T, Problem> {
    text.parse().map_err(|_| Problem::new(Code::Internal, "A stored name is not valid."))
}

async fn mapping_rows(
    conn: &mut PgConnection,
    org: OrgId,
    provider: SsoProviderId,
) -> Result<Vec<crate::sql::mapping::Row>, Problem> {
    crate::sql::mapping::list(conn, org, provider).await.map_err(problem)
}

/// Those that are wished for, or those that there are.
fn wished_mappings(change: &UpdateSsoProvider, rows: Vec<crate::sql::mapping::Row>) -> Wished {
    let (default_role, mappings) = mapping::shown(rows);
    let wished: Option<RoleName> = change.default_role.clone();
    Wished {
        default_role: wished.or(default_role).filter(|role| !role.as_str().is_empty()),
        mappings: change.mappings.clone().unwrap_or(mappings),
    }
}

/// While nobody comes in in another way, the one way stays.
async fn refuse_if_enforced(
    conn: &mut PgConnection,
    org: OrgId,
    provider: SsoProviderId,
    done: &str,
) -> Result<(), Problem> {
    let rule = enforcement::find(conn, org).await.map_err(problem)?;
    if rule.is_none_or(|rule| rule.id != provider) {
        return Ok(());
    }
    let detail = format!(
        "People come in by this provider only, so it cannot be {done}. Stop insisting on it first."
    );
    Err(Problem::new(Code::Conflict, detail))
}

/// The names of the fields that are not what they were.
fn differences(before: &Stored, after: &Stored) -> Vec<String> {
    let all = [
        ("name", before.name != after.name),
        ("client_id", before.client_id != after.client_id),
        ("client_secret", before.sealed_secret != after.sealed_secret),
        ("scopes", before.scopes != after.scopes),
        ("claims", claims_of(before) != claims_of(after)),
        ("domains", before.domains != after.domains),
        ("enabled", before.enabled != after.enabled),
        ("create_members", before.create_members != after.create_members),
        ("session_minutes", before.session_minutes != after.session_minutes),
    ];
    all.into_iter().filter(|(_, differs)| *differs).map(|(name, _)| name.to_owned()).collect()
}
