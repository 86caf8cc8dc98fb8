//! Searches: which resources a client wants, which page of them, and what of each.
//!
//! What clients ask all day is found by an index. Any other filter is asked of each resource, of which no
//! more are read than [`MOST_READ`]: an organisation with more is told so, and not made to wait.

use ralex_kernel::{GroupId, UserId};
use serde_json::{Value, json};

use crate::Refusal;
use crate::filter::{self, Filter, Op};
use crate::matches;
use crate::names::{Named, resolve};
use crate::patch::field;
use crate::project::Projection;
use crate::resource::Object;
use crate::schema::ResourceType;
use crate::serve::Told;
use crate::sql::{group, user};

/// On one page.
pub(crate) const MOST_RESULTS: i64 = 200;
const USUAL_RESULTS: i64 = 100;
/// Of which a filter is asked that no index answers.
pub(crate) const MOST_READ: i64 = 2_000;

#[derive(Clone, Debug)]
pub(crate) struct Search {
    pub filter: Option<Filter>,
    /// From 1.
    pub start: i64,
    pub count: i64,
    pub projection: Projection,
}

impl Search {
    /// Of the parameters of a query.
    pub fn of_query(query: &[(String, String)]) -> Result<Self, Refusal> {
        let text = |name: &str| {
            let found = query.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
            found.map(|(_, value)| value.as_str())
        };
        let number = |name: &'static str| {
            let wrong = |_| Refusal::value(format!("`{name}` must be a whole number."));
            text(name).map(|it| it.trim().parse::<i64>().map_err(wrong)).transpose()
        };
        let projection = Projection::read(text("attributes"), text("excludedAttributes"))?;
        Self::of(text("filter"), (number("startIndex")?, number("count")?), projection)
    }

    /// Of the body of a search that is posted.
    pub fn of_body(body: &Value) -> Result<Self, Refusal> {
        let names = |name: &str| match field(body, name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Array(names)) => {
                let names: Vec<_> = names.iter().filter_map(Value::as_str).collect();
                Ok(Some(names.join(",")).filter(|it| !it.is_empty()))
            }
            Some(_) => Err(Refusal::value(format!("`{name}` must be a list of texts."))),
        };
        let (only, without) = (names("attributes")?, names("excludedAttributes")?);
        let projection = Projection::read(only.as_deref(), without.as_deref())?;
        let number = |name: &str| field(body, name).and_then(Value::as_i64);
        let filter = field(body, "filter").and_then(Value::as_str);
        Self::of(filter, (number("startIndex"), number("count")), projection)
    }

    fn of(
        text: Option<&str>,
        (start, count): (Option<i64>, Option<i64>),
        projection: Projection,
    ) -> Result<Self, Refusal> {
        let text = text.map(str::trim).filter(|it| !it.is_empty());
        let filter = text.map(filter::filter).transpose();
        let filter =
            filter.map_err(|why| Refusal::filter(format!("The filter cannot be read {why}.")))?;
        Ok(Self {
            filter,
            start: start.unwrap_or(1).max(1),
            count: count.unwrap_or(USUAL_RESULTS).clamp(0, MOST_RESULTS),
            projection,
        })
    }

    /// The page of what was found in memory.
    pub fn page(&self, all: Vec<Object>) -> Told {
        let total = all.len();
        let skipped = usize::try_from(self.start - 1).unwrap_or(usize::MAX);
        let count = usize::try_from(self.count).unwrap_or(usize::MAX);
        let page = all.into_iter().skip(skipped).take(count).collect();
        self.told(i64::try_from(total).unwrap_or(i64::MAX), page)
    }

    pub fn told(&self, total: i64, page: Vec<Object>) -> Told {
        let page: Vec<_> = page.into_iter().map(Value::Object).collect();
        Told::body(json!({
            "schemas": ["urn:ietf:params:scim:api:messages:2.0:ListResponse"],
            "totalResults": total, "startIndex": self.start, "itemsPerPage": page.len(),
            "Resources": page,
        }))
    }

    /// Keeps what the filter asks for.
    pub fn keep(&self, of: &'static ResourceType, all: &mut Vec<Object>) {
        if let Some(filter) = &self.filter {
            all.retain(|object| matches::matches(of, object, filter));
        }
    }

    /// Which users are meant, where an index finds them; nothing where each has to be asked.
    pub fn users(&self) -> Option<user::Which> {
        let Some(filter) = &self.filter else { return Some(user::Which::default()) };
        let (name, text) = equality(&crate::schema::USERS, filter)?;
        let mut which = user::Which::default();
        match name {
            // What is no identifier is that of nobody.
            "id" => which.id = Some(text.parse().unwrap_or_else(|_| UserId::generate())),
            "userName" => which.user_name_key = Some(text.to_lowercase()),
            "externalId" => which.external_id = Some(text.to_owned()),
            _ => return None,
        }
        Some(which)
    }

    /// Which groups are meant, likewise.
    pub fn groups(&self) -> Option<group::Which> {
        let Some(filter) = &self.filter else { return Some(group::Which::default()) };
        let (name, text) = equality(&crate::schema::GROUPS, filter)?;
        let mut which = group::Which::default();
        match name {
            "id" => which.id = Some(text.parse().unwrap_or_else(|_| GroupId::generate())),
            "displayName" => which.name_key = Some(text.to_lowercase()),
            "externalId" => which.external_id = Some(text.to_owned()),
            "members" => which.member = Some(text.parse().unwrap_or_else(|_| UserId::generate())),
            _ => return None,
        }
        Some(which)
    }
}

/// The one attribute that a filter compares with a text: of a value with parts, its identifier.
fn equality<'a>(of: &'static ResourceType, filter: &'a Filter) -> Option<(&'static str, &'a str)> {
    let Filter::Compare(path, Op::Eq, Value::String(text)) = filter else { return None };
    let Some(Named::Attribute(place)) = resolve(of, &path.name) else { return None };
    // The database takes no text with this character in it.
    let plain = !text.contains('\0')
        && path.within.is_none()
        && place.extension.is_none()
        && place.part.is_none_or(|part| part.name == "value");
    plain.then_some((place.attribute.name, text))
}

pub(crate) fn too_many() -> Refusal {
    Refusal::too_many(format!(
        "This filter would have to be asked of more than {MOST_READ} resources. Ask by `id`, \
         `userName`, `displayName`, `externalId` or `members.value`, compared by `eq` alone."
    ))
}
