//! What the packs find and what they take wrongly, on the corpora beside this crate and on this
//! repository's own texts. The figures of docs/src/guardrails.md are what these tests hold.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ralex_api::guardrails::{Check, Direction, JudgeFailure, JudgeWhen, Reaction};
use serde::Deserialize;

use crate::pack::Packs;
use crate::policy::Policy;
use crate::setting::Setting;
use crate::verdict::{Finding, Role, Text};

const INJECTIONS: &str = include_str!("../corpora/injections.jsonl");
const PERSONAL: &str = include_str!("../corpora/personal.jsonl");

#[derive(Deserialize)]
struct Injection {
    id: String,
    attack: bool,
    channel: String,
    text: String,
}

#[derive(Deserialize)]
struct Sentence {
    text: String,
    /// Rules and what they are to find.
    holds: Vec<(String, String)>,
}

fn policy(pack: &str) -> Arc<Policy> {
    let check = Check::Pack { pack: pack.to_owned(), rules: None, except: vec![], threshold: None };
    let (name, reaction, direction) = (pack.to_owned(), Reaction::Flag, Direction::Both);
    let setting = Setting { id: None, name, check, reaction, direction };
    Arc::new(Policy::compile(&Packs::built_in().unwrap(), &[setting]).unwrap())
}

fn findings(policy: &Policy, text: &str, role: Role) -> Vec<Finding> {
    policy.inspect_input(&[Text { path: "text", text, role }]).unwrap().findings
}

fn rows<T: for<'a> Deserialize<'a>>(corpus: &str) -> Vec<T> {
    corpus.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn nine_of_ten_attacks_are_found_and_no_harmless_look_alike() {
    let policy = policy("injection");
    let (mut attacks, mut found, mut wrong) = (0, 0, Vec::new());
    for row in rows::<Injection>(INJECTIONS) {
        let role = if row.channel == "tool_output" { Role::Tool } else { Role::User };
        let hit = !findings(&policy, &row.text, role).is_empty();
        attacks += usize::from(row.attack);
        found += usize::from(row.attack && hit);
        if hit && !row.attack {
            wrong.push(row.id);
        }
    }
    assert!(found * 10 >= attacks * 9, "{found} of {attacks}");
    assert!(wrong.is_empty(), "{wrong:?}");
}

#[test]
fn a_judge_reads_each_text_of_the_corpus_as_data_and_is_asked_about_nearly_every_attack() {
    let check = |when| Check::Judge {
        model: "small".to_owned(),
        when,
        timeout_ms: None,
        on_failure: JudgeFailure::Closed,
    };
    let policy = |when| {
        let (name, reaction, direction) = ("judge".to_owned(), Reaction::Block, Direction::In);
        let setting = Setting { id: None, name, check: check(when), reaction, direction };
        Policy::compile(&Packs::built_in().unwrap(), &[setting]).unwrap()
    };
    let (always, suspicious) = (policy(JudgeWhen::Always), policy(JudgeWhen::Suspicious));
    let (mut attacks, mut asked) = (0, 0);
    for row in rows::<Injection>(INJECTIONS) {
        let role = if row.channel == "tool_output" { Role::Tool } else { Role::User };
        let texts = [Text { path: "text", text: &row.text, role }];
        let turn = always.turns(&texts, false, &[9; 32]).remove(0);
        let prompt = turn.prompt.unwrap();
        let lines: Vec<&str> = prompt.user.lines().collect();
        let [begin, data, end] = lines.as_slice() else { panic!("{}: {lines:?}", row.id) };
        let mark = begin.strip_prefix("BEGIN ").unwrap();
        assert_eq!(end.strip_prefix("END "), Some(mark), "{}", row.id);
        assert!(!data.contains(mark) && prompt.system.matches(mark).count() == 2, "{}", row.id);
        let read: serde_json::Value = serde_json::from_str(data).unwrap();
        let wrote = if role == Role::Tool { "tool" } else { "user" };
        assert_eq!(read, serde_json::json!([{ "from": wrote, "text": row.text }]), "{}", row.id);
        attacks += usize::from(row.attack);
        let has_turn = !suspicious.turns(&texts, false, &[9; 32]).is_empty();
        asked += usize::from(row.attack && has_turn);
    }
    assert!(asked * 100 >= attacks * 93, "{asked} of {attacks}");
}

#[test]
fn every_kind_of_personal_data_is_found_and_clean_sentences_stay_clean() {
    let policy = policy("pii");
    let mut kinds: BTreeMap<String, (u32, u32)> = BTreeMap::new();
    let mut wrong = Vec::new();
    for row in rows::<Sentence>(PERSONAL) {
        let found = findings(&policy, &row.text, Role::User);
        let parts: Vec<&str> =
            found.iter().map(|finding| &row.text[finding.start..finding.end]).collect();
        for (kind, value) in &row.holds {
            let counts = kinds.entry(kind.clone()).or_default();
            counts.0 += u32::from(parts.iter().any(|part| part.contains(value.as_str())));
            counts.1 += 1;
        }
        let meant = |part: &str| {
            row.holds.iter().any(|(_, value)| part.contains(value.as_str()) || value.contains(part))
        };
        wrong.extend(parts.iter().filter(|part| !meant(part)).map(|part| (*part).to_owned()));
    }
    assert_eq!(kinds.len(), 14, "{kinds:?}");
    for (kind, (found, all)) in kinds {
        assert!(found * 100 >= all * 97, "{kind}: {found} of {all}");
    }
    assert!(wrong.is_empty(), "{wrong:?}");
}

/// Every Markdown and Rust file of the checkout that is not about guardrails, in prompts of two
/// thousand bytes.
fn own_texts() -> Vec<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut texts = Vec::new();
    for folder in ["docs/src", "server", "openapi/src", "console/src", "tests/src"] {
        let mut files = Vec::new();
        collect(&root.join(folder), &mut files);
        for file in files {
            let text = fs::read_to_string(file).unwrap();
            let mut rest = text.as_str();
            while !rest.is_empty() {
                let (prompt, after) = rest.split_at(rest.ceil_char_boundary(2000.min(rest.len())));
                texts.push(prompt.to_owned());
                rest = after;
            }
        }
    }
    texts
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if name.contains("guard") || name == "target" {
            continue;
        }
        if path.is_dir() {
            collect(&path, files);
        } else if matches!(path.extension().and_then(|it| it.to_str()), Some("md" | "rs")) {
            files.push(path);
        }
    }
}

#[test]
fn a_developers_prompts_are_hardly_ever_taken_for_attacks_or_secrets() {
    let texts = own_texts();
    assert!(texts.len() > 500, "{}", texts.len());
    for (pack, at_most_per_thousand) in [("injection", 3), ("secrets", 3)] {
        let policy = policy(pack);
        let mut rules = BTreeMap::new();
        let mut wrong = 0;
        for text in &texts {
            let found = findings(&policy, text, Role::User);
            wrong += usize::from(!found.is_empty());
            for finding in found {
                *rules.entry(finding.rule).or_insert(0) += 1;
            }
        }
        let allowed = texts.len() * at_most_per_thousand / 1000;
        assert!(wrong <= allowed, "{pack}: {wrong} of {}: {rules:?}", texts.len());
    }
}
