//! Members: people in an organisation and the roles they hold there.

use ralex_access::{Scope, Wanted};
use ralex_api::identity::{Member, MemberRole, NewMember, NewMemberAnswer, User};
use ralex_api::page::{Page, PageQuery};
use ralex_audit::Event;
use ralex_kernel::{Code, Problem, ScopePath, Secret, UserId};
use ralex_store::{OnConstraint, Tenant, problem};

use crate::{Identity, password, sql, stored};

impl Identity {
    /// Adds a person with one role. Someone new to Ralex gets a password to use once, or a link; whoever
    /// has an account is asked by a link whether they belong here, and nothing is open to them before.
    ///
    /// # Errors
    /// `grant_exceeds_own` where the role can do more than `scope`'s caller, `already_exists`
    /// where the person is a member.
    pub async fn add_member(
        &self,
        scope: &Scope,
        new: NewMember,
        at: ScopePath,
    ) -> Result<NewMemberAnswer, Problem> {
        let org = scope.org();
        let key = new.email.key();
        // Of everybody, so that what is asked for does not tell who has an account.
        let name = new.name.clone().ok_or_else(|| Problem::field("name", "is needed"))?;
        // Hashed before the transaction, so that none waits for it; thrown away where not needed.
        let fresh = (!new.invite).then(password::one_time);
        let hash = match &fresh {
            Some(fresh) => Some(self.passwords.hash(fresh).await?),
            None => None,
        };
        let mut tx = self.db.system("add a member, who may be new to the deployment").await?;
        let known = sql::user::find_account(&mut tx, &key).await.map_err(problem)?;
        let (is_new, asked) = match &known {
            Some(account) => (false, self.is_asked(&mut tx, account.id, org).await?),
            None => (true, false),
        };
        let user = if let Some(account) = known {
            account.id
        } else {
            let id = UserId::generate();
            sql::user::insert(&mut tx, id, &new.email, &name, hash.as_deref(), hash.is_some())
                .await
                .or_problem([("user_email_taken", added_meanwhile())])?;
            if let Some(maker) = scope.caller().subject.user() {
                sql::user::set_maker(&mut tx, id, maker).await.map_err(problem)?;
            }
            id
        };
        if !sql::user::insert_member(&mut tx, org, user).await.map_err(problem)? {
            let detail = format!("{} is a member already.", new.email);
            return Err(Problem::new(Code::AlreadyExists, detail));
        }
        let event = Event::MemberAdded { user, email: new.email.clone() };
        ralex_audit::record(&mut tx, scope.author(), event).await.map_err(problem)?;
        self.access.bind(&mut tx, scope, Wanted::role(user, new.role, at)).await?;
        let link = match (asked, new.invite || !is_new) {
            (true, _) => Some(self.await_acceptance(&mut tx, scope.author(), user).await?),
            (false, true) => self.invite_if_unused(&mut tx, scope.author(), user).await?,
            (false, false) => None,
        };
        self.access.commit(tx, org).await?;
        let name = self.org(org).await?.name;
        let invitation = self.hand_over(link, (&new.email, name.as_str())).await?;
        let member = self.member(scope, user).await?;
        let one_time_password = fresh.filter(|_| is_new).map(|fresh| reveal(&fresh));
        Ok(NewMemberAnswer { member, one_time_password, invitation })
    }

    /// Ends a membership with everything that it gave, also what the person came in by that counts nowhere
    /// else: it does not come back with them. The last owner stays.
    pub async fn remove_member(&self, scope: &Scope, user: UserId) -> Result<(), Problem> {
        let org = scope.org();
        let mut tx = self.db.system("end a membership").await?;
        let bindings = self.access.unbind_all(&mut tx, scope, user).await?;
        self.end_confined(&mut tx, scope.author(), user).await?;
        if !sql::user::delete_member(&mut tx, org, user).await.map_err(problem)? {
            return Err(Problem::not_found("member"));
        }
        let event = Event::MemberRemoved { user, bindings };
        ralex_audit::record(&mut tx, scope.author(), event).await.map_err(problem)?;
        self.access.commit(tx, org).await
    }

    pub async fn members(&self, scope: &Scope, page: &PageQuery) -> Result<Page<Member>, Problem> {
        let org = scope.org();
        let mut tx = self.db.tenant(org).await?;
        let size = page.size();
        let rows = sql::user::members(&mut tx, org, page.after()?, size + 1).await;
        let items = self.with_roles(tx, scope, rows.map_err(problem)?).await?;
        Ok(Page::of(items, size, |member: &Member| member.user.id.to_string()))
    }

    pub async fn member(&self, scope: &Scope, user: UserId) -> Result<Member, Problem> {
        let mut tx = self.db.tenant(scope.org()).await?;
        let row = sql::user::member(&mut tx, scope.org(), user).await.map_err(problem)?;
        let members = self.with_roles(tx, scope, row.into_iter().collect()).await?;
        members.into_iter().next().ok_or_else(|| Problem::not_found("member"))
    }

    async fn with_roles(
        &self,
        mut tx: Tenant,
        scope: &Scope,
        rows: Vec<sql::user::MemberRow>,
    ) -> Result<Vec<Member>, Problem> {
        let slugs = sql::team::slugs(&mut tx, scope.org()).await.map_err(problem)?;
        drop(tx);
        let people: Vec<_> = rows.iter().map(|row| row.id).collect();
        let bound = self.access.bindings_of(scope, &people).await?;
        rows.into_iter()
            .map(|row| {
                let own = bound.iter().filter(|binding| binding.user == row.id);
                let roles = own.map(|binding| MemberRole {
                    role: binding.role.clone(),
                    scope: crate::team::named(binding.at, &slugs),
                    group: binding.group.and_then(|group| slugs.get(&group.uuid()).cloned()),
                });
                Ok(Member {
                    roles: roles.collect(),
                    user: User { id: row.id, email: stored(&row.email)?, name: stored(&row.name)? },
                    joined_at: row.joined_at,
                    suspended_at: row.suspended_at,
                    awaits_acceptance: row.awaits,
                    invited_until: row.invited_until,
                })
            })
            .collect()
    }
}

pub(crate) fn added_meanwhile() -> Problem {
    let detail = "This person was added to Ralex at the same moment, or their account is closed. Try again; \
                  if it stays so, an operator has to open the account.";
    Problem::new(Code::Conflict, detail)
}

/// The one answer in which a made-up password is shown.
fn reveal(password: &Secret) -> String {
    password.expose().to_owned()
}
