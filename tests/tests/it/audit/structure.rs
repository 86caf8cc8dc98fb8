//! Entries of what an organisation is made of: teams, projects, programs, tokens and people.

use ralex_tests::app::text;
use reqwest::Method;
use serde_json::json;

use super::{Watched, adjustments, reviews};

const ORG: &str = "/api/v1/orgs/{org}";

/// Makes, changes and removes one of each.
pub async fn structure(watched: &mut Watched) {
    let name = Some(json!({ "name": "Harbour" }));
    watched.leaves(&format!("PATCH {ORG}"), "/api/v1/orgs/default", name, &["org.updated"]).await;
    let team = json!({ "slug": "blue", "name": "Blue" });
    let op = format!("POST {ORG}/teams");
    watched.leaves(&op, "teams", Some(team), &["team.created"]).await;
    let op = format!("PATCH {ORG}/teams/{{team}}");
    watched.leaves(&op, "teams/blue", Some(json!({ "name": "B" })), &["team.updated"]).await;
    let project = json!({ "slug": "web", "name": "Web", "team": "blue" });
    let op = format!("POST {ORG}/projects");
    watched.leaves(&op, "projects", Some(project), &["project.created"]).await;
    let op = format!("PATCH {ORG}/projects/{{project}}");
    let name = Some(json!({ "name": "The web" }));
    watched.leaves(&op, "projects/web", name, &["project.updated"]).await;
    let op = format!("DELETE {ORG}/projects/{{project}}");
    watched.leaves(&op, "projects/web", None, &["project.deleted"]).await;
    let account = json!({ "slug": "job", "name": "Job", "team": "blue" });
    let op = format!("POST {ORG}/service-accounts");
    let made = &["service_account.created"];
    watched.leaves(&op, "service-accounts", Some(account), made).await;
    let op = format!("PATCH {ORG}/service-accounts/{{service_account}}");
    let (off, done) = (json!({ "disabled": true }), &["service_account.updated"]);
    watched.leaves(&op, "service-accounts/job", Some(off), done).await;
    tokens(watched).await;
    call_rules(watched).await;
    watched.app.team("red").await;
    let op = format!("DELETE {ORG}/teams/{{team}}");
    watched.leaves(&op, "teams/red", None, &["team.deleted"]).await;
    let member =
        json!({ "email": "new@example.com", "name": "New", "role": "viewer", "invite": true });
    let op = format!("POST {ORG}/members");
    let actions = ["member.added", "member.invited", "role.bound"];
    let made = watched.leaves(&op, "members", Some(member), &actions).await;
    let path = format!("members/{}", text(&made["member"]["user"], "id"));
    let binding = json!({ "subject": "user:new@example.com", "role": "billing" });
    let op = format!("POST {ORG}/bindings");
    let bound = watched.leaves(&op, "bindings", Some(binding), &["role.bound"]).await;
    let bound = format!("bindings/{}", text(&bound, "id"));
    let op = format!("DELETE {ORG}/bindings/{{binding}}");
    watched.leaves(&op, &bound, None, &["role.unbound"]).await;
    let op = format!("POST {ORG}/policies/import");
    let always = "0000-01-01T00:00:00.000000Z, 9999-12-31T23:59:59.999999Z";
    let line =
        format!("p, user:new@example.com, default, role:billing, /o/default, allow, {always}");
    let import = json!({ "lines": line, "apply": true });
    watched.leaves(&op, "policies/import", Some(import), &["role.bound"]).await;
    groups_and_roles(watched).await;
    provisioning(watched).await;
    suspension(watched, &path).await;
    let op = format!("DELETE {ORG}/members/{{user}}");
    watched.leaves(&op, &path, None, &["member.removed"]).await;
    budgets(watched).await;
}

/// What is said of money.
async fn budgets(watched: &mut Watched) {
    let budget = json!({ "scope": "org", "period": "day", "limit": "1", "hard": true });
    let op = format!("POST {ORG}/budgets");
    let made = watched.leaves(&op, "budgets", Some(budget), &["budget.created"]).await;
    let path = format!("budgets/{}", text(&made, "id"));
    let op = format!("PATCH {ORG}/budgets/{{budget}}");
    watched.leaves(&op, &path, Some(json!({ "limit": "2" })), &["budget.updated"]).await;
    let more = format!("{path}/increase");
    let op = format!("POST {ORG}/budgets/{{budget}}/increase");
    let given = json!({ "amount": "1", "until": "2999-01-01T00:00:00Z", "reason": "The launch" });
    watched.leaves(&op, &more, Some(given), &["budget.increased"]).await;
    let op = format!("DELETE {ORG}/budgets/{{budget}}/increase");
    watched.leaves(&op, &more, None, &["budget.increase_ended"]).await;
    adjustments(watched, &path).await;
    let op = format!("DELETE {ORG}/budgets/{{budget}}");
    watched.leaves(&op, &path, None, &["budget.deleted"]).await;
}

/// What one who holds roles by a group and by a role of the organisation's own leaves behind.
async fn groups_and_roles(watched: &mut Watched) {
    let new = json!({ "name": "keeper", "title": "Keeper", "permissions": ["org.read"] });
    let op = format!("POST {ORG}/roles");
    watched.leaves(&op, "roles", Some(new), &["role.created"]).await;
    let (op, change) = (format!("PATCH {ORG}/roles/{{role}}"), json!({ "title": "Seer" }));
    watched.leaves(&op, "roles/keeper", Some(change), &["role.updated"]).await;
    let op = format!("DELETE {ORG}/roles/{{role}}");
    watched.leaves(&op, "roles/keeper", None, &["role.deleted"]).await;
    let new = json!({ "slug": "night", "name": "Night" });
    watched.leaves(&format!("POST {ORG}/groups"), "groups", Some(new), &["group.created"]).await;
    let (op, change) = (format!("PATCH {ORG}/groups/{{group}}"), json!({ "name": "Day" }));
    watched.leaves(&op, "groups/night", Some(change), &["group.updated"]).await;
    let new = json!({ "subject": "user:new@example.com" });
    let op = format!("POST {ORG}/groups/{{group}}/members");
    let actions = ["group.member_added"];
    let made = watched.leaves(&op, "groups/night/members", Some(new), &actions).await;
    let path = format!("groups/night/members/{}", text(&made["user"], "id"));
    let op = format!("DELETE {ORG}/groups/{{group}}/members/{{user}}");
    watched.leaves(&op, &path, None, &["group.member_removed"]).await;
    let op = format!("DELETE {ORG}/groups/{{group}}");
    watched.leaves(&op, "groups/night", None, &["group.deleted"]).await;
    access_requests(watched).await;
    changes(watched).await;
    reviews::reviews(watched).await;
}

/// What takes two people, and the decisions about it.
async fn changes(watched: &mut Watched) {
    let asker = watched.app.member("two@example.com", "owner", "org").await.client;
    watched.app.member("three@example.com", "viewer", "org").await;
    let set = json!({ "actions": ["owner.give"], "pending_minutes": 60 });
    let (op, path) = (format!("PUT {ORG}/change-requests/settings"), "change-requests/settings");
    watched.leaves(&op, path, Some(set), &["change.configured"]).await;
    let (first, owner) = (
        watched.app.owner.clone(),
        json!({ "subject": "user:three@example.com", "role": "owner" }),
    );
    let verbs = [
        (&first, "withdraw", vec!["change.withdrawn"]),
        (&asker, "refuse", vec!["change.refused"]),
        (&asker, "confirm", vec!["role.bound", "change.confirmed"]),
    ];
    for (asker, verb, actions) in verbs {
        let asked = asker.post("bindings", &owner).await.json();
        let path = format!("change-requests/{}/{verb}", text(&asked, "id"));
        let op = format!("POST {ORG}/change-requests/{{change_request}}/{verb}");
        let body = (verb != "withdraw").then(|| json!({ "reason": "why" }));
        watched.leaves(&op, &path, body, &actions).await;
    }
}

/// What closes an organisation to a member, and opens it again.
async fn suspension(watched: &mut Watched, path: &str) {
    let again = [
        ("invite", "member.invited"),
        ("suspend", "member.suspended"),
        ("resume", "member.resumed"),
    ];
    for (verb, action) in again {
        let op = format!("POST {ORG}/members/{{user}}/{verb}");
        watched.leaves(&op, &format!("{path}/{verb}"), None, &[action]).await;
    }
    let op = "POST /api/v1/operator/operators";
    let new = json!({ "email": "new@example.com" });
    let made =
        watched.leaves(op, "/api/v1/operator/operators", Some(new), &["operator.added"]).await;
    let path = format!("/api/v1/operator/operators/{}", text(&made["user"], "id"));
    let op = "DELETE /api/v1/operator/operators/{user}";
    watched.leaves(op, &path, None, &["operator.removed"]).await;
    let (op, path) =
        ("POST /api/v1/operator/deactivated-accounts", "/api/v1/operator/deactivated-accounts");
    let gone = json!({ "email": "new@example.com", "reason": "Left" });
    let made = watched.leaves(op, path, Some(gone), &["account.deactivated"]).await;
    let path = format!("{path}/{}", text(&made["account"]["user"], "id"));
    let op = "DELETE /api/v1/operator/deactivated-accounts/{user}";
    watched.leaves(op, &path, None, &["account.reactivated"]).await;
}

/// How an organisation's directory comes to be heard.
async fn provisioning(watched: &mut Watched) {
    let op = format!("PUT {ORG}/export/recipients");
    let key = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p";
    let set = json!({ "recipients": [key] });
    watched.leaves(&op, "export/recipients", Some(set), &["org.export_recipients_set"]).await;
    let op = format!("PUT {ORG}/scim");
    watched.leaves(&op, "scim", Some(json!({ "enabled": true })), &["scim.enabled"]).await;
    let op = format!("POST {ORG}/scim/tokens");
    let new = json!({ "name": "Corp" });
    let made = watched.leaves(&op, "scim/tokens", Some(new), &["scim.token_created"]).await;
    let directory = watched.app.with(&text(&made, "token"));
    let path = "/scim/v2/default/Groups";
    let group = directory.post(path, &json!({ "displayName": "Sales" })).await.json();
    assert_eq!(group["displayName"], "Sales", "{group}");
    let op = format!("POST {ORG}/groups/{{group}}/release");
    watched.leaves(&op, "groups/sales/release", None, &["scim.group_released"]).await;
    let op = format!("DELETE {ORG}/scim/tokens/{{token}}");
    let path = format!("scim/tokens/{}", text(&made, "id"));
    watched.leaves(&op, &path, None, &["scim.token_revoked"]).await;
}

async fn tokens(watched: &mut Watched) {
    let token = json!({ "name": "one", "team": "blue" });
    let op = format!("POST {ORG}/tokens");
    let made = watched.leaves(&op, "tokens", Some(token), &["token.created"]).await;
    let path = format!("tokens/{}", text(&made, "id"));
    let op = format!("POST {ORG}/tokens/{{token}}/rotate");
    let rotate = format!("{path}/rotate");
    watched.leaves(&op, &rotate, Some(json!({})), &["token.rotated"]).await;
    let op = format!("DELETE {ORG}/tokens/{{token}}/former");
    watched.leaves(&op, &format!("{path}/former"), None, &["token.former_ended"]).await;
    watched
        .leaves(&format!("DELETE {ORG}/tokens/{{token}}"), &path, None, &["token.revoked"])
        .await;
}

/// Roles that somebody asks to hold for a while.
async fn access_requests(watched: &mut Watched) {
    let set = json!({ "approvals": 1, "default_minutes": 60, "longest_minutes": 60,
        "pending_minutes": 60 });
    let op = format!("PUT {ORG}/access-requests/settings");
    let path = "access-requests/settings";
    watched.leaves(&op, path, Some(set), &["access_request.configured"]).await;
    let asker = watched.app.member("asks@example.com", "viewer", "org").await;
    let reason = json!({ "reason": "why" });
    let steps: [&[(&str, &[&str])]; 3] = [
        &[("deny", &["access_request.denied"])],
        &[("withdraw", &["access_request.withdrawn"])],
        &[
            ("approve", &["role.bound", "access_request.approved"]),
            ("end", &["role.unbound", "access_request.ended"]),
        ],
    ];
    for steps in steps {
        let (client, owner) = (asker.client.clone(), watched.app.owner.clone());
        let new = json!({ "role": "developer", "reason": "The night shift" });
        let ask = async move { client.post("access-requests", &new).await };
        let op = format!("POST {ORG}/access-requests");
        let asked = watched.leaves_of(&op, &["access_request.asked"], ask).await.ok();
        for (verb, actions) in steps {
            let path = format!("access-requests/{}/{verb}", text(&asked, "id"));
            let client = if *verb == "withdraw" { &asker.client } else { &owner };
            let op = format!("POST {ORG}/access-requests/{{access_request}}/{verb}");
            let done = async {
                match *verb {
                    "approve" | "deny" => client.post(&path, &reason).await,
                    _ => client.send(Method::POST, &path, None).await,
                }
            };
            watched.leaves_of(&op, actions, done).await.ok();
        }
    }
}

async fn call_rules(watched: &mut Watched) {
    let new = json!({ "name": "Nobody", "effect": "deny", "resources": ["model:none-*"] });
    let op = format!("POST {ORG}/call-rules");
    let made = watched.leaves(&op, "call-rules", Some(new), &["call_rule.created"]).await;
    let path = format!("call-rules/{}", text(&made, "id"));
    let (op, change) =
        (format!("PATCH {ORG}/call-rules/{{call_rule}}"), json!({ "enabled": false }));
    watched.leaves(&op, &path, Some(change), &["call_rule.updated"]).await;
    let op = format!("DELETE {ORG}/call-rules/{{call_rule}}");
    watched.leaves(&op, &path, None, &["call_rule.deleted"]).await;
    let (op, set) =
        (format!("PUT {ORG}/call-rules/settings"), json!({ "default_effect": "allow" }));
    watched.leaves(&op, "call-rules/settings", Some(set), &["call_rule.configured"]).await;
}
