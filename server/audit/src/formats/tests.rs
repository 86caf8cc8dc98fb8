//! Every form against a file of what it should be, and against whatever a record may hold.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{Form, Told, is_control, ocsf};
use crate::export::Row;
use crate::personal::Revealed;

const ORIGIN: &str = "ralex-0190/audit/0191";
const FORMS: [Form; 4] = [Form::Ocsf, Form::Cef, Form::Syslog, Form::CloudEvents];

fn told(index: i64, leaf: &[u8], name: &str) -> Told {
    let row = Row {
        index,
        event: uuid::Uuid::nil(),
        hash: vec![7; 32],
        leaf: Some(leaf.to_vec()),
        actor_name: Some(name.into()),
    };
    Told::of(&row, &Revealed::default()).unwrap()
}

fn record(action: &str, outcome: &str, target: Value, address: Value, detail: &Value) -> Value {
    json!({
        "action": action,
        "actor": {
            "credential_id": "01900000-0000-7000-8000-00000000000c", "credential_kind": "session",
            "id": "01900000-0000-7000-8000-00000000000a", "kind": "user",
        },
        "address": address,
        "detail": detail,
        "event_id": "01900000-0000-7000-8000-00000000000e",
        "occurred_at": "2026-03-04T05:06:07.123456Z",
        "org": "01900000-0000-7000-8000-00000000000f",
        "outcome": outcome,
        "request": "01900000-0000-7000-8000-0000000000aa",
        "schema_version": 1,
        "target": target,
    })
}

fn examples() -> Vec<Told> {
    let nasty = "a|b=c\\d]\"e\r\nf\u{7f}\u{2028}é";
    let member =
        json!({ "user": "01900000-0000-7000-8000-0000000000bb", "email": "eve@example.com" });
    let role = json!({
        "binding": "01900000-0000-7000-8000-0000000000cc", "role": "auditor", "scope": "org",
        "subject": "user:01900000-0000-7000-8000-0000000000bb",
    });
    let user = "user:01900000-0000-7000-8000-0000000000bb";
    let examples = [
        record("session.opened", "success", Value::Null, json!("192.0.2.7"), &json!({})),
        record("member.added", "success", json!(user), json!("2001:db8::7"), &member),
        record("role.bound", "success", json!("binding:01900000"), json!("192.0.2.7"), &role),
        record(
            "team.created",
            "denied",
            json!("team:01900000"),
            Value::Null,
            &json!({ "name": nasty }),
        ),
        record(
            "call.closed",
            "error",
            json!("call:01900000"),
            Value::Null,
            &json!({ "cost": "0.1" }),
        ),
    ];
    let mut told: Vec<_> = (0_i64..)
        .zip(examples)
        .map(|(index, it)| told(index, it.to_string().as_bytes(), "ann@example.com"))
        .collect();
    told.push(self::told(5, b"no JSON \xff\n any more", "ann|=]@example.com"));
    told
}

#[test]
fn every_form_is_what_its_file_says() {
    let files = [
        (Form::Ocsf, include_str!("golden/ocsf.jsonl")),
        (Form::Cef, include_str!("golden/audit.cef")),
        (Form::Syslog, include_str!("golden/audit.syslog")),
        (Form::CloudEvents, include_str!("golden/cloudevents.jsonl")),
    ];
    for (form, expected) in files {
        let lines = examples().into_iter().map(|told| form.line(&told, ORIGIN).unwrap() + "\n");
        let text = lines.collect::<String>().replace(env!("CARGO_PKG_VERSION"), "VERSION");
        assert_eq!(text, expected, "{form:?} is now\n{text}");
    }
}

#[test]
fn every_place_in_the_mapping_is_one_of_a_class() {
    let mapping = ocsf::Mapping::built_in().unwrap();
    for (action, place) in &mapping.actions {
        let class = mapping.classes.get(&place.class.to_string());
        let class = class.unwrap_or_else(|| panic!("{action} has a class that is not there"));
        assert!(class.activities.contains_key(&place.activity.to_string()), "{action}");
    }
    for (verb, activity) in &mapping.verbs {
        let class = &mapping.classes["6003"];
        assert!(class.activities.contains_key(&activity.to_string()), "{verb} of {}", class.name);
    }
}

/// Fields of the head and pairs of the extension, as a collector reads them.
fn read_cef(line: &str) -> (Vec<String>, BTreeMap<String, String>) {
    let (mut fields, mut field) = (Vec::new(), String::new());
    let mut rest = line.chars();
    while fields.len() < 7 {
        match rest.next().unwrap() {
            '\\' => field.push(rest.next().unwrap()),
            '|' => fields.push(std::mem::take(&mut field)),
            it => field.push(it),
        }
    }
    // A key is the word before an equals sign that nothing escapes.
    let rest: Vec<char> = rest.collect();
    let mut signs = Vec::new();
    let mut at = 0;
    while at < rest.len() {
        match rest[at] {
            '\\' => at += 1,
            '=' => signs.push(at),
            _ => {}
        }
        at += 1;
    }
    let key = |sign: usize| rest[..sign].iter().rposition(|it| *it == ' ').map_or(0, |at| at + 1);
    let pairs = signs.iter().enumerate().map(|(number, sign)| {
        let end = signs.get(number + 1).map_or(rest.len(), |next| key(*next) - 1);
        let name: String = rest[key(*sign)..*sign].iter().collect();
        let mut value = String::new();
        let mut escaped = rest[sign + 1..end].iter();
        while let Some(it) = escaped.next() {
            value.push(match it {
                '\\' => match escaped.next().unwrap() {
                    'n' => '\n',
                    'r' => '\r',
                    other => *other,
                },
                it => *it,
            });
        }
        (name, value)
    });
    (fields, pairs.collect())
}

/// The parameters of the structured data and the text after it.
fn read_syslog(line: &str) -> (BTreeMap<String, String>, String) {
    let after_the_head = line.splitn(7, ' ').nth(6).unwrap();
    let mut rest = after_the_head.strip_prefix("[ralex@32473").unwrap().chars();
    let mut parameters = BTreeMap::new();
    while rest.next() == Some(' ') {
        let name: String = rest.by_ref().take_while(|it| *it != '=').collect();
        assert_eq!(rest.next(), Some('"'));
        let mut value = String::new();
        loop {
            match rest.next().unwrap() {
                '\\' => value.push(rest.next().unwrap()),
                '"' => break,
                it => value.push(it),
            }
        }
        parameters.insert(name, value);
    }
    (parameters, rest.as_str().strip_prefix(" \u{feff}").unwrap().to_owned())
}

fn without_controls(text: &str) -> String {
    super::printable(text)
}

fn anything() -> impl Strategy<Value = String> {
    let nasty = prop::sample::select(vec![
        "\r\n",
        "|",
        "=",
        "\\",
        "\"",
        "]",
        "[",
        "\u{0}",
        "\u{1b}[2J",
        "\u{85}",
        "\u{2028}",
        " cs1=x",
        "] <13>1 ",
        "\\n",
        "é",
        "\u{feff}",
        "\t",
    ]);
    prop::collection::vec(prop_oneof![nasty.prop_map(str::to_owned), ".*"], 0..6)
        .prop_map(|parts| parts.concat())
}

proptest! {
    #[test]
    fn nothing_leaves_its_line_or_its_field(
        action in anything(), name in anything(), target in anything(), address in anything(),
        outcome in anything(), detail in anything(),
    ) {
        let value = record(&action, &outcome, json!(target), json!(address), &json!({ "x": detail }));
        let told = told(3, value.to_string().as_bytes(), &name);
        for form in FORMS {
            let line = form.line(&told, ORIGIN).unwrap();
            prop_assert!(!line.chars().any(is_control), "{form:?}: {line:?}");
        }
        let event: Value = serde_json::from_str(&Form::CloudEvents.line(&told, ORIGIN).unwrap()).unwrap();
        prop_assert_eq!(&event["data"], &value);
        let event: Value = serde_json::from_str(&Form::Ocsf.line(&told, ORIGIN).unwrap()).unwrap();
        prop_assert_eq!(&event["unmapped"]["detail"]["x"], &json!(detail));
        prop_assert_eq!(&event["metadata"]["event_code"], &json!(action));

        let (fields, pairs) = read_cef(&Form::Cef.line(&told, ORIGIN).unwrap());
        prop_assert_eq!(&fields[4], &without_controls(&action));
        prop_assert_eq!(&pairs["cn1"], "3");
        prop_assert_eq!(pairs.len(), pairs.keys().filter(|key| key.chars().all(char::is_alphanumeric)).count());
        let told_detail: Value = serde_json::from_str(&pairs["msg"]).unwrap();
        prop_assert_eq!(&told_detail["x"], &json!(detail));

        let (parameters, text) = read_syslog(&Form::Syslog.line(&told, ORIGIN).unwrap());
        prop_assert_eq!(parameters.get("target").cloned().unwrap_or_default(), without_controls(&target));
        prop_assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), value);
    }

    #[test]
    fn what_is_no_record_any_more_is_told_in_every_form(leaf in prop::collection::vec(any::<u8>(), 0..80)) {
        let told = told(3, &leaf, "ann");
        for form in FORMS {
            let line = form.line(&told, ORIGIN).unwrap();
            prop_assert!(!line.chars().any(is_control), "{form:?}: {line:?}");
        }
    }
}
