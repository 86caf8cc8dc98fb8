//! Organisations: how one is made with its first owner, and which of them somebody belongs to.

use ralex_access::{Access, Barred, OWNER, Scope, Wanted};
use ralex_api::access::RoleName;
use ralex_api::identity::{Me, MyBreakGlass, MyOrg, MyScope, Org, UpdateOrg};
use ralex_audit::{Author, Event, PlaceEvent};
use ralex_kernel::{
    Caller, Code, Credential, Email, Name, OrgId, Problem, ScopePath, Secret, Slug, UserId,
};
use ralex_store::{OnConstraint, System, problem};

use crate::{Identity, factor, login, member, password, session, sql, stored, team};

/// The first owner of a deployment, and how they get in.
pub struct FirstOwner {
    pub org: OrgId,
    pub user: UserId,
    /// Present where a password was made up, to be used once.
    pub one_time_password: Option<Secret>,
}

/// An organisation that is made, and its first owner.
pub(crate) struct Founding<'a> {
    /// Who makes it, in the organisation that is made.
    pub author: Author,
    pub slug: &'a Slug,
    pub name: Name,
    pub user: UserId,
    pub email: &'a Email,
    pub user_name: &'a Name,
    pub account: Account<'a>,
}

/// By what an organisation's first owner comes in.
#[derive(Clone, Copy)]
pub(crate) enum Account<'a> {
    /// They have one.
    Known,
    /// A link by which they choose a password follows.
    Invited,
    /// The hash of a password, and whether it is to be used once.
    Password(&'a str, bool),
}

impl Identity {
    /// True until the deployment has an organisation.
    pub async fn is_fresh_deployment(&self) -> Result<bool, Problem> {
        let mut tx = self.db.system("look for an organisation").await?;
        Ok(!sql::user::any_org(&mut tx).await.map_err(problem)?)
    }

    /// Makes the first organisation and its owner in one transaction that `also` adds to.
    pub async fn create_first_org(
        &self,
        slug: &Slug,
        owner: &Email,
        password: Option<&Secret>,
        also: impl AsyncFnOnce(&mut System, OrgId) -> Result<(), Problem>,
    ) -> Result<FirstOwner, Problem> {
        let (secret, one_time) = match password {
            Some(given) => {
                password::check_strength(given, &owner.key())?;
                (Secret::new(given.expose().to_owned()), false)
            }
            None => (password::one_time(), true),
        };
        let hash = self.passwords.hash(&secret).await?;
        let (org, user) = (OrgId::generate(), UserId::generate());
        let mut tx = self.db.system("make the first organisation").await?;
        let founding = Founding {
            author: Author::system(org),
            slug,
            name: stored(slug.as_str())?,
            user,
            email: owner,
            user_name: &stored("Owner")?,
            account: Account::Password(&hash, one_time),
        };
        self.found(&mut tx, founding).await?;
        sql::operator::insert(&mut tx, user, None).await.map_err(problem)?;
        also(&mut tx, org).await?;
        self.access.commit(tx, org).await?;
        Ok(FirstOwner { org, user, one_time_password: one_time.then_some(secret) })
    }

    /// Makes an organisation and its owner. The caller
    /// ends with [`Access::commit`].
    pub(crate) async fn found(&self, tx: &mut System, new: Founding<'_>) -> Result<(), Problem> {
        let Founding { author, slug, user, .. } = new;
        let org = author.org;
        sql::user::insert_org(tx, org, slug, &new.name)
            .await
            .or_problem([("org_slug_taken", slug_taken(slug))])?;
        let created = Event::OrgCreated { org, slug: slug.clone(), name: new.name };
        ralex_audit::record(tx, &author, created).await.map_err(problem)?;
        let made = match new.account {
            Account::Known => None,
            Account::Invited => Some((None, false)),
            Account::Password(hash, one_time) => Some((Some(hash), one_time)),
        };
        if let Some((hash, one_time)) = made {
            sql::user::insert(tx, user, new.email, new.user_name, hash, one_time)
                .await
                .or_problem([("user_email_taken", member::added_meanwhile())])?;
        }
        sql::user::insert_member(tx, org, user).await.map_err(problem)?;
        let added = Event::MemberAdded { user, email: new.email.clone() };
        ralex_audit::record(tx, &author, added).await.map_err(problem)?;
        let role = RoleName(OWNER.to_owned());
        let owner = Wanted::role(user, role, ScopePath::Org);
        self.access.bind(tx, &Access::internal(org), owner).await?;
        Ok(())
    }

    /// Who is asking, and what they may do where.
    pub async fn me(&self, caller: &Caller, must_change_password: bool) -> Result<Me, Problem> {
        let user = crate::anybody(caller)?;
        let mut tx = self.db.system("tell a person of themselves").await?;
        let account = sql::user::account(&mut tx, user).await.map_err(problem)?;
        let account = account.ok_or_else(|| Problem::not_found("account"))?;
        let rows = sql::user::orgs_of(&mut tx, user).await.map_err(problem)?;
        let second_factor = sql::factor::has_factor(&mut tx, user).await.map_err(problem)?;
        // Only who speaks for the whole account is one.
        let whole = crate::holder(caller).is_ok() && !caller.by_device;
        let operator = whole && sql::operator::is_operator(&mut tx, user).await.map_err(problem)?;
        drop(tx);
        let mut orgs = Vec::with_capacity(rows.len());
        for row in rows.into_iter().filter(|row| !row.suspended) {
            orgs.extend(self.my_org(caller, row).await?);
        }
        let user = login::user(&account)?;
        let prove_at = match caller.credential {
            Credential::Session(_) => caller.sign_on.map(factor::prove_at),
            Credential::PersonalToken(_)
            | Credential::TeamToken(_)
            | Credential::ScimToken(_)
            | Credential::Internal => None,
        };
        Ok(Me { user, must_change_password, second_factor, operator, prove_at, orgs })
    }

    /// An organisation as the caller sees it; nothing where they do not.
    async fn my_org(
        &self,
        caller: &Caller,
        row: sql::user::OrgRow,
    ) -> Result<Option<MyOrg>, Problem> {
        let break_glass = self.my_break_glass(caller, row.id).await?;
        let mut org = MyOrg {
            id: row.id,
            slug: stored(&row.slug)?,
            name: stored(&row.name)?,
            second_factor_needed: false,
            permissions: Vec::new(),
            scopes: Vec::new(),
            sign_on: None,
            closed: None,
            break_glass,
        };
        let snapshot = match self.access.snapshot(row.id).await {
            Ok(snapshot) => snapshot,
            // Whoever may open the glass is told so, though their rights cannot be read.
            Err(_) if org.break_glass.as_ref().is_some_and(|it| it.is_named) => {
                if let Ok((permissions, _)) = self.access.permissions(caller, row.id).await {
                    org.permissions = permissions;
                }
                return Ok(Some(org));
            }
            Err(why) => return Err(why),
        };
        let barred = self.access.bars(caller, row.id).await?;
        if matches!(barred, Some(Barred::Elsewhere | Barred::ByDevice)) {
            return Ok(None);
        }
        org.second_factor_needed = snapshot.lacks_factor(caller);
        org.closed = snapshot.closed().map(ToString::to_string);
        if !org.second_factor_needed {
            let (permissions, extras) = self.access.permissions(caller, row.id).await?;
            org.permissions = permissions;
            org.scopes = self.named(row.id, extras).await?;
        }
        // Who has opened the glass is in without the provider.
        if barred.is_some() && org.permissions.is_empty() {
            org.sign_on = self.way_in(row.id).await?;
        }
        Ok(Some(org))
    }

    /// Places with what is held there, by their slugs as well.
    async fn named(
        &self,
        org: OrgId,
        extras: Vec<(ScopePath, Vec<String>)>,
    ) -> Result<Vec<MyScope>, Problem> {
        if extras.is_empty() {
            return Ok(Vec::new());
        }
        let mut tx = self.db.tenant(org).await?;
        let slugs = sql::team::slugs(&mut tx, org).await.map_err(problem)?;
        Ok(extras
            .into_iter()
            .map(|(at, permissions)| {
                let place = team::named(at, &slugs);
                MyScope { scope: at.to_string(), place, permissions }
            })
            .collect())
    }

    async fn my_break_glass(
        &self,
        caller: &Caller,
        org: OrgId,
    ) -> Result<Option<MyBreakGlass>, Problem> {
        let Some(user) = caller.subject.user() else { return Ok(None) };
        let mut tx = self.db.tenant(org).await?;
        let row = sql::user::break_glass(&mut tx, org, user, self.clock.now()).await;
        let row = row.map_err(problem)?;
        let told = MyBreakGlass {
            is_named: row.is_named && ralex_access::breaks(caller, org).is_some(),
            open_until: row.open_until,
            reviews_waiting: crate::count(row.reviews_waiting),
        };
        let is_news = told.is_named || told.open_until.is_some() || told.reviews_waiting > 0;
        Ok(is_news.then_some(told))
    }

    /// Where somebody comes in by the provider that an organisation insists on.
    async fn way_in(&self, org: OrgId) -> Result<Option<String>, Problem> {
        let mut tx = self.db.system("tell a person how they come in").await?;
        let names = sql::user::sign_on_of(&mut tx, org).await.map_err(problem)?;
        Ok(names.map(|(org, provider)| format!("/api/v1/auth/sso/{org}/{provider}/start")))
    }

    /// The organisations that a person belongs to.
    pub async fn orgs(&self, caller: &Caller) -> Result<Vec<Org>, Problem> {
        let user = crate::anybody(caller)?;
        let mut tx = self.db.system("list a person's organisations").await?;
        let rows = sql::user::orgs_of(&mut tx, user).await.map_err(problem)?;
        let within = session::within(caller);
        let open =
            |row: &sql::user::OrgRow| !row.suspended && within.is_none_or(|only| only == row.id);
        let rows = rows.into_iter().filter(open);
        rows.map(org).collect()
    }

    pub async fn org(&self, id: OrgId) -> Result<Org, Problem> {
        let mut tx = self.db.tenant(id).await?;
        let row = sql::user::org(&mut tx, id).await.map_err(problem)?;
        org(row.ok_or_else(|| Problem::not_found("organisation"))?)
    }

    /// Calls the organisation something else.
    pub async fn rename_org(&self, scope: &Scope, change: UpdateOrg) -> Result<Org, Problem> {
        let id = scope.org();
        let mut tx = self.db.tenant(id).await?;
        sql::user::rename_org(&mut tx, id, &change.name).await.map_err(problem)?;
        let event = Event::Place(PlaceEvent::OrgUpdated { org: id, name: change.name });
        ralex_audit::record(&mut tx, scope.author(), event).await.map_err(problem)?;
        self.access.commit(tx, id).await?;
        self.org(id).await
    }
}

fn slug_taken(slug: &Slug) -> Problem {
    let detail = format!("There is an organisation `{slug}` already; choose another slug.");
    Problem::new(Code::AlreadyExists, detail)
}

fn org(row: sql::user::OrgRow) -> Result<Org, Problem> {
    Ok(Org {
        id: row.id,
        slug: stored(&row.slug)?,
        name: stored(&row.name)?,
        created_at: row.created_at,
    })
}
