//! Users: members of the organisation, as its directory tells of them.
//!
//! What the directory says stands in a row of the organisation's own. The account is made of it where there
//! is none, and never changed by it: it may be somebody elsewhere, and comes in by single sign-on only.

use ralex_audit::{Event, ScimEvent, record};
use ralex_identity::suspend::Word;
use ralex_kernel::{Code, Email, Name, UserId};
use ralex_store::System;
use serde_json::{Value, json};
use sqlx::types::Json;

use crate::resource::{self, Object};
use crate::schema::USERS;
use crate::search::{MOST_READ, Search, too_many};
use crate::serve::{Ask, Told, etag, unchanged};
use crate::sql::{group as groups, user as sql};
use crate::{Directory, Refusal, Scim, matches, patch, project};

/// Of all that is kept of one user, in bytes.
const LARGEST: usize = 64 << 10;

impl Scim {
    pub(crate) async fn find_user(
        &self,
        directory: &Directory,
        id: &str,
        ask: &Ask<'_>,
    ) -> Result<Told, Refusal> {
        let search = Search::of_query(ask.query)?;
        let row = self.user(directory, id).await?;
        if unchanged(ask, row.version) {
            return Ok(Told::not_modified(row.version));
        }
        self.show_user(directory, row, ask, (200, &search)).await
    }

    pub(crate) async fn list_users(
        &self,
        directory: &Directory,
        search: &Search,
        ask: &Ask<'_>,
    ) -> Result<Told, Refusal> {
        let Some(which) = search.users() else {
            return Ok(search.page(self.matching_users(directory, search, ask).await?));
        };
        let mut tx = self.0.db.tenant(directory.org).await?;
        let total = sql::count(&mut tx, directory.org, &which).await?;
        let page = (search.start - 1, search.count);
        let rows = sql::list(&mut tx, directory.org, &which, page).await?;
        drop(tx);
        let mut all = self.users_shown(directory, rows, ask).await?;
        for it in &mut all {
            search.projection.apply(&USERS, it);
        }
        Ok(search.told(total, all))
    }

    /// All users of whom a filter is true, each of whom has to be asked.
    pub(crate) async fn matching_users(
        &self,
        directory: &Directory,
        search: &Search,
        ask: &Ask<'_>,
    ) -> Result<Vec<Object>, Refusal> {
        search.filter.as_ref().map_or(Ok(()), |filter| matches::check(&USERS, filter))?;
        let mut tx = self.0.db.tenant(directory.org).await?;
        let all = sql::Which::default();
        let rows = sql::list(&mut tx, directory.org, &all, (0, MOST_READ + 1)).await?;
        drop(tx);
        if i64::try_from(rows.len()).unwrap_or(i64::MAX) > MOST_READ {
            return Err(too_many());
        }
        let mut all = self.users_shown(directory, rows, ask).await?;
        search.keep(&USERS, &mut all);
        for it in &mut all {
            search.projection.apply(&USERS, it);
        }
        Ok(all)
    }

    /// Makes somebody a member: with a new account, or with one that is this directory's to speak of.
    pub(crate) async fn create_user(
        &self,
        directory: &Directory,
        ask: &Ask<'_>,
    ) -> Result<Told, Refusal> {
        let mut object = resource::read(&USERS, ask.body()?)?;
        resource::check(&USERS, &object)?;
        let (email, name) = account_of(&object)?;
        let active = take_active(&mut object).unwrap_or(true);
        let org = directory.org;
        let mut tx = self.0.db.system("make somebody of a directory a member").await?;
        let user = self.0.identity.provision(&mut tx, &directory.author, &email, &name).await?;
        store(&mut tx, directory, user, (&object, None)).await?;
        let event = ScimEvent::UserCreated { user };
        record(&mut tx, &directory.author, Event::Scim(event)).await?;
        if !active {
            self.deactivate(&mut tx, directory, user).await?;
        }
        self.0.access.commit(tx, org).await?;
        let row = self.user(directory, &user.to_string()).await?;
        self.show_user(directory, row, ask, (201, &Search::of_query(ask.query)?)).await
    }

    /// Says anew all that is said of a user; whether they are active only where it is told.
    pub(crate) async fn replace_user(
        &self,
        directory: &Directory,
        id: &str,
        ask: &Ask<'_>,
    ) -> Result<Told, Refusal> {
        let object = resource::read(&USERS, ask.body()?)?;
        self.change_user(directory, id, ask, |_| Ok(object)).await
    }

    pub(crate) async fn patch_user(
        &self,
        directory: &Directory,
        id: &str,
        ask: &Ask<'_>,
    ) -> Result<Told, Refusal> {
        let body = ask.body()?;
        self.change_user(directory, id, ask, |before| patch::apply(&USERS, before, body)).await
    }

    async fn change_user(
        &self,
        directory: &Directory,
        id: &str,
        ask: &Ask<'_>,
        change: impl FnOnce(&Object) -> Result<Object, Refusal>,
    ) -> Result<Told, Refusal> {
        let org = directory.org;
        let mut tx = self.0.db.system("change what a directory says of somebody").await?;
        // Changes of one organisation wait for each other, so that what was read is what is changed.
        self.0.access.bump(&mut tx, org).await?;
        let row = one(&mut tx, directory, id).await?;
        ask.wants(row.version)?;
        let mut before = kept(&row);
        before.insert("active".to_owned(), json!(row.active));
        let mut after = change(&before)?;
        resource::check(&USERS, &after)?;
        let active = take_active(&mut after).unwrap_or(row.active);
        before.remove("active");
        if before != after {
            store(&mut tx, directory, row.id, (&after, Some(&before))).await?;
            let event =
                ScimEvent::UserUpdated { user: row.id, changed: differing(&before, &after) };
            record(&mut tx, &directory.author, Event::Scim(event)).await?;
        }
        if active && !row.active {
            self.0.identity.resume(&mut tx, &directory.author, row.id, Word::Directory).await?;
        } else if !active && row.active {
            self.deactivate(&mut tx, directory, row.id).await?;
        }
        if active != row.active && before == after {
            store(&mut tx, directory, row.id, (&after, Some(&before))).await?;
        }
        self.0.access.commit(tx, org).await?;
        let row = self.user(directory, id).await?;
        self.show_user(directory, row, ask, (200, &Search::of_query(ask.query)?)).await
    }

    /// Ends a membership.
    pub(crate) async fn delete_user(
        &self,
        directory: &Directory,
        id: &str,
        ask: &Ask<'_>,
    ) -> Result<Told, Refusal> {
        let org = directory.org;
        let mut tx = self.0.db.system("end the membership of somebody of a directory").await?;
        self.0.access.bump(&mut tx, org).await?;
        let row = one(&mut tx, directory, id).await?;
        ask.wants(row.version)?;
        self.must_do_without(&mut tx, directory, row.id).await?;
        groups::touch_of(&mut tx, org, row.id).await?;
        self.0.identity.unprovision(&mut tx, &directory.author, row.id).await?;
        let event = ScimEvent::UserDeleted { user: row.id };
        record(&mut tx, &directory.author, Event::Scim(event)).await?;
        self.0.access.commit(tx, org).await?;
        Ok(Told::gone())
    }

    /// Closes the organisation to a user, unless no owner would be left.
    async fn deactivate(
        &self,
        tx: &mut System,
        directory: &Directory,
        user: UserId,
    ) -> Result<(), Refusal> {
        self.must_do_without(tx, directory, user).await?;
        let author = &directory.author;
        self.0.identity.suspend(tx, author, user, Word::Directory).await?;
        Ok(())
    }

    /// Refuses where no owner would be left. Whoever the directory wants out is let go of as far as that
    /// goes: what they came in by ends all the same, in a transaction that is not undone with this one.
    async fn must_do_without(
        &self,
        tx: &mut System,
        directory: &Directory,
        user: UserId,
    ) -> Result<(), Refusal> {
        let (org, author) = (directory.org, &directory.author);
        let Err(why) = self.0.access.may_do_without(tx, org, user).await else { return Ok(()) };
        if !matches!(why.code, Code::LastOwner | Code::Conflict) {
            return Err(why.into());
        }
        let mut apart = self.0.db.system("end the sessions of an owner who stays").await?;
        let ended = self.0.identity.end_confined(&mut apart, author, user).await?;
        let event = ScimEvent::OwnerKept { user, sessions_ended: ended.sessions };
        record(&mut apart, author, Event::Scim(event)).await?;
        apart.commit().await?;
        Err(why.into())
    }

    async fn user(&self, directory: &Directory, id: &str) -> Result<sql::Row, Refusal> {
        let mut tx = self.0.db.tenant(directory.org).await?;
        one(&mut tx, directory, id).await
    }

    async fn show_user(
        &self,
        directory: &Directory,
        row: sql::Row,
        ask: &Ask<'_>,
        (status, search): (u16, &Search),
    ) -> Result<Told, Refusal> {
        let version = row.version;
        let location = format!("{}/Users/{}", ask.base, row.id);
        let mut shown = self.users_shown(directory, vec![row], ask).await?;
        let mut object = shown.pop().unwrap_or_default();
        search.projection.apply(&USERS, &mut object);
        Ok(Told::resource(status, object, location, version))
    }

    async fn users_shown(
        &self,
        directory: &Directory,
        rows: Vec<sql::Row>,
        ask: &Ask<'_>,
    ) -> Result<Vec<Object>, Refusal> {
        let people: Vec<_> = rows.iter().map(|row| row.id).collect();
        let mut tx = self.0.db.tenant(directory.org).await?;
        let groups = sql::groups_of(&mut tx, directory.org, &people).await?;
        drop(tx);
        let base = ask.base;
        let shown = rows.into_iter().map(|row| {
            let own = groups.iter().filter(|it| it.user == row.id);
            let own: Vec<_> = own
                .map(|it| {
                    json!({
                        "value": it.group, "display": it.name, "type": "direct",
                        "$ref": format!("{base}/Groups/{}", it.group),
                    })
                })
                .collect();
            shown(row, own, base)
        });
        Ok(shown.collect())
    }
}

fn shown(row: sql::Row, groups: Vec<Value>, base: &str) -> Object {
    let mut object = kept(&row);
    object.insert("id".to_owned(), json!(row.id));
    object.insert("active".to_owned(), json!(row.active));
    if !groups.is_empty() {
        object.insert("groups".to_owned(), Value::Array(groups));
    }
    let meta = json!({
        "resourceType": "User", "created": row.created_at, "lastModified": row.updated_at,
        "location": format!("{base}/Users/{}", row.id), "version": etag(row.version),
    });
    object.insert("meta".to_owned(), meta);
    project::schemas(&USERS, &mut object);
    object
}

/// What the directory says, without what is kept elsewhere.
fn kept(row: &sql::Row) -> Object {
    let Json(mut object) = row.attributes.clone();
    if let Some(id) = &row.external_id {
        object.insert("externalId".to_owned(), json!(id));
    }
    object
}

async fn one(
    conn: &mut sqlx::PgConnection,
    directory: &Directory,
    id: &str,
) -> Result<sql::Row, Refusal> {
    let unknown = || Refusal::not_found("user");
    let id = id.parse::<UserId>().map_err(|_| unknown())?;
    let which = sql::Which { id: Some(id), ..sql::Which::default() };
    let found = sql::list(conn, directory.org, &which, (0, 1)).await?;
    found.into_iter().next().ok_or_else(unknown)
}

/// Keeps what the directory says of somebody; nothing was before where they are new.
async fn store(
    tx: &mut System,
    directory: &Directory,
    user: UserId,
    (object, before): (&Object, Option<&Object>),
) -> Result<(), Refusal> {
    let mut attributes = object.clone();
    let external_id = attributes.remove("externalId");
    let user_name = object.get("userName").and_then(Value::as_str).unwrap_or_default();
    if Value::Object(attributes.clone()).to_string().len() > LARGEST {
        return Err(Refusal::value(format!("More than {LARGEST} bytes are not kept of one user.")));
    }
    let kept = sql::Kept {
        user_name,
        external_id: external_id.as_ref().and_then(Value::as_str),
        attributes: &attributes,
    };
    let stored = match before {
        None => sql::insert(tx, directory.org, user, &kept).await,
        Some(_) => sql::update(tx, directory.org, user, &kept).await,
    };
    stored.map_err(|error| {
        let constraint = error.as_database_error().and_then(|it| it.constraint());
        match constraint {
            Some("scim_user_name_taken") => {
                let detail = format!("Another user has the name \"{user_name}\".");
                Refusal::taken(detail)
            }
            Some("scim_user_pkey") => {
                Refusal::taken("The directory tells of the person with this address already.")
            }
            Some(_) | None => error.into(),
        }
    })
}

/// The address and the name that an account is made with.
fn account_of(object: &Object) -> Result<(Email, Name), Refusal> {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let emails = object.get("emails").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let primary = emails.iter().find(|it| it["primary"] == true);
    let work = emails.iter().find(|it| it["type"] == "work");
    let email = primary.or(work).or(emails.first()).and_then(|it| text(&it["value"]));
    let user_name = object.get("userName").and_then(text);
    let email = email.or(user_name).and_then(|it| it.parse::<Email>().ok()).ok_or_else(|| {
        Refusal::value(
            "An e-mail address is needed: as the primary one of `emails`, or as `userName`.",
        )
    })?;
    let name = object.get("name");
    let part = |part: &str| name.and_then(|it| it.get(part)).and_then(text);
    let both = part("givenName").zip(part("familyName")).map(|(a, b)| format!("{a} {b}"));
    let local = email.as_str().split('@').next().map(str::to_owned);
    let shown = object.get("displayName").and_then(text);
    let mut all = [shown, part("formatted"), both, local].into_iter().flatten();
    let name = all.find_map(|it| it.parse::<Name>().ok());
    let name = name.ok_or_else(|| Refusal::value("`displayName` is not a name."))?;
    Ok((email, name))
}

fn take_active(object: &mut Object) -> Option<bool> {
    object.remove("active").and_then(|it| it.as_bool())
}

/// The names of what is other than it was.
pub(crate) fn differing(before: &Object, after: &Object) -> Vec<String> {
    let all = before.keys().chain(after.keys().filter(|key| !before.contains_key(*key)));
    all.filter(|key| before.get(*key) != after.get(*key)).cloned().collect()
}
