//! What an answer shows of a resource.

use serde_json::{Value, json};

use crate::project::Projection;
use crate::schema::{GROUPS, USERS};

fn shown(only: Option<&str>, without: Option<&str>) -> Value {
    let whole = json!({
        "id": "1", "schemas": [], "userName": "ann", "title": "CEO",
        "name": { "givenName": "Ann", "familyName": "Lee" },
        "emails": [{ "value": "a@x", "type": "work" }, { "value": "b@x" }],
        "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": { "department": "Sales" },
        "meta": { "version": "1" },
    });
    let mut object = whole.as_object().cloned().unwrap();
    Projection::read(only, without).unwrap().apply(&USERS, &mut object);
    Value::Object(object)
}

#[test]
fn only_what_is_asked_for_is_shown_and_what_always_is() {
    let core = "urn:ietf:params:scim:schemas:core:2.0:User";
    let some = shown(Some("USERNAME, name.givenName,emails.value"), None);
    let wanted = json!({
        "id": "1", "schemas": [core], "userName": "ann", "name": { "givenName": "Ann" },
        "emails": [{ "value": "a@x" }, { "value": "b@x" }],
    });
    assert_eq!(some, wanted);
    let rest = shown(None, Some("id,emails,name.givenName,meta,title"));
    assert_eq!((&rest["id"], rest.get("emails"), rest.get("meta")), (&json!("1"), None, None));
    assert_eq!(rest["name"], json!({ "familyName": "Lee" }));
    assert_eq!(rest["schemas"].as_array().unwrap().len(), 2);
    assert!(Projection::read(Some("a"), Some("b")).is_err());
}

#[test]
fn members_are_not_read_where_they_are_not_shown() {
    let without = Projection::read(None, Some("members")).unwrap();
    assert!(!without.shows(&GROUPS, "members"));
    let only = Projection::read(Some("displayName"), None).unwrap();
    assert!(!only.shows(&GROUPS, "members"));
    assert!(Projection::default().shows(&GROUPS, "members"));
}
