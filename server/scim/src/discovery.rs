//! Discovery: what this server can do, as RFC 7643 sections 5 to 7 have it told.

use serde_json::{Value, json};

use crate::bulk::MOST_OPERATIONS;
use crate::schema::{GROUPS, SCHEMAS, USERS};
use crate::search::MOST_RESULTS;
use crate::serve::Told;
use crate::{LARGEST_BODY, Refusal};

pub(crate) fn config(base: &str) -> Value {
    json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig"],
        "patch": { "supported": true },
        "bulk": {
            "supported": true, "maxOperations": MOST_OPERATIONS, "maxPayloadSize": LARGEST_BODY,
        },
        "filter": { "supported": true, "maxResults": MOST_RESULTS },
        "changePassword": { "supported": false },
        "sort": { "supported": false },
        "etag": { "supported": true },
        "authenticationSchemes": [{
            "type": "oauthbearertoken", "name": "Bearer token", "primary": true,
            "description": "A token of the organisation's provisioning (rlx_scim_…)",
        }],
        "meta": {
            "resourceType": "ServiceProviderConfig",
            "location": format!("{base}/ServiceProviderConfig"),
        },
    })
}

/// All schemas, or the one of a name.
pub(crate) fn schemas(base: &str, one: Option<&str>) -> Result<Told, Refusal> {
    let told = |it: &&crate::schema::Schema| it.told(base);
    let Some(id) = one else { return Ok(list(SCHEMAS.iter().map(told).collect())) };
    let found = SCHEMAS.iter().find(|it| it.id.eq_ignore_ascii_case(id)).map(told);
    found.map(Told::body).ok_or_else(|| Refusal::not_found("schema"))
}

/// All types of resources, or the one of a name.
pub(crate) fn types(base: &str, one: Option<&str>) -> Result<Told, Refusal> {
    let all = [&USERS, &GROUPS];
    let Some(name) = one else {
        return Ok(list(all.iter().map(|it| it.told(base)).collect()));
    };
    let found = all.iter().find(|it| it.name == name).map(|it| it.told(base));
    found.map(Told::body).ok_or_else(|| Refusal::not_found("type of resource"))
}

fn list(all: Vec<Value>) -> Told {
    Told::body(json!({
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:ListResponse"],
        "totalResults": all.len(), "startIndex": 1, "itemsPerPage": all.len(),
        "Resources": all,
    }))
}
