//! Messages: alerts in words for people, and in JSON for programs.

use chrono::{DateTime, SecondsFormat, Utc};
use ralex_api::alerts::{AlertKind, Severity};
use serde_json::{Value, json};
use url::Url;

use super::book::Book;
use super::sql::deliveries::{DueChannel, Telling};

/// What is sent, by whatever channel.
#[derive(Clone, Debug)]
pub(crate) struct Message {
    pub subject: String,
    pub text: String,
    kind: &'static str,
    data: Value,
}

impl Message {
    /// As a webhook gets it.
    pub fn payload(&self, at: DateTime<Utc>) -> Vec<u8> {
        let payload = json!({ "type": self.kind, "timestamp": written(at), "data": self.data });
        payload.to_string().into_bytes()
    }
}

/// One alert, or several in one message.
pub(crate) fn of_alerts(
    book: &Book,
    channel: &DueChannel,
    alerts: &[Telling],
    links: Option<&Url>,
) -> Message {
    let told: Vec<Value> = alerts.iter().map(|alert| data(channel, alert, links)).collect();
    let parts: Vec<String> =
        alerts.iter().map(|alert| words(book, channel, alert, links)).collect();
    let foot = format!(
        "-- \nThe rule \"{}\" of {} tells you of this.\n",
        channel.rule_name, channel.org_name
    );
    if let ([alert], [only]) = (alerts, told.as_slice()) {
        let subject = format!("{}: {}", severity(&alert.severity), alert.title);
        let text = format!("{}\n{foot}", parts.concat());
        return Message { subject, text, kind: "alert.raised", data: only.clone() };
    }
    let critical = alerts.iter().filter(|alert| alert.severity == "critical").count();
    let critical =
        if critical > 0 { format!(", {critical} of them critical") } else { String::new() };
    let subject = format!("{} alerts of {}{critical}", alerts.len(), channel.org_name);
    let text = format!("{}\n{foot}", parts.join("\n\n"));
    Message { subject, text, kind: "alert.digest", data: json!({ "alerts": told }) }
}

/// A message that is only to try.
pub(crate) fn of_test(rule: &str, org: &str) -> Message {
    Message {
        subject: format!("A test of the alert rule {rule}"),
        text: format!(
            "This message shows that the alert rule \"{rule}\" of {org} reaches you.\n\
             Nothing happened, and nothing needs to be done.\n"
        ),
        kind: "alert.test",
        data: json!({ "rule": rule, "organisation": org }),
    }
}

fn words(book: &Book, channel: &DueChannel, alert: &Telling, links: Option<&Url>) -> String {
    let kind = AlertKind::named(&alert.kind);
    let meaning = kind.map_or("", |kind| book.meaning(kind));
    let mut lines = vec![
        alert.title.clone(),
        String::new(),
        meaning.to_owned(),
        String::new(),
        format!("Severity: {}", alert.severity),
        format!("About:    {}", alert.subject_name),
        format!("Since:    {}", written(alert.raised_at)),
    ];
    if alert.occurrences > 1 {
        lines.push(format!("So far:   {} times", alert.occurrences));
    }
    if alert.state != "open" {
        lines.push(format!("By now:   {}", alert.state));
    }
    if let Some(link) = link(channel, alert, links) {
        lines.push(format!("Open it:  {link}"));
    }
    lines.join("\n") + "\n"
}

fn data(channel: &DueChannel, alert: &Telling, links: Option<&Url>) -> Value {
    json!({
        "id": alert.id,
        "organisation": { "id": channel.org, "slug": channel.org_slug },
        "kind": alert.kind,
        "severity": alert.severity,
        "state": alert.state,
        "title": alert.title,
        "subject": alert.subject,
        "subject_name": alert.subject_name,
        "detail": alert.detail,
        "occurrences": alert.occurrences,
        "raised_at": written(alert.raised_at),
        "event": alert.event,
        "url": link(channel, alert, links),
    })
}

fn link(channel: &DueChannel, alert: &Telling, links: Option<&Url>) -> Option<String> {
    let base = links?.as_str().trim_end_matches('/');
    Some(format!("{base}/o/{}/alerts?alert={}", channel.org_slug, alert.id))
}

fn severity(word: &str) -> &'static str {
    match Severity::named(word) {
        Some(Severity::Critical) | None => "Critical",
        Some(Severity::Warning) => "Warning",
        Some(Severity::Info) => "Note",
    }
}

fn written(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}

#[cfg(test)]
mod tests {
    use ralex_kernel::{AlertChannelId, AlertId, AlertRuleId, OrgId};

    use super::*;

    fn channel() -> DueChannel {
        DueChannel {
            org: OrgId::generate(),
            org_slug: "acme".to_owned(),
            org_name: "Acme".to_owned(),
            id: AlertChannelId::generate(),
            rule: AlertRuleId::generate(),
            rule_name: "Ops".to_owned(),
            kind: "email".to_owned(),
            target: "ops@example.com".to_owned(),
            sealed_secret: None,
        }
    }

    fn alert(severity: &str) -> Telling {
        Telling {
            id: AlertId::generate(),
            kind: "sink.parked".to_owned(),
            severity: severity.to_owned(),
            state: "open".to_owned(),
            subject: "sink:1".to_owned(),
            subject_name: "SIEM".to_owned(),
            title: "The audit log is no longer sent to SIEM".to_owned(),
            detail: json!({ "index": 7 }),
            occurrences: 2,
            raised_at: Utc::now(),
            event: None,
        }
    }

    #[test]
    fn one_alert_says_what_it_is_and_what_to_do() {
        let book = Book::built_in().unwrap();
        let links: Url = "https://ralex.example.com/".parse().unwrap();
        let alert = alert("critical");
        let message = of_alerts(&book, &channel(), std::slice::from_ref(&alert), Some(&links));
        assert_eq!(message.subject, "Critical: The audit log is no longer sent to SIEM");
        let link = format!("https://ralex.example.com/o/acme/alerts?alert={}", alert.id);
        assert!(message.text.contains(&link), "{}", message.text);
        assert!(message.text.contains("until a person decides"), "{}", message.text);
        let payload: Value = serde_json::from_slice(&message.payload(Utc::now())).unwrap();
        assert_eq!(payload["type"], "alert.raised");
        assert_eq!(payload["data"]["detail"]["index"], 7);
    }

    #[test]
    fn several_alerts_are_one_message() {
        let book = Book::built_in().unwrap();
        let alerts = [alert("warning"), alert("critical")];
        let message = of_alerts(&book, &channel(), &alerts, None);
        assert_eq!(message.subject, "2 alerts of Acme, 1 of them critical");
        let payload: Value = serde_json::from_slice(&message.payload(Utc::now())).unwrap();
        assert_eq!(payload["type"], "alert.digest");
        assert_eq!(payload["data"]["alerts"].as_array().unwrap().len(), 2);
    }
}
