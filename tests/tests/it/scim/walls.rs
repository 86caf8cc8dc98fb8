//! Who may speak for a directory, and that it reaches its own organisation only.

use ralex_tests::app::{Client, text};
use reqwest::Method;
use serde_json::{Value, json};

use super::Directory;
use crate::sso::World;

/// Every operation of the protocol.
const OPERATIONS: [(&str, &str); 25] = [
    ("GET", "/ServiceProviderConfig"),
    ("GET", "/Schemas"),
    ("GET", "/Schemas/urn:ietf:params:scim:schemas:core:2.0:User"),
    ("GET", "/ResourceTypes"),
    ("GET", "/ResourceTypes/User"),
    ("GET", "/Me"),
    ("POST", "/Bulk"),
    ("POST", "/.search"),
    ("GET", "/Users"),
    ("POST", "/Users"),
    ("POST", "/Users/.search"),
    ("GET", "/Users/{user}"),
    ("PUT", "/Users/{user}"),
    ("PATCH", "/Users/{user}"),
    ("DELETE", "/Users/{user}"),
    ("GET", "/Groups"),
    ("POST", "/Groups"),
    ("POST", "/Groups/.search"),
    ("GET", "/Groups/{group}"),
    ("PUT", "/Groups/{group}"),
    ("PATCH", "/Groups/{group}"),
    ("DELETE", "/Groups/{group}"),
    ("GET", ""),
    ("GET", "/nothing"),
    ("POST", "/Users/{user}"),
];

/// Asks everything as somebody who may not.
async fn refuses(client: &Client, org: &str, (user, group): (&str, &str), status: u16) {
    for (method, path) in OPERATIONS {
        let path = path.replace("{user}", user).replace("{group}", group);
        let path = format!("/scim/v2/{org}{path}");
        let method: Method = method.parse().unwrap();
        let body = Some(json!({ "userName": "x@example.com", "displayName": "x" }));
        let answer = client.send(method.clone(), &path, body.as_ref()).await;
        assert_eq!(answer.status, status, "{method} {path}: {answer:?}");
        Directory::refused(&answer, status, None);
    }
}

#[tokio::test]
async fn nobody_is_heard_but_by_a_living_token_of_this_very_organisation() {
    let world = World::new().await;
    let app = &world.app;
    let directory = Directory::of(app).await;
    let user = directory.user("ann@example.com").await;
    let group = directory.group("Sales", &[&user]).await;
    let ids = (user.as_str(), group.as_str());
    refuses(&app.anonymous(), "default", ids, 401).await;
    refuses(&app.owner, "default", ids, 401).await;
    refuses(&app.with(&app.token("red").await.secret), "default", ids, 401).await;
    refuses(&app.with("rlx_scim_x"), "default", ids, 401).await;
    refuses(&directory.0, "nowhere", ids, 401).await;
    let person = app.member("both@example.com", "owner", "org").await;
    let other = world.other_org(&person).await;
    refuses(&directory.0, &other, ids, 401).await;
    let made = app.owner.post("scim/tokens", &json!({ "name": "Old" })).await.ok();
    let old = app.with(&text(&made, "token"));
    assert_eq!(old.get("/scim/v2/default/Users").await.status, 200);
    // What a directory shows opens nothing else.
    assert_eq!(old.get("members").await.status, 401);
    app.owner.delete(&format!("scim/tokens/{}", text(&made, "id"))).await.ok();
    refuses(&old, "default", ids, 401).await;
    let off = json!({ "enabled": false });
    app.owner.send(Method::PUT, "scim", Some(&off)).await.ok();
    refuses(&directory.0, "default", ids, 403).await;
    let members = app.owner.get("groups/sales/members").await.ok();
    assert_eq!(members["items"][0]["user"]["id"], user.as_str(), "nothing was changed");
}

/// Answers without what differs by itself.
async fn told(directory: &Directory, method: &str, path: &str, body: Option<&Value>) -> Value {
    let answer = directory.ask(method, path, body).await;
    json!({ "status": answer.status, "body": if answer.status == 204 { Value::Null } else { answer.json() } })
}

#[tokio::test]
async fn whatever_belongs_to_another_organisation_is_as_if_it_were_not() {
    let world = World::new().await;
    let directory = Directory::of(&world.app).await;
    let person = world.app.member("both@example.com", "owner", "org").await;
    let other = world.other_org(&person).await;
    // The other organisation's directory has told of somebody, and of a group.
    let (user, group) = (uuid::Uuid::now_v7(), uuid::Uuid::now_v7());
    let sql = format!(
        "insert into app_user (id, email, email_key, name, provisioned_by)
         values ('{user}', 'b@other.example', 'b@other.example', 'B', '{other}');
         insert into membership (org_id, user_id) values ('{other}', '{user}');
         insert into scim_user (org_id, user_id, user_name, user_name_key, external_id, attributes)
         values ('{other}', '{user}', 'b', 'b', 'x1', '{{\"userName\":\"b\"}}');
         insert into people_group (org_id, id, slug, name, created_by)
         values ('{other}', '{group}', 'b', 'B', 'system');
         insert into scim_group (org_id, group_id, name_key) values ('{other}', '{group}', 'b');
         insert into group_member (org_id, group_id, user_id, added_by)
         values ('{other}', '{group}', '{user}', 'system');"
    );
    world.app.database.execute(&sql).await;
    let unknown = uuid::Uuid::now_v7();
    let whole = json!({ "userName": "x@example.com", "displayName": "X" });
    let patch = json!({ "Operations": [{ "op": "add", "path": "externalId", "value": "1" }] });
    for (kind, id) in [("Users", user), ("Groups", group), ("Users", group), ("Groups", user)] {
        for (method, body) in
            [("GET", None), ("PUT", Some(&whole)), ("PATCH", Some(&patch)), ("DELETE", None)]
        {
            let theirs = told(&directory, method, &format!("/{kind}/{id}"), body).await;
            let nobodys = told(&directory, method, &format!("/{kind}/{unknown}"), body).await;
            assert_eq!(theirs, nobodys, "{method} {kind}");
            assert_eq!(theirs["status"], 404);
        }
    }
    let none = async |path: String| {
        assert_eq!(directory.get(&path).await.json()["totalResults"], 0, "{path}");
    };
    none(format!("/Users?filter=id+eq+%22{user}%22")).await;
    none("/Users?filter=externalId+eq+%22x1%22".to_owned()).await;
    none("/Users?filter=userName+pr".to_owned()).await;
    none(format!("/Groups?filter=members.value+eq+%22{user}%22")).await;
    let made = json!({ "displayName": "Mine", "members": [{ "value": user }] });
    let made = directory.ask("POST", "/Groups", Some(&made)).await.json();
    assert_eq!(made.get("members"), None, "{made}");
    let taken = json!({ "userName": "b@other.example" });
    let taken = directory.ask("POST", "/Users", Some(&taken)).await;
    Directory::refused(&taken, 409, Some("uniqueness"));
    let free =
        json!({ "userName": "b", "externalId": "x1", "emails": [{ "value": "c@example.com" }] });
    assert_eq!(directory.ask("POST", "/Users", Some(&free)).await.status, 201, "names are its own");
}
