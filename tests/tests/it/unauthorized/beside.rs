//! Things of an organisation that come about beside its settings: reports, alerts, files, ways in.

use ralex_tests::app::{App, EMAIL, text};
use serde_json::{Value, json};
use uuid::Uuid;

/// Makes one of each; answers what they are called in paths.
pub async fn made(app: &App, budget: &str, call: &str) -> Vec<(&'static str, String)> {
    let mut made = asked_for(app).await;
    let request = made.iter().find(|(name, _)| *name == "request").map(|(_, id)| id.clone());
    made.extend(rows(app, budget, call, &request.unwrap()).await);
    made
}

/// What a request of the API makes.
async fn asked_for(app: &App) -> Vec<(&'static str, String)> {
    let hook = json!({ "kind": "webhook", "to": "http://127.0.0.1:9/hook" });
    // Nobody listens there: what counts is that they are set.
    let provider = json!({ "slug": "entra", "name": "Corp", "issuer": "http://127.0.0.1:9",
        "client_id": "ralex", "client_secret": "secret-canary" });
    app.owner.post("sso/providers", &provider).await.ok();
    let mut made = vec![("sso_provider", "entra".to_owned())];
    let things: [(&str, &str, Value); 7] = [
        ("link", "sso/providers/entra/links", json!({ "user": EMAIL, "subject": "owner-there" })),
        (
            "sink",
            "audit/sinks",
            json!({ "name": "Collector", "kind": "webhook",
            "url": "http://127.0.0.1:9/" }),
        ),
        ("rule", "alert-rules", json!({ "name": "Nights", "channels": [hook] })),
        ("report", "reports", json!({ "kind": "control_health" })),
        (
            "schedule",
            "report-schedules",
            json!({ "name": "Weekly", "kind": "control_health",
            "every": "week", "day": 1, "hour": 6 }),
        ),
        ("request", "audit/retention/requests", json!({ "kind": "hold", "reason": "Case 4711" })),
        ("scim_token", "scim/tokens", json!({ "name": "Directory" })),
    ];
    app.owner.send(reqwest::Method::PUT, "scim", Some(&json!({ "enabled": true }))).await.ok();
    for (name, path, new) in things {
        made.push((name, text(&app.owner.post(path, &new).await.ok(), "id")));
    }
    let own = app.owner.all("/api/v1/me/tokens").await;
    made.push(("own_token", text(&own[0], "id")));
    made
}

/// What takes a lost node, two authenticators or a provider that keeps files: as they leave it.
async fn rows(app: &App, budget: &str, call: &str, request: &str) -> Vec<(&'static str, String)> {
    let [alert, adjustment, opening, passkey, file, batch] =
        std::array::from_fn(|_| Uuid::now_v7());
    let sql = format!(
        "insert into alert (org_id, id, kind, severity, subject, subject_name, title, detail,
             dedup, raised_at, last_at)
         select id, '{alert}', 'budget.threshold', 'warning', 'budget:{budget}', 'org', 'Half', '{{}}',
             'walls', now(), now() from org where slug = 'default';
         insert into budget_adjustment (org_id, id, budget_id, starts_at, amount, reason)
         select org_id, '{adjustment}', budget_id, starts_at, 1, 'lease_lost' from budget_period
         where budget_id = '{budget}' limit 1;
         insert into break_glass_opening (org_id, id, drill, state, role, permissions, minutes,
             reason, asked_by, asked_at, confirm_until, ended_at)
         select o.id, '{opening}', true, 'withdrawn', 'owner', '{{org.read}}', 30, 'A drill', u.id,
             now(), now(), now() from org o, app_user u
         where o.slug = 'default' and u.email_key = '{EMAIL}';
         insert into audit_erasure (org_id, id, user_id, event_id, destroyed, mentions)
         select org_id, id, asked_by, gen_random_uuid(), '{{}}', 0 from audit_request
         where id = '{request}';
         with holder as (insert into app_user (id, email, email_key, name, password_hash)
             values (gen_random_uuid(), 'holder@example.com', 'holder@example.com', 'Holder', 'x')
             returning id)
         insert into passkey (id, user_id, credential_id, credential, name, created_at)
         select '{passkey}', id, 'walls', '{{}}', 'phone', now() from holder;
         insert into kept_file (org_id, id, team_id, provider_id, provider, upstream_id, purpose,
             filename, bytes, state)
         select t.org_id, '{file}', t.id, p.id, p.slug, 'file-up', 'batch', 'a.jsonl', 1, 'ready'
         from team t join provider p using (org_id) where t.slug = 'blue' and p.slug = 'scripted';
         insert into batch (org_id, id, team_id, provider_id, provider, model, prices, held,
             input_file, endpoint, lines, status, look_again_at, settled_at)
         select f.org_id, '{batch}', f.team_id, f.provider_id, f.provider, 'scripted', '{{}}', 0,
             f.id, '/v1/chat/completions', 1, 'completed', now() + interval '1 day', now()
         from kept_file f;
         insert into kept_id (org_id, call_id, id)
         select org_id, id, 'resp_of_blue' from call where id = '{call}'"
    );
    app.database.execute(&sql).await;
    vec![
        ("alert", alert.to_string()),
        ("adjustment", adjustment.to_string()),
        ("opening", opening.to_string()),
        ("passkey", passkey.to_string()),
        ("file", format!("file-{}", file.simple())),
        ("batch", format!("batch_{}", batch.simple())),
        ("response", "resp_of_blue".to_owned()),
    ]
}
