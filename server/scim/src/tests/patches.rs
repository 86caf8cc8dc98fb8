//! Patches in the ways of Okta and Entra, and nonsense.

use proptest::prelude::*;
use serde_json::{Value, json};

use crate::patch::apply;
use crate::resource::{Object, read};
use crate::schema::{GROUPS, ResourceType, USERS};

const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";

fn ann() -> Object {
    let body = json!({
        "userName": "ann", "active": true, "displayName": "Ann",
        "emails": [{ "value": "a@x.example", "type": "work", "primary": true }],
    });
    read(&USERS, &body).unwrap()
}

fn patched(of: &'static ResourceType, before: &Object, operation: Value) -> Value {
    let body = json!({ "Operations": [operation] });
    match apply(of, before, &body) {
        Ok(after) => Value::Object(after),
        Err(refusal) => json!(refusal.kind),
    }
}

fn user(operation: Value) -> Value {
    patched(&USERS, &ann(), operation)
}

#[test]
fn somebody_is_deactivated_in_every_form_that_directories_write() {
    for operation in [
        json!({ "op": "replace", "path": "active", "value": false }),
        json!({ "op": "Replace", "path": "active", "value": "False" }),
        json!({ "op": "replace", "value": { "active": false } }),
        json!({ "op": "Add", "value": { "Active": "false" } }),
        json!({ "OP": "add", "PATH": "urn:ietf:params:scim:schemas:core:2.0:User:active",
                "VALUE": false }),
    ] {
        assert_eq!(user(operation.clone())["active"], json!(false), "{operation}");
    }
}

#[test]
fn a_path_changes_what_it_names() {
    let work = |value: Value| user(value)["emails"][0]["value"].clone();
    let replaced =
        json!({ "op": "replace", "path": "emails[type eq \"work\"].value", "value": "b@x" });
    assert_eq!(work(replaced), "b@x");
    let keyed = json!({ "op": "replace", "value": { "emails[type eq \"work\"].value": "c@x" } });
    assert_eq!(work(keyed), "c@x");
    let home = json!({ "op": "Add", "path": "emails[type eq \"home\"].value", "value": "h@x" });
    let both = user(home);
    assert_eq!(both["emails"][1], json!({ "type": "home", "value": "h@x" }));
    let dotted = json!({ "op": "replace", "value": { "name.givenName": "Ann", "title": "CEO" } });
    let dotted = user(dotted);
    assert_eq!((&dotted["name"]["givenName"], &dotted["title"]), (&json!("Ann"), &json!("CEO")));
    let path = format!("{ENTERPRISE}:manager");
    let managed = user(json!({ "op": "Add", "path": path, "value": "m1" }));
    assert_eq!(managed[ENTERPRISE]["manager"]["value"], "m1");
    let keys = json!({ format!("{ENTERPRISE}:department"): "Sales" });
    let kept = user(json!({ "op": "add", "value": keys }));
    assert_eq!(kept[ENTERPRISE]["department"], "Sales");
    let primary = json!({ "op": "add", "path": "emails",
                          "value": [{ "value": "n@x", "primary": true }] });
    let primary = user(primary);
    assert_eq!(primary["emails"][0]["primary"], false, "{primary}");
    let gone = user(json!({ "op": "remove", "path": "emails[type eq \"work\"]" }));
    assert_eq!(gone.get("emails"), None);
}

#[test]
fn people_join_and_leave_groups_as_okta_and_entra_write_it() {
    let before = read(&GROUPS, &json!({ "displayName": "G", "members": [{ "value": "1" }] }));
    let before = before.unwrap();
    let members = |operation: Value| {
        let after = patched(&GROUPS, &before, operation);
        let all = after["members"].as_array().cloned().unwrap_or_default();
        all.iter().map(|it| it["value"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let two = json!([{ "value": "1" }, { "value": "2" }]);
    assert_eq!(members(json!({ "op": "Add", "path": "members", "value": two })), ["1", "2"]);
    assert_eq!(members(json!({ "op": "replace", "path": "members", "value": two })), ["1", "2"]);
    let none: [&str; 0] = [];
    let entra = json!({ "op": "Remove", "path": "members", "value": [{ "value": "1" }] });
    assert_eq!(members(entra), none);
    let other = json!({ "op": "Remove", "path": "members", "value": [{ "value": "9" }] });
    assert_eq!(members(other), ["1"]);
    assert_eq!(members(json!({ "op": "remove", "path": "members[value eq \"1\"]" })), none);
    assert_eq!(members(json!({ "op": "remove", "path": "members[value eq \"9\"]" })), ["1"]);
    assert_eq!(members(json!({ "op": "remove", "path": "members" })), none);
}

#[test]
fn a_wrong_step_is_refused_by_its_name() {
    for (operation, kind) in [
        (json!({ "op": "remove" }), "noTarget"),
        (json!({ "op": "move", "path": "title" }), "invalidSyntax"),
        (json!({ "op": "add", "path": "shoeSize", "value": 1 }), "invalidPath"),
        (json!({ "op": "add", "path": "emails[", "value": 1 }), "invalidPath"),
        (json!({ "op": "add", "path": "id", "value": "x" }), "mutability"),
        (json!({ "op": "add", "path": "groups", "value": [] }), "mutability"),
        (json!({ "op": "remove", "path": "userName" }), "mutability"),
        (json!({ "op": "remove", "path": "active" }), "mutability"),
        (json!({ "op": "add", "path": "active", "value": "maybe" }), "invalidValue"),
        (json!({ "op": "add", "value": "x" }), "invalidValue"),
        (
            json!({ "op": "replace", "path": "emails[type ne \"work\"].value", "value": "x" }),
            "noTarget",
        ),
    ] {
        assert_eq!(user(operation.clone()), json!(kind), "{operation}");
    }
    let unknown = user(json!({ "op": "add", "value": { "shoeSize": 1, "id": "x" } }));
    assert_eq!(unknown, Value::Object(ann()), "what is unknown in a value is ignored");
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
        prop::sample::select(["True", "work", "members", "value"].as_slice()).prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        let key = prop_oneof![
            ".{0,8}",
            prop::sample::select(
                [
                    "emails",
                    "value",
                    "type",
                    "primary",
                    "name",
                    "active",
                    "userName",
                    "members",
                    "emails[type eq \"work\"].value",
                    "name.givenName"
                ]
                .as_slice()
            )
            .prop_map(str::to_owned),
        ];
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((key, inner), 0..4)
                .prop_map(|all| Value::Object(all.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn no_body_makes_reading_panic_and_what_is_read_reads_the_same(body in any_json()) {
        for of in [&USERS, &GROUPS] {
            if let Ok(object) = read(of, &body) {
                prop_assert_eq!(read(of, &Value::Object(object.clone())).unwrap(), object);
            }
        }
    }

    #[test]
    fn no_patch_panics_and_each_leaves_a_resource(
        op in prop::sample::select(["add", "Replace", "remove"].as_slice()),
        path in prop::option::of(prop_oneof![
            ".{0,20}",
            prop::sample::select(
                ["emails", "emails.value", "emails[type eq \"work\"]", "emails[value pr].type",
                 "name", "name.givenName", "active", "displayName",
                 "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User",
                 "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager.value"].as_slice()
            ).prop_map(str::to_owned),
        ]),
        value in any_json(),
    ) {
        let body = json!({ "Operations": [{ "op": op, "path": path, "value": value }] });
        if let Ok(after) = apply(&USERS, &ann(), &body) {
            prop_assert_eq!(read(&USERS, &Value::Object(after.clone())), Ok(after));
        }
    }
}
