//! Schemas: which attributes users and groups have here, after RFC 7643.
//!
//! One table for all: what is told at `/Schemas`, how bodies are read, what filters and patches can name,
//! and what an answer shows follow from it, so that none of these knows an attribute that another does not.

use serde_json::{Value, json};

pub(crate) const USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
pub(crate) const GROUP: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";
pub(crate) const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";

/// What an attribute holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Text,
    Boolean,
    Time,
    /// To resources of these types.
    Reference(&'static [&'static str]),
    Complex(&'static [Attribute]),
}

/// One attribute, or a part of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "as RFC 7643 section 7 describes attributes")]
pub(crate) struct Attribute {
    pub name: &'static str,
    pub kind: Kind,
    pub many: bool,
    pub required: bool,
    pub exact: bool,
    pub mutability: &'static str,
    pub returned: &'static str,
    pub unique: bool,
    pub words: &'static [&'static str],
    pub about: &'static str,
}

/// A named set of attributes.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Schema {
    pub id: &'static str,
    pub name: &'static str,
    pub about: &'static str,
    pub attributes: &'static [Attribute],
}

/// What there is at an endpoint.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct ResourceType {
    pub name: &'static str,
    pub endpoint: &'static str,
    pub core: &'static Schema,
    pub extension: Option<&'static Schema>,
}

const fn text(name: &'static str, about: &'static str) -> Attribute {
    Attribute {
        name,
        kind: Kind::Text,
        many: false,
        required: false,
        exact: false,
        mutability: "readWrite",
        returned: "default",
        unique: false,
        words: &[],
        about,
    }
}

const fn flag(name: &'static str, about: &'static str) -> Attribute {
    Attribute { kind: Kind::Boolean, ..text(name, about) }
}

const fn parts(name: &'static str, about: &'static str, parts: &'static [Attribute]) -> Attribute {
    Attribute { kind: Kind::Complex(parts), ..text(name, about) }
}

impl Attribute {
    const fn many(self) -> Self {
        Self { many: true, ..self }
    }

    const fn required(self) -> Self {
        Self { required: true, ..self }
    }

    const fn exact(self) -> Self {
        Self { exact: true, ..self }
    }

    const fn unique(self) -> Self {
        Self { unique: true, ..self }
    }

    const fn read_only(self) -> Self {
        Self { mutability: "readOnly", ..self }
    }

    const fn immutable(self) -> Self {
        Self { mutability: "immutable", ..self }
    }

    const fn always(self) -> Self {
        Self { returned: "always", ..self }
    }

    const fn to(self, types: &'static [&'static str]) -> Self {
        Self { kind: Kind::Reference(types), exact: true, ..self }
    }

    const fn words(self, words: &'static [&'static str]) -> Self {
        Self { words, ..self }
    }

    pub const fn is_read_only(&self) -> bool {
        matches!(self.mutability.as_bytes(), b"readOnly")
    }

    /// The parts of what has any.
    pub const fn parts(&self) -> &'static [Attribute] {
        match self.kind {
            Kind::Complex(parts) => parts,
            Kind::Text | Kind::Boolean | Kind::Time | Kind::Reference(_) => &[],
        }
    }

    fn told(&self) -> Value {
        let kind = match self.kind {
            Kind::Text => "string",
            Kind::Boolean => "boolean",
            Kind::Time => "dateTime",
            Kind::Reference(_) => "reference",
            Kind::Complex(_) => "complex",
        };
        let mut told = json!({
            "name": self.name, "type": kind, "multiValued": self.many,
            "description": self.about, "required": self.required,
            "mutability": self.mutability, "returned": self.returned,
        });
        if matches!(self.kind, Kind::Text | Kind::Reference(_)) {
            told["caseExact"] = json!(self.exact);
            told["uniqueness"] = json!(if self.unique { "server" } else { "none" });
        }
        if let Kind::Reference(types) = self.kind {
            told["referenceTypes"] = json!(types);
        }
        if !self.words.is_empty() {
            told["canonicalValues"] = json!(self.words);
        }
        if let Kind::Complex(parts) = self.kind {
            told["subAttributes"] = parts.iter().map(Self::told).collect();
        }
        told
    }
}

impl Schema {
    pub fn told(&self, base: &str) -> Value {
        let attributes: Value = self.attributes.iter().map(Attribute::told).collect();
        json!({
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Schema"],
            "id": self.id, "name": self.name, "description": self.about,
            "attributes": attributes,
            "meta": { "resourceType": "Schema", "location": format!("{base}/Schemas/{}", self.id) },
        })
    }
}

impl ResourceType {
    pub fn told(&self, base: &str) -> Value {
        let extensions = self.extension.map(|it| json!({ "schema": it.id, "required": false }));
        let extensions: Vec<_> = extensions.into_iter().collect();
        json!({
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:ResourceType"],
            "id": self.name, "name": self.name, "endpoint": self.endpoint,
            "description": self.core.about, "schema": self.core.id,
            "schemaExtensions": extensions,
            "meta": {
                "resourceType": "ResourceType",
                "location": format!("{base}/ResourceTypes/{}", self.name),
            },
        })
    }
}

pub(crate) static SCHEMAS: [&Schema; 3] = [&USER_SCHEMA, &GROUP_SCHEMA, &ENTERPRISE_SCHEMA];

pub(crate) static USERS: ResourceType = ResourceType {
    name: "User",
    endpoint: "/Users",
    core: &USER_SCHEMA,
    extension: Some(&ENTERPRISE_SCHEMA),
};

pub(crate) static GROUPS: ResourceType =
    ResourceType { name: "Group", endpoint: "/Groups", core: &GROUP_SCHEMA, extension: None };

/// What every resource has beside its schemas' attributes.
pub(crate) static COMMON: [Attribute; 4] = [
    text("id", "The identifier that this server gave.").exact().read_only().always(),
    text("externalId", "The identifier that the directory gave.").exact(),
    text("schemas", "The schemas of the resource.").exact().many().read_only().always(),
    parts("meta", "About the resource.", &META).read_only(),
];

static META: [Attribute; 5] = [
    text("resourceType", "Its type.").exact().read_only(),
    Attribute { kind: Kind::Time, ..text("created", "When it was made.") }.read_only(),
    Attribute { kind: Kind::Time, ..text("lastModified", "When it changed last.") }.read_only(),
    text("location", "Where it is.").exact().read_only(),
    text("version", "What `If-Match` takes.").exact().read_only(),
];

static USER_SCHEMA: Schema = Schema {
    id: USER,
    name: "User",
    about: "A member of the organisation",
    attributes: &[
        text("userName", "What the person logs in with at their directory.").required().unique(),
        parts("name", "The parts of the person's name.", &NAME),
        text("displayName", "The name that others read."),
        text("nickName", "What the person is called."),
        text("title", "The person's position."),
        text("userType", "How the person belongs to the organisation."),
        text("preferredLanguage", "The language that the person prefers."),
        text("locale", "How numbers and dates are written for the person."),
        text("timezone", "The person's time zone."),
        flag("active", "Whether the organisation is open to the person.").required(),
        parts("emails", "Addresses; the primary one is the account's when it is made.", &EMAIL)
            .many()
            .required(),
        parts("phoneNumbers", "Telephone numbers.", &PHONE).many(),
        parts("addresses", "Postal addresses.", &ADDRESS).many(),
        parts("groups", "The provisioned groups that the person is in.", &GROUPS_OF)
            .many()
            .read_only(),
    ],
};

static NAME: [Attribute; 6] = [
    text("formatted", "The whole name."),
    text("familyName", "The family name."),
    text("givenName", "The given name."),
    text("middleName", "The middle names."),
    text("honorificPrefix", "What comes before the name."),
    text("honorificSuffix", "What comes after the name."),
];

const KINDS: &[&str] = &["work", "home", "other"];

static EMAIL: [Attribute; 4] = [
    text("value", "The address.").required(),
    text("display", "How it is shown."),
    text("type", "What it is for.").words(KINDS),
    flag("primary", "Whether it is the preferred one; at most one is."),
];

static PHONE: [Attribute; 4] = [
    text("value", "The number."),
    text("display", "How it is shown."),
    text("type", "What it is for.").words(&["work", "home", "mobile", "fax", "pager", "other"]),
    flag("primary", "Whether it is the preferred one; at most one is."),
];

static ADDRESS: [Attribute; 8] = [
    text("formatted", "The whole address."),
    text("streetAddress", "Street and number."),
    text("locality", "The town."),
    text("region", "The state or region."),
    text("postalCode", "The postal code."),
    text("country", "The country."),
    text("type", "What it is for.").words(KINDS),
    flag("primary", "Whether it is the preferred one; at most one is."),
];

static GROUPS_OF: [Attribute; 4] = [
    text("value", "The group's identifier.").exact().read_only(),
    text("$ref", "Where the group is.").to(&["Group"]).read_only(),
    text("display", "The group's name.").read_only(),
    text("type", "How the person belongs to it.").words(&["direct"]).read_only(),
];

static GROUP_SCHEMA: Schema = Schema {
    id: GROUP,
    name: "Group",
    about: "A group whose people the directory decides about",
    attributes: &[
        text("displayName", "The group's name.").required().unique(),
        parts("members", "The people of the group.", &MEMBER).many(),
    ],
};

static MEMBER: [Attribute; 3] = [
    text("value", "The user's identifier.").exact().immutable(),
    text("$ref", "Where the user is.").to(&["User"]).immutable(),
    text("type", "What the member is.").words(&["User"]).immutable(),
];

static ENTERPRISE_SCHEMA: Schema = Schema {
    id: ENTERPRISE,
    name: "EnterpriseUser",
    about: "What an enterprise knows of a person",
    attributes: &[
        text("employeeNumber", "The number that the employer gave."),
        text("costCenter", "The cost center."),
        text("organization", "The organisation."),
        text("division", "The division."),
        text("department", "The department."),
        parts("manager", "Whom the person reports to.", &MANAGER),
    ],
};

static MANAGER: [Attribute; 2] = [
    text("value", "The manager's identifier."),
    text("displayName", "The manager's name.").read_only(),
];
