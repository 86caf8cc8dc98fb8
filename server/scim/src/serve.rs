//! Requests: which resource they are about, and what is told of it.

use serde_json::Value;

use crate::resource::Object;
use crate::schema::{GROUPS, USERS};
use crate::search::Search;
use crate::{Directory, Refusal, Scim, discovery, matches};

/// What a directory asks, below the organisation's own address.
#[derive(Clone, Debug)]
pub struct Ask<'a> {
    pub method: &'a str,
    /// The parts of the path, decoded.
    pub path: &'a [String],
    pub query: &'a [(String, String)],
    pub if_match: Option<&'a str>,
    pub if_none_match: Option<&'a str>,
    /// The body, or why there is none.
    pub body: &'a Result<Value, Refusal>,
    /// The address that all locations begin with.
    pub base: &'a str,
}

/// What a directory is told.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Told {
    pub status: u16,
    pub body: Option<Value>,
    pub location: Option<String>,
    pub version: Option<String>,
}

impl Told {
    pub(crate) fn body(body: Value) -> Self {
        Self { status: 200, body: Some(body), ..Self::default() }
    }

    pub(crate) fn resource(status: u16, object: Object, location: String, version: i64) -> Self {
        Self {
            status,
            body: Some(Value::Object(object)),
            location: Some(location),
            version: Some(etag(version)),
        }
    }

    pub(crate) fn gone() -> Self {
        Self { status: 204, ..Self::default() }
    }

    pub(crate) fn not_modified(version: i64) -> Self {
        Self { status: 304, version: Some(etag(version)), ..Self::default() }
    }
}

impl<'a> Ask<'a> {
    pub(crate) fn body(&self) -> Result<&'a Value, Refusal> {
        self.body.as_ref().map_err(Clone::clone)
    }

    /// Refuses where the client has seen another version than there is.
    pub(crate) fn wants(&self, version: i64) -> Result<(), Refusal> {
        if self.if_match.is_none_or(|tags| names(tags, version)) {
            return Ok(());
        }
        let detail = "It has changed since it was read. Read it again, and send that version.";
        Err(Refusal::new(412, None, detail))
    }
}

pub(crate) fn etag(version: i64) -> String {
    format!("W/\"{version}\"")
}

/// Whether a client has what there is.
pub(crate) fn unchanged(ask: &Ask<'_>, version: i64) -> bool {
    ask.if_none_match.is_some_and(|tags| names(tags, version))
}

fn names(tags: &str, version: i64) -> bool {
    let bare = version.to_string();
    tags.split(',')
        .map(str::trim)
        .any(|tag| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag).trim_matches('"') == bare)
}

impl Scim {
    /// Answers a directory, and counts that.
    pub async fn answer(&self, directory: &Directory, ask: &Ask<'_>) -> Result<Told, Refusal> {
        let told = self.route(directory, ask).await;
        let status = told.as_ref().map_or_else(|refusal| refusal.status, |told| told.status);
        self.count(ask.path, status);
        told
    }

    /// Counts an answer.
    pub fn count(&self, path: &[String], status: u16) {
        let resource = match path.first().map(String::as_str) {
            Some("Users") => "users",
            Some("Groups") => "groups",
            Some("Bulk") => "bulk",
            Some("Schemas" | "ResourceTypes" | "ServiceProviderConfig") => "discovery",
            Some(_) | None => "other",
        };
        let outcome = match status {
            0..400 => "done",
            400..500 => "refused",
            500.. => "failed",
        };
        let labels = [("resource", resource), ("outcome", outcome)];
        metrics::counter!("ralex_scim_requests_total", &labels).increment(1);
    }

    async fn route(&self, directory: &Directory, ask: &Ask<'_>) -> Result<Told, Refusal> {
        let path: Vec<&str> = ask.path.iter().map(String::as_str).collect();
        match (ask.method, path.as_slice()) {
            ("POST", ["Bulk"]) => self.bulk(directory, ask).await,
            ("POST", [".search"]) => self.search_all(directory, ask).await,
            (_, ["Me", ..]) => {
                let detail = "A token of a directory is nobody, so there is no `/Me`.";
                Err(Refusal::new(501, None, detail))
            }
            _ => self.simple(directory, ask).await,
        }
    }

    /// What also can stand in a bulk request, and all that is only read.
    pub(crate) async fn simple(
        &self,
        directory: &Directory,
        ask: &Ask<'_>,
    ) -> Result<Told, Refusal> {
        let path: Vec<&str> = ask.path.iter().map(String::as_str).collect();
        match (ask.method, path.as_slice()) {
            ("GET", ["ServiceProviderConfig"]) => Ok(Told::body(discovery::config(ask.base))),
            ("GET", ["Schemas"]) => discovery::schemas(ask.base, None),
            ("GET", ["Schemas", id]) => discovery::schemas(ask.base, Some(id)),
            ("GET", ["ResourceTypes"]) => discovery::types(ask.base, None),
            ("GET", ["ResourceTypes", name]) => discovery::types(ask.base, Some(name)),
            ("GET", ["Users"]) => {
                let search = Search::of_query(ask.query)?;
                self.list_users(directory, &search, ask).await
            }
            ("POST", ["Users", ".search"]) => {
                let search = Search::of_body(ask.body()?)?;
                self.list_users(directory, &search, ask).await
            }
            ("POST", ["Users"]) => Box::pin(self.create_user(directory, ask)).await,
            ("GET", ["Users", id]) => self.find_user(directory, id, ask).await,
            ("PUT", ["Users", id]) => Box::pin(self.replace_user(directory, id, ask)).await,
            ("PATCH", ["Users", id]) => Box::pin(self.patch_user(directory, id, ask)).await,
            ("DELETE", ["Users", id]) => Box::pin(self.delete_user(directory, id, ask)).await,
            _ => self.about_groups(directory, ask, &path).await,
        }
    }

    async fn about_groups(
        &self,
        directory: &Directory,
        ask: &Ask<'_>,
        path: &[&str],
    ) -> Result<Told, Refusal> {
        match (ask.method, path) {
            ("GET", ["Groups"]) => {
                let search = Search::of_query(ask.query)?;
                self.list_groups(directory, &search, ask).await
            }
            ("POST", ["Groups", ".search"]) => {
                let search = Search::of_body(ask.body()?)?;
                self.list_groups(directory, &search, ask).await
            }
            ("POST", ["Groups"]) => Box::pin(self.create_group(directory, ask)).await,
            ("GET", ["Groups", id]) => self.find_group(directory, id, ask).await,
            ("PUT", ["Groups", id]) => Box::pin(self.replace_group(directory, id, ask)).await,
            ("PATCH", ["Groups", id]) => Box::pin(self.patch_group(directory, id, ask)).await,
            ("DELETE", ["Groups", id]) => Box::pin(self.delete_group(directory, id, ask)).await,
            (
                _,
                ["Users" | "Groups" | "Schemas" | "ResourceTypes", _]
                | [
                    "Users"
                    | "Groups"
                    | "Schemas"
                    | "ResourceTypes"
                    | "ServiceProviderConfig"
                    | "Bulk"
                    | ".search",
                ],
            ) => {
                let detail = format!("{} does nothing here.", ask.method);
                Err(Refusal::new(405, None, detail))
            }
            _ => Err(Refusal::not_found("endpoint")),
        }
    }

    /// Users and groups together, first the former. Of a type that has not what the filter names there
    /// is none.
    async fn search_all(&self, directory: &Directory, ask: &Ask<'_>) -> Result<Told, Refusal> {
        let search = Search::of_body(ask.body()?)?;
        let fits = |of| search.filter.as_ref().is_none_or(|it| matches::check(of, it).is_ok());
        let (users, groups) = (fits(&USERS), fits(&GROUPS));
        if let Some(filter) = search.filter.as_ref().filter(|_| !users && !groups) {
            matches::check(&USERS, filter)?;
        }
        let mut all = Vec::new();
        if users {
            all.extend(self.matching_users(directory, &search, ask).await?);
        }
        if groups {
            all.extend(self.matching_groups(directory, &search, ask).await?);
        }
        Ok(search.page(all))
    }
}
