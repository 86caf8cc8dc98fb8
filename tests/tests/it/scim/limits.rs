//! Bulk requests, pages, and what is too much or makes no sense.

use ralex_tests::app::{App, text};
use serde_json::{Value, json};

use super::Directory;

fn operation(method: &str, path: &str, name: &str, data: &Value) -> Value {
    json!({ "method": method, "path": path, "bulkId": name, "data": data })
}

async fn bulk(directory: &Directory, operations: &[Value], most: u64) -> Vec<Value> {
    let body = json!({
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"],
        "failOnErrors": most, "Operations": operations,
    });
    let answer = directory.ask("POST", "/Bulk", Some(&body)).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()["Operations"].as_array().unwrap().clone()
}

fn statuses(done: &[Value]) -> Vec<String> {
    done.iter().map(|it| text(it, "status")).collect()
}

#[tokio::test]
async fn a_bulk_request_makes_people_and_their_group_in_whatever_order_they_stand() {
    let app = App::start().await;
    let directory = Directory::of(&app).await;
    let group = json!({ "displayName": "All", "members": [{ "value": "bulkId:a" },
                                                            { "value": "bulkId:b" }] });
    let user = |name: &str| json!({ "userName": format!("{name}@example.com") });
    let all = [
        operation("POST", "/Groups", "g", &group),
        operation("POST", "/Users", "a", &user("a")),
        operation("POST", "/Users", "b", &user("b")),
        operation("POST", "/Users", "bad", &json!({ "userName": "no address" })),
        operation(
            "PATCH",
            "/Users/bulkId:a",
            "",
            &json!({
            "Operations": [{ "op": "add", "path": "title", "value": "CEO" }] }),
        ),
        operation("DELETE", "/Users/bulkId:nobody", "", &Value::Null),
        operation("GET", "/Users", "x", &Value::Null),
    ];
    let done = bulk(&directory, &all, 0).await;
    assert_eq!(statuses(&done), ["201", "201", "201", "400", "200", "400", "400"], "{done:?}");
    assert_eq!((&done[1]["bulkId"], &done[1]["version"]), (&json!("a"), &json!("W/\"1\"")));
    assert_eq!(done[3]["response"]["scimType"], "invalidValue");
    let groups = directory.get("/Groups").await.json();
    assert_eq!(groups["Resources"][0]["members"].as_array().unwrap().len(), 2);
    let circle = [
        operation("POST", "/Users", "p", &json!({ "userName": "bulkId:q" })),
        operation("POST", "/Users", "q", &json!({ "userName": "bulkId:p" })),
    ];
    assert_eq!(statuses(&bulk(&directory, &circle, 0).await), ["400", "400"]);
}

#[tokio::test]
async fn a_bulk_request_stops_at_its_errors_and_at_its_limits() {
    let app = App::start().await;
    let directory = Directory::of(&app).await;
    let bad = |name: &str| operation("POST", "/Users", name, &json!({ "userName": "x" }));
    let good = operation("POST", "/Users", "d", &json!({ "userName": "d@example.com" }));
    let done = bulk(&directory, &[bad("a"), bad("b"), bad("c"), good], 2).await;
    assert_eq!(statuses(&done), ["400", "400"]);
    assert_eq!(directory.get("/Users").await.json()["totalResults"], 0);
    let many: Vec<_> = (0..501).map(|at| bad(&at.to_string())).collect();
    let many = json!({ "Operations": many });
    Directory::refused(&directory.ask("POST", "/Bulk", Some(&many)).await, 413, Some("tooLarge"));
    let long = json!({ "userName": "l@example.com", "displayName": "x".repeat(1_100_000) });
    let long = directory.ask("POST", "/Users", Some(&long)).await;
    Directory::refused(&long, 413, Some("tooLarge"));
}

#[tokio::test]
async fn lists_come_in_pages_and_searches_may_be_posted() {
    let app = App::start().await;
    let directory = Directory::of(&app).await;
    for name in ["a", "b", "c", "d", "e"] {
        directory.user(&format!("{name}@example.com")).await;
    }
    let names = |told: &Value| {
        let all = told["Resources"].as_array().unwrap().iter();
        all.map(|it| text(it, "userName")[..1].to_owned()).collect::<String>()
    };
    let page = async |query: &str| directory.get(&format!("/Users?{query}")).await.json();
    let second = page("startIndex=3&count=2").await;
    assert_eq!((names(&second), &second["totalResults"]), ("cd".to_owned(), &json!(5)));
    assert_eq!(names(&page("startIndex=-3&count=1").await), "a");
    assert_eq!(names(&page("count=0").await), "");
    assert_eq!(names(&page("count=9999&startIndex=5").await), "e");
    let filtered = page("filter=userName+gt+%22b%22&startIndex=2&count=1").await;
    assert_eq!((names(&filtered), &filtered["totalResults"]), ("c".to_owned(), &json!(4)));
    let search = json!({ "filter": "userName sw \"e\"", "attributes": ["userName"] });
    let found = directory.ask("POST", "/Users/.search", Some(&search)).await.json();
    assert_eq!((names(&found), found["Resources"][0].get("meta")), ("e".to_owned(), None));
    directory.group("E", &[]).await;
    let all = directory.ask("POST", "/.search", Some(&json!({ "count": 10 }))).await.json();
    assert_eq!(all["totalResults"], 6);
}

#[tokio::test]
async fn nonsense_is_refused_and_nothing_of_it_stays() {
    let app = App::start().await;
    let directory = Directory::of(&app).await;
    let path = format!("/Users/{}", directory.user("ann@example.com").await);
    for (query, kind) in [
        ("filter=userName", "invalidFilter"),
        ("filter=shoeSize+eq+1", "invalidFilter"),
        ("filter=userName+eq+%22%00", "invalidFilter"),
        ("count=many", "invalidValue"),
        ("attributes=id&excludedAttributes=meta", "invalidValue"),
    ] {
        let refused = directory.get(&format!("/Users?{query}")).await;
        Directory::refused(&refused, 400, Some(kind));
    }
    let zero = directory.get("/Users?filter=userName+eq+%22%5Cu0000%22").await;
    assert_eq!((zero.status, &zero.json()["totalResults"]), (200, &json!(0)));
    for body in [
        json!([]),
        json!("x"),
        json!({}),
        json!({ "userName": "a\u{0}b@example.com" }),
        json!({ "userName": 7 }),
        json!({ "userName": "x@example.com", "active": [] }),
    ] {
        let refused = directory.ask("POST", "/Users", Some(&body)).await;
        assert_eq!(refused.status, 400, "{body} {refused:?}");
        let refused = directory.ask("PUT", &path, Some(&body)).await;
        assert_eq!(refused.status, 400, "{body} {refused:?}");
    }
    assert_eq!(directory.get("/Users").await.json()["totalResults"], 1);
    Directory::refused(&directory.get("/Me").await, 501, None);
    Directory::refused(&directory.get("/Nothing").await, 404, None);
    Directory::refused(&directory.ask("DELETE", "/Users", None).await, 405, None);
    Directory::refused(&directory.ask("POST", "/Users", None).await, 415, None);
}

#[tokio::test]
async fn a_token_that_asks_too_much_is_told_when_to_come_again_on_every_node() {
    let app = App::start_with(&[("RALEX_SCIM_REQUESTS", "6")]).await;
    let second = app.second().await;
    let directory = Directory::of(&app).await;
    let there = directory.at(&second);
    for at in [&directory, &there, &directory, &there] {
        assert_eq!(at.get("/Users").await.status, 200);
    }
    // Two more fit, which a bulk request of three is not.
    let user = |name: &str| json!({ "userName": format!("{name}@example.com") });
    let three = ["a", "b", "c"].map(|name| operation("POST", "/Users", name, &user(name)));
    let body = json!({ "Operations": three });
    let refused = there.ask("POST", "/Bulk", Some(&body)).await;
    assert_eq!((refused.status, &refused.json()["status"]), (429, &json!("429")), "{refused:?}");
    let after: u64 = refused.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=60).contains(&after), "{refused:?}");
    assert_eq!(directory.get("/Users").await.status, 200, "the request itself was counted");
    let refused = there.get("/Users").await;
    assert_eq!(refused.status, 429, "{refused:?}");
    assert!(refused.header("retry-after").is_some() && refused.text.contains("6 requests"));
    // Another token has room of its own, and after a while this one has some again.
    let other = Directory::of(&app).await;
    assert_eq!(other.get("/Users").await.json()["totalResults"], 0);
    app.database.execute("update scim_token set room_at = room_at - interval '30 seconds'").await;
    assert_eq!(there.get("/Users").await.status, 200);
}

#[tokio::test]
async fn a_token_made_by_a_role_for_a_while_ends_with_that_role() {
    let app = App::start().await;
    let second = app.second().await;
    let ann = app.member("ann@example.com", "viewer", "org").await;
    let asked =
        json!({ "role": "security", "scope": "org", "minutes": 60, "reason": "to set it up" });
    let asked = ann.client.post("access-requests", &asked).await.ok();
    let path = format!("access-requests/{}", text(&asked, "id"));
    let given = app.owner.post(&format!("{path}/approve"), &json!({ "reason": "yes" })).await.ok();
    let late = json!({ "name": "Late", "expires_at": "2099-01-01T00:00:00Z" });
    let refused = ann.client.post("scim/tokens", &late).await;
    refused.refused(422, "invalid_request");
    assert_eq!(refused.problem()["errors"][0]["path"], "expires_at");
    ann.client.send("PUT".parse().unwrap(), "scim", Some(&json!({ "enabled": true }))).await.ok();
    let made = ann.client.post("scim/tokens", &json!({ "name": "Corp" })).await.ok();
    let directory = Directory::by(app.with(&text(&made, "token")));
    let lasting = Directory::of(&app).await;
    let shown = app.owner.get("scim").await.ok();
    assert_eq!(shown["tokens"][0]["expires_at"], given["expires_at"]);
    assert_eq!(directory.get("/Users").await.status, 200);
    app.owner.post(&format!("{path}/end"), &Value::Null).await.ok();
    for at in [&directory, &directory.at(&second)] {
        assert_eq!(at.get("/Users").await.status, 401);
    }
    assert_eq!(lasting.get("/Users").await.status, 200);
    let shown = app.owner.get("scim").await.ok();
    assert_ne!(shown["tokens"][0]["expires_at"], given["expires_at"], "{shown}");
}
