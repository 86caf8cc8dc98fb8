//! Groups whose people a directory decides about.
//!
//! A directory sees and changes the groups that it made. Those that people made are none of its business,
//! and to it they are not there: it could otherwise put somebody into what was given for other reasons.

use std::collections::HashMap;

use ralex_audit::{Event, ScimEvent, record};
use ralex_kernel::{GroupId, Name, Slug, UserId};
use ralex_store::Tenant;
use serde_json::{Value, json};

use crate::resource::{self, Object};
use crate::schema::GROUPS;
use crate::search::{MOST_READ, Search, too_many};
use crate::serve::{Ask, Told, etag, unchanged};
use crate::sql::{group as sql, user as users};
use crate::users::differing;
use crate::{Directory, Refusal, Scim, matches, patch, project};

impl Scim {
    pub(crate) async fn find_group(
        &self,
        directory: &Directory,
        id: &str,
        ask: &Ask<'_>,
    ) -> Result<Told, Refusal> {
        let search = Search::of_query(ask.query)?;
        let mut tx = self.0.db.tenant(directory.org).await?;
        let row = one(&mut tx, directory, id).await?;
        if unchanged(ask, row.version) {
            return Ok(Told::not_modified(row.version));
        }
        show(tx, directory, row, ask, (200, &search)).await
    }

    pub(crate) async fn list_groups(
        &self,
        directory: &Directory,
        search: &Search,
        ask: &Ask<'_>,
    ) -> Result<Told, Refusal> {
        let Some(which) = search.groups() else {
            return Ok(search.page(self.matching_groups(directory, search, ask).await?));
        };
        let mut tx = self.0.db.tenant(directory.org).await?;
        let total = sql::count(&mut tx, directory.org, &which).await?;
        let page = (search.start - 1, search.count);
        let rows = sql::list(&mut tx, directory.org, &which, page).await?;
        let with_members = search.projection.shows(&GROUPS, "members");
        let mut all = all_shown(&mut tx, directory, rows, (ask, with_members)).await?;
        for it in &mut all {
            search.projection.apply(&GROUPS, it);
        }
        Ok(search.told(total, all))
    }

    /// All groups of which a filter is true, each of which has to be asked.
    pub(crate) async fn matching_groups(
        &self,
        directory: &Directory,
        search: &Search,
        ask: &Ask<'_>,
    ) -> Result<Vec<Object>, Refusal> {
        search.filter.as_ref().map_or(Ok(()), |filter| matches::check(&GROUPS, filter))?;
        let mut tx = self.0.db.tenant(directory.org).await?;
        let all = sql::Which::default();
        let rows = sql::list(&mut tx, directory.org, &all, (0, MOST_READ + 1)).await?;
        if i64::try_from(rows.len()).unwrap_or(i64::MAX) > MOST_READ {
            return Err(too_many());
        }
        let mut all = all_shown(&mut tx, directory, rows, (ask, true)).await?;
        search.keep(&GROUPS, &mut all);
        for it in &mut all {
            search.projection.apply(&GROUPS, it);
        }
        Ok(all)
    }

    /// Makes a group, which holds nothing until a person gives it something.
    pub(crate) async fn create_group(
        &self,
        directory: &Directory,
        ask: &Ask<'_>,
    ) -> Result<Told, Refusal> {
        let object = resource::read(&GROUPS, ask.body()?)?;
        resource::check(&GROUPS, &object)?;
        let (org, id, name) = (directory.org, GroupId::generate(), name(&object)?);
        let mut tx = self.0.db.tenant(org).await?;
        self.0.access.bump(&mut tx, org).await?;
        let (people, unknown) = people(&mut tx, directory, &object).await?;
        let slug = sql::free_slug(&mut tx, org, &slug(&name)).await?;
        let slug: Slug = crate::connection::stored(&slug)?;
        self.0.access.provision_group(&mut tx, &directory.author, (id, slug, name.clone())).await?;
        let external_id = object.get("externalId").and_then(Value::as_str);
        let made = sql::insert(&mut tx, org, id, name.as_str(), external_id).await;
        made.map_err(|error| taken(error, &name))?;
        self.0.access.set_people(&mut tx, &directory.author, id, &people).await?;
        if unknown > 0 {
            let event = ScimEvent::MembersUnknown { group: id, unknown };
            record(&mut tx, &directory.author, Event::Scim(event)).await?;
        }
        self.0.access.commit(tx, org).await?;
        self.told_group(directory, id, ask, 201).await
    }

    pub(crate) async fn replace_group(
        &self,
        directory: &Directory,
        id: &str,
        ask: &Ask<'_>,
    ) -> Result<Told, Refusal> {
        let object = resource::read(&GROUPS, ask.body()?)?;
        self.change_group(directory, id, ask, |_| Ok(object)).await
    }

    pub(crate) async fn patch_group(
        &self,
        directory: &Directory,
        id: &str,
        ask: &Ask<'_>,
    ) -> Result<Told, Refusal> {
        let body = ask.body()?;
        self.change_group(directory, id, ask, |before| patch::apply(&GROUPS, before, body)).await
    }

    async fn change_group(
        &self,
        directory: &Directory,
        id: &str,
        ask: &Ask<'_>,
        change: impl FnOnce(&Object) -> Result<Object, Refusal>,
    ) -> Result<Told, Refusal> {
        let org = directory.org;
        let mut tx = self.0.db.tenant(org).await?;
        // Changes of one organisation wait for each other, so that what was read is what is changed.
        self.0.access.bump(&mut tx, org).await?;
        let row = one(&mut tx, directory, id).await?;
        ask.wants(row.version)?;
        let members = sql::members(&mut tx, org, &[row.id]).await?;
        let before = plain(&row, &members);
        let after = change(&before)?;
        resource::check(&GROUPS, &after)?;
        let name = name(&after)?;
        let (people, unknown) = people(&mut tx, directory, &after).await?;
        let author = &directory.author;
        let (added, removed) = self.0.access.set_people(&mut tx, author, row.id, &people).await?;
        let renamed = name.as_str() != row.name;
        if renamed {
            self.0.access.rename_provisioned(&mut tx, author, row.id, name.clone()).await?;
        }
        if unknown > 0 {
            let event = ScimEvent::MembersUnknown { group: row.id, unknown };
            record(&mut tx, author, Event::Scim(event)).await?;
        }
        let external_id = after.get("externalId").and_then(Value::as_str);
        if renamed || added + removed > 0 || external_id != row.external_id.as_deref() {
            let done = sql::update(&mut tx, org, row.id, name.as_str(), external_id).await;
            done.map_err(|error| taken(error, &name))?;
            let changed = differing(&before, &after);
            let event = ScimEvent::GroupUpdated { group: row.id, changed, added, removed };
            record(&mut tx, author, Event::Scim(event)).await?;
        }
        self.0.access.commit(tx, org).await?;
        self.told_group(directory, row.id, ask, 200).await
    }

    /// Deletes a group, with all that it gave to its people.
    pub(crate) async fn delete_group(
        &self,
        directory: &Directory,
        id: &str,
        ask: &Ask<'_>,
    ) -> Result<Told, Refusal> {
        let org = directory.org;
        let mut tx = self.0.db.tenant(org).await?;
        self.0.access.bump(&mut tx, org).await?;
        let row = one(&mut tx, directory, id).await?;
        ask.wants(row.version)?;
        self.0.access.end_group(&mut tx, &directory.author, row.id).await?;
        self.0.access.commit(tx, org).await?;
        Ok(Told::gone())
    }

    async fn told_group(
        &self,
        directory: &Directory,
        id: GroupId,
        ask: &Ask<'_>,
        status: u16,
    ) -> Result<Told, Refusal> {
        let search = Search::of_query(ask.query)?;
        let mut tx = self.0.db.tenant(directory.org).await?;
        let row = one(&mut tx, directory, &id.to_string()).await?;
        show(tx, directory, row, ask, (status, &search)).await
    }
}

async fn show(
    mut tx: Tenant,
    directory: &Directory,
    row: sql::Row,
    ask: &Ask<'_>,
    (status, search): (u16, &Search),
) -> Result<Told, Refusal> {
    let version = row.version;
    let location = format!("{}/Groups/{}", ask.base, row.id);
    let mut shown = all_shown(&mut tx, directory, vec![row], (ask, true)).await?;
    let mut object = shown.pop().unwrap_or_default();
    search.projection.apply(&GROUPS, &mut object);
    Ok(Told::resource(status, object, location, version))
}

async fn all_shown(
    tx: &mut Tenant,
    directory: &Directory,
    rows: Vec<sql::Row>,
    (ask, with_members): (&Ask<'_>, bool),
) -> Result<Vec<Object>, Refusal> {
    let ids: Vec<_> = rows.iter().map(|row| row.id).collect();
    let mut members: HashMap<GroupId, Vec<sql::Member>> = HashMap::new();
    if with_members {
        for member in sql::members(tx, directory.org, &ids).await? {
            members.entry(member.group).or_default().push(member);
        }
    }
    let shown = rows.into_iter().map(|row| {
        let own = members.remove(&row.id).unwrap_or_default();
        shown(&row, &own, ask.base)
    });
    Ok(shown.collect())
}

fn shown(row: &sql::Row, members: &[sql::Member], base: &str) -> Object {
    let mut object = plain(row, &[]);
    if !members.is_empty() {
        let members = members.iter().map(|it| {
            json!({
                "value": it.user, "type": "User",
                "$ref": format!("{base}/Users/{}", it.user),
            })
        });
        object.insert("members".to_owned(), members.collect());
    }
    object.insert("id".to_owned(), json!(row.id));
    let meta = json!({
        "resourceType": "Group", "created": row.created_at, "lastModified": row.updated_at,
        "location": format!("{base}/Groups/{}", row.id), "version": etag(row.version),
    });
    object.insert("meta".to_owned(), meta);
    project::schemas(&GROUPS, &mut object);
    object
}

/// A group as a patch is applied to it.
fn plain(row: &sql::Row, members: &[sql::Member]) -> Object {
    let mut object = Object::new();
    object.insert("displayName".to_owned(), json!(row.name));
    if let Some(id) = &row.external_id {
        object.insert("externalId".to_owned(), json!(id));
    }
    if !members.is_empty() {
        let members = members.iter().map(|it| json!({ "value": it.user }));
        object.insert("members".to_owned(), members.collect());
    }
    object
}

async fn one(
    conn: &mut sqlx::PgConnection,
    directory: &Directory,
    id: &str,
) -> Result<sql::Row, Refusal> {
    let unknown = || Refusal::not_found("group");
    let id = id.parse::<GroupId>().map_err(|_| unknown())?;
    let which = sql::Which { id: Some(id), ..sql::Which::default() };
    let found = sql::list(conn, directory.org, &which, (0, 1)).await?;
    found.into_iter().next().ok_or_else(unknown)
}

/// The people whom a group names and of whom the directory has told, and how many others it names.
///
/// A directory names people who left meanwhile, or whom it has yet to tell of. Those are passed over, and
/// the answer shows who is in the group: refused, they would hold up everybody else's coming and going.
async fn people(
    conn: &mut sqlx::PgConnection,
    directory: &Directory,
    object: &Object,
) -> Result<(Vec<UserId>, u32), Refusal> {
    let members = object.get("members").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let mut people = Vec::with_capacity(members.len());
    for member in members {
        let of_group = member["type"].as_str().is_some_and(|it| it.eq_ignore_ascii_case("group"));
        if of_group {
            return Err(Refusal::value("No group is in another one: `members` are users."));
        }
        let reference = member["$ref"].as_str().and_then(|it| it.rsplit('/').next());
        people.extend(member["value"].as_str().or(reference).map(str::to_owned));
    }
    people.sort_unstable();
    people.dedup();
    let ids: Vec<UserId> = people.iter().filter_map(|name| name.parse().ok()).collect();
    let known = users::known(conn, directory.org, &ids).await?;
    let unknown = u32::try_from(people.len() - known.len()).unwrap_or(u32::MAX);
    Ok((known, unknown))
}

fn name(object: &Object) -> Result<Name, Refusal> {
    let text = object.get("displayName").and_then(Value::as_str).unwrap_or_default();
    let rule = "`displayName` must have 1 to 120 characters, none of them hidden.";
    text.parse().map_err(|_| Refusal::value(rule))
}

/// A slug made of a name.
fn slug(name: &Name) -> String {
    let mut slug = String::new();
    for c in name.as_str().chars().map(|c| c.to_ascii_lowercase()) {
        if c.is_ascii_alphanumeric() {
            slug.push(c);
        } else if !slug.is_empty() && !slug.ends_with('-') {
            slug.push('-');
        }
    }
    // Room for a number; and one that reads as an identifier is none.
    slug.truncate(48);
    let slug = slug.trim_end_matches('-');
    if slug.parse::<Slug>().is_ok() { slug.to_owned() } else { "group".to_owned() }
}

fn taken(error: sqlx::Error, name: &Name) -> Refusal {
    let constraint = error.as_database_error().and_then(|it| it.constraint());
    if constraint == Some("scim_group_name_taken") {
        return Refusal::taken(format!("Another provisioned group has the name \"{name}\"."));
    }
    error.into()
}
