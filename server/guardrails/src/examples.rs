//! Every rule against the examples that stand with it in its pack.

use std::sync::Arc;

use crate::pack::{Packs, examples};
use crate::rule::{CONTEXT, LONGEST_OF_ALL, LOOK_BACK, Rule, Trigger};
use crate::scan::Scanner;

/// A tilde is left out, two are one.
fn plain(example: &str) -> String {
    example.replace("~~", "\u{0}").replace('~', "").replace('\u{0}', "~")
}

fn found(rule: &Arc<Rule>, text: &str) -> bool {
    !Scanner::new(vec![rule.clone()]).unwrap().scan(text, 0).is_empty()
}

#[test]
fn every_rule_finds_its_examples_and_leaves_the_harmless() {
    let packs = Packs::built_in().unwrap();
    let mut wrong = Vec::new();
    for (id, examples, harmless) in examples() {
        let rule = packs.rules().find(|rule| *rule.id == *id).unwrap();
        assert!(!examples.is_empty(), "{id} has no example");
        for text in examples.iter().map(|text| plain(text)).filter(|text| !found(rule, text)) {
            wrong.push(format!("{id} misses {text}"));
        }
        for text in harmless.iter().map(|text| plain(text)).filter(|text| found(rule, text)) {
            wrong.push(format!("{id} takes {text}"));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn rules_keep_within_what_the_engine_promises() {
    let packs = Packs::built_in().unwrap();
    for rule in packs.rules() {
        assert!(rule.matcher.longest <= LONGEST_OF_ALL, "{}", rule.id);
        let label = rule.label.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_');
        assert!(label && rule.label.len() <= 24, "{} has the label {}", rule.id, rule.label);
        if let Trigger::Context(words) = &rule.trigger {
            assert!(words.iter().all(|word| word.len() + CONTEXT <= LOOK_BACK), "{}", rule.id);
        }
    }
    for pack in packs.list() {
        for rule in &pack.rules {
            assert!(
                pack.actions.contains(&rule.action),
                "{} advises what its pack cannot",
                rule.id
            );
            assert_eq!(rule.weight.is_some(), pack.threshold.is_some(), "{}", rule.id);
        }
    }
}
