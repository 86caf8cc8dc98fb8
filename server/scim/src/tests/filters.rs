//! Filters are read and printed, and decide.

use proptest::prelude::*;
use serde_json::{Value, json};

use crate::filter::{Filter, LONGEST, Op, Path, filter};
use crate::matches::{check, matches};
use crate::resource::read;
use crate::schema::USERS;

fn ann() -> crate::resource::Object {
    let body = json!({
        "userName": "Ann@example.com", "externalId": "X1", "active": "True",
        "name": { "familyName": "Lee" },
        "emails": [{ "value": "ann@example.com", "type": "work", "primary": true },
                   { "value": "ann@home.example", "type": "home" }],
        "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": { "department": "Sales" },
    });
    read(&USERS, &body).unwrap()
}

fn so(text: &str) -> bool {
    let filter = filter(text).unwrap_or_else(|why| panic!("{text}: {why}"));
    check(&USERS, &filter).unwrap_or_else(|why| panic!("{text}: {why:?}"));
    matches(&USERS, &ann(), &filter)
}

#[test]
fn a_filter_is_decided_as_the_rfc_has_it() {
    for text in [
        r#"userName eq "ann@EXAMPLE.com""#,
        r#"USERNAME EQ "ann@example.com""#,
        r#"urn:ietf:params:scim:schemas:core:2.0:User:userName sw "ann""#,
        r#"name.familyName co "e" and active eq true"#,
        r#"active eq "true""#,
        "not (active eq false) or title pr",
        r#"emails[type eq "work" and value ew "example.com"]"#,
        r#"emails[type eq "home"].value eq "ann@home.example""#,
        r#"emails co "home.example""#,
        r#"emails.type eq "work""#,
        r#"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department gt "Product""#,
        "title eq null",
        r#"title ne "CEO""#,
        "userName pr and (title pr or active pr)",
    ] {
        assert!(so(text), "{text}");
    }
    for text in [
        r#"externalId eq "x1""#,
        r#"emails[type eq "home" and value ew "example.com"]"#,
        "title pr",
        r#"active eq "yes""#,
        r#"userName eq "ann@example.com" and title pr"#,
        "not (userName pr)",
    ] {
        assert!(!so(text), "{text}");
    }
}

#[test]
fn what_is_no_filter_is_refused() {
    let deep = format!("{}active pr{}", "(".repeat(30), ")".repeat(30));
    let long = format!(r#"userName eq "{}""#, "x".repeat(LONGEST));
    for text in [
        "",
        "userName",
        "userName eq",
        "userName is 1",
        "eq eq eq eq",
        "(userName pr",
        "userName pr)",
        "userName eq \"x",
        "userName eq {}",
        "emails[type eq \"work\"",
        "userName pr and",
        "1 eq 1",
        "userName eq [1]",
        &deep,
        &long,
    ] {
        assert!(filter(text).is_err(), "{text}");
    }
    for text in ["shoeSize eq 1", "emails[size eq 1]", "userName.first pr", "name.first pr"] {
        assert!(check(&USERS, &filter(text).unwrap()).is_err(), "{text}");
    }
}

fn path() -> impl Strategy<Value = Path> {
    const NAMES: [&str; 7] =
        ["userName", "emails", "name.givenName", "urn:x:2.0:User:y", "$ref", "not", "and"];
    let name = prop::sample::select(NAMES.as_slice()).prop_map(str::to_owned);
    name.prop_map(|name| Path { name, within: None, part: None })
}

fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        any::<String>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<bool>().prop_map(Value::from),
        Just(Value::Null),
    ]
}

fn any_filter() -> impl Strategy<Value = Filter> {
    let leaf = prop_oneof![
        path().prop_map(Filter::Present),
        (path(), prop::sample::select(Op::ALL.as_slice()), value())
            .prop_map(|(path, op, value)| Filter::Compare(path, op, value)),
    ];
    leaf.prop_recursive(4, 24, 2, |inner| {
        let two = (inner.clone(), inner.clone());
        let named = (path(), inner.clone(), prop::option::of("[a-z]{1,5}"));
        prop_oneof![
            two.clone().prop_map(|(a, b)| Filter::And(Box::new(a), Box::new(b))),
            two.prop_map(|(a, b)| Filter::Or(Box::new(a), Box::new(b))),
            inner.prop_map(|it| Filter::Not(Box::new(it))),
            named.prop_map(|(path, within, part)| {
                let path = Path { within: Some(Box::new(within)), part, ..path };
                if path.part.is_some() { Filter::Present(path) } else { Filter::Some(path) }
            }),
        ]
    })
}

proptest! {
    #[test]
    fn what_is_printed_is_read_as_the_same(made in any_filter()) {
        let text = made.to_string();
        if text.len() <= LONGEST {
            prop_assert_eq!(filter(&text).map_err(|why| why.to_string()), Ok(made), "{}", text);
        }
    }

    #[test]
    fn no_text_makes_the_reader_panic(text in any::<String>()) {
        let _ = filter(&text).map(|it| check(&USERS, &it));
    }

    #[test]
    fn nor_one_of_the_words_of_filters(words in prop::collection::vec(prop::sample::select(
        ["userName", "emails", "[", "]", "(", ")", "eq", "and", "or", "not", "pr", "\"x\"", "\"", "\\",
         ".value", " ", "true", "-1", "urn:", "ä"].as_slice()), 0..24), glue in "[ ]?") {
        let text = words.join(&glue);
        if let Ok(read) = filter(&text) {
            let _ = check(&USERS, &read).map(|()| matches(&USERS, &ann(), &read));
            let printed = read.to_string();
            prop_assert_eq!(filter(&printed).map_err(|why| why.to_string()), Ok(read));
        }
    }
}
