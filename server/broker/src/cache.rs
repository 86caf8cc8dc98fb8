//! Kept answers: the same question in the same organisation is answered again without a provider.
//!
//! Off unless an organisation switches it on. Answers are kept in the memory of this node alone,
//! never on a disk, and under a key that no other organisation can come upon: an HMAC, with a
//! secret of this process, over the organisation, the scope, the policy version, the model and the
//! canonical form of the request. Any change of the organisation's policy, of its guardrails, keys
//! or models makes a new version, and so forgets all that was kept before it.
//!
//! What always holds: a hit is decided, held for (at nothing) and recorded like every other call;
//! nothing is kept of a call that failed, was cut or was canceled.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use hmac::{Hmac, KeyInit, Mac};
use moka::sync::Cache as Shelf;
use parking_lot::RwLock;
use ralex_access::Scope;
use ralex_api::resilience::{Cache as ApiCache, CacheMode, SetCache};
use ralex_audit::{Event, record};
use ralex_kernel::{Money, OrgId, Problem, ScopePath};
use ralex_providers::Operation;
use ralex_store::problem;
use serde_json::Value;
use sha2::Sha256;

use crate::exchange::CallRequest;
use crate::{Broker, sql};

/// No answer larger than this is kept.
const LARGEST: usize = 1024 * 1024;
const LONGEST_TTL: u32 = 7 * 24 * 60 * 60;
/// What an entry takes beside its body.
const OVERHEAD: usize = 256;

type Key = [u8; 32];

/// An answer that is kept.
#[derive(Debug)]
pub(crate) struct Kept {
    pub body: Bytes,
    /// What it has cost.
    pub cost: Money,
    until: Instant,
}

/// Where the answer of a call may be kept.
#[derive(Clone, Debug)]
pub(crate) struct Slot {
    key: Key,
    ttl: Duration,
}

/// The answers that this node keeps.
#[derive(Clone, Debug)]
pub(crate) struct Answers(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    shelf: Shelf<Key, Arc<Kept>>,
    secret: [u8; 32],
    /// What each organisation wants, by its policy version.
    rules: RwLock<HashMap<OrgId, (i64, Rules)>>,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Rules {
    pub mode: CacheMode,
    pub ttl_seconds: u32,
}

impl Answers {
    /// `bytes`: how much all answers may take.
    pub fn new(bytes: u64) -> Self {
        let weigh = |_: &Key, kept: &Arc<Kept>| {
            u32::try_from(kept.body.len() + OVERHEAD).unwrap_or(u32::MAX)
        };
        let longest = Duration::from_secs(LONGEST_TTL.into());
        let shelf =
            Shelf::builder().max_capacity(bytes).weigher(weigh).time_to_live(longest).build();
        Self(Arc::new(Inner { shelf, secret: rand::random(), rules: RwLock::default() }))
    }

    pub fn find(&self, slot: &Slot) -> Option<Arc<Kept>> {
        let kept = self.0.shelf.get(&slot.key);
        let found = kept.filter(|kept| Instant::now() < kept.until);
        let label = if found.is_some() { "hit" } else { "miss" };
        metrics::counter!("ralex_cache_total", "result" => label).increment(1);
        found
    }

    pub fn keep(&self, slot: &Slot, body: Bytes, cost: Money) {
        if body.len() <= LARGEST {
            let until = Instant::now() + slot.ttl;
            self.0.shelf.insert(slot.key, Arc::new(Kept { body, cost, until }));
        }
    }

    fn key(&self, parts: &[&[u8]]) -> Option<Key> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0.secret).ok()?;
        for part in parts {
            // Each with its length, so that no two lists of parts give the same bytes.
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part);
        }
        Some(mac.finalize().into_bytes().into())
    }
}

impl Broker {
    /// Where the answer of a call may be found or kept; nothing where the organisation keeps none
    /// of this kind, or the caller wants a new one.
    pub(crate) async fn slot(
        &self,
        request: &CallRequest,
        model: &str,
    ) -> Result<Option<Slot>, Problem> {
        let version = self.parts.access.version(request.org);
        let rules = self.cache_rules(request.org, version).await?;
        let generates = request.inbound.operation() == Operation::Generate;
        if rules.mode == CacheMode::Off || !generates || request.wishes.fresh {
            return Ok(None);
        }
        let Ok(body) = serde_json::from_slice::<Value>(&request.body) else { return Ok(None) };
        if rules.mode == CacheMode::Deterministic && !is_deterministic(&body) {
            return Ok(None);
        }
        let scope = scope_text(request.at);
        let streamed = [u8::from(request.inbound.streamed())];
        let mut canonical = String::new();
        write_canonical(&body, &mut canonical);
        let key = self.answers.key(&[
            request.org.uuid().as_bytes(),
            scope.as_bytes(),
            &version.to_be_bytes(),
            model.as_bytes(),
            request.inbound.dialect().as_str().as_bytes(),
            &streamed,
            request.meaning.as_bytes(),
            canonical.as_bytes(),
        ]);
        let ttl = Duration::from_secs(rules.ttl_seconds.into());
        Ok(key.map(|key| Slot { key, ttl }))
    }

    async fn cache_rules(&self, org: OrgId, version: i64) -> Result<Rules, Problem> {
        let known = self.answers.0.rules.read().get(&org).copied();
        if let Some((_, rules)) = known.filter(|(known, _)| *known == version) {
            return Ok(rules);
        }
        let mut tx = self.db.tenant(org).await?;
        let rules = sql::cache_rules(&mut tx, org).await.map_err(problem)?;
        self.answers.0.rules.write().insert(org, (version, rules));
        Ok(rules)
    }

    /// Whether answers are kept, and what that saved.
    pub async fn cache(&self, scope: &Scope) -> Result<ApiCache, Problem> {
        let mut tx = self.db.tenant(scope.org()).await?;
        let rules = sql::cache_rules(&mut tx, scope.org()).await.map_err(problem)?;
        let saved = sql::saved(&mut tx, scope.org()).await.map_err(problem)?;
        let count = |number: i64| u64::try_from(number).unwrap_or(0);
        Ok(ApiCache {
            mode: rules.mode,
            ttl_seconds: rules.ttl_seconds,
            calls: count(saved.calls),
            hits: count(saved.hits),
            saved: saved.amount,
        })
    }

    /// Keeps answers from now on, or no more.
    pub async fn set_cache(&self, scope: &Scope, set: SetCache) -> Result<ApiCache, Problem> {
        if !(1..=LONGEST_TTL).contains(&set.ttl_seconds) {
            let message = format!("must be between 1 and {LONGEST_TTL}");
            return Err(Problem::field("ttl_seconds", message));
        }
        let mut tx = self.db.tenant(scope.org()).await?;
        let rules = Rules { mode: set.mode, ttl_seconds: set.ttl_seconds };
        sql::set_cache(&mut tx, scope.org(), rules).await.map_err(problem)?;
        let (mode, ttl_seconds) = (set.mode.as_str(), set.ttl_seconds);
        let event = Event::CacheConfigured { mode, ttl_seconds };
        record(&mut tx, scope.author(), event).await.map_err(problem)?;
        self.parts.access.commit(tx, scope.org()).await?;
        self.cache(scope).await
    }

    /// Forgets every answer that is kept, on every node: the policy's new version makes all keys
    /// new.
    pub async fn clear_cache(&self, scope: &Scope) -> Result<(), Problem> {
        let mut tx = self.db.tenant(scope.org()).await?;
        let event = Event::CacheCleared { org: scope.org() };
        record(&mut tx, scope.author(), event).await.map_err(problem)?;
        self.parts.access.commit(tx, scope.org()).await
    }
}

fn scope_text(at: ScopePath) -> String {
    at.to_string()
}

/// A temperature of zero, wherever the dialect has it.
fn is_deterministic(body: &Value) -> bool {
    let places =
        ["/temperature", "/generationConfig/temperature", "/generation_config/temperature"];
    let told = places.iter().find_map(|place| body.pointer(place)).and_then(Value::as_f64);
    told.is_some_and(|temperature| temperature <= 0.0)
}

/// The same text for the same value, however its fields are ordered and spaced.
fn write_canonical(value: &Value, out: &mut String) {
    match value {
        Value::Object(fields) => {
            let mut fields: Vec<_> = fields.iter().collect();
            fields.sort_by_key(|(name, _)| *name);
            out.push('{');
            for (name, value) in fields {
                out.push_str(&Value::String(name.clone()).to_string());
                out.push(':');
                write_canonical(value, out);
                out.push(',');
            }
            out.push('}');
        }
        Value::Array(items) => {
            out.push('[');
            for item in items {
                write_canonical(item, out);
                out.push(',');
            }
            out.push(']');
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            out.push_str(&value.to_string());
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn canonical(value: &Value) -> String {
        let mut text = String::new();
        write_canonical(value, &mut text);
        text
    }

    #[test]
    fn order_and_spaces_make_no_other_question_but_every_value_does() {
        let one: Value = serde_json::from_str(r#"{"a": 1, "b": [{"c": "x", "d": null}]}"#).unwrap();
        let two: Value = serde_json::from_str(r#"{"b":[{"d":null,"c":"x"}],"a":1}"#).unwrap();
        assert_eq!(canonical(&one), canonical(&two));
        for other in [json!({ "a": 1 }), json!({ "a": "1" }), json!({ "a": [1] })] {
            assert_ne!(canonical(&one), canonical(&other));
        }
        assert_ne!(canonical(&json!(["a", "b"])), canonical(&json!(["a\",\"b"])));
    }

    #[test]
    fn a_key_belongs_to_one_list_of_parts() {
        let answers = Answers::new(1024);
        let key = |parts: &[&[u8]]| answers.key(parts).unwrap();
        assert_eq!(key(&[b"a", b"bc"]), key(&[b"a", b"bc"]));
        assert_ne!(key(&[b"a", b"bc"]), key(&[b"ab", b"c"]));
        assert_ne!(key(&[b"a"]), Answers::new(1024).key(&[b"a"]).unwrap(), "of one process only");
    }

    #[test]
    fn only_a_temperature_of_zero_is_deterministic() {
        assert!(is_deterministic(&json!({ "temperature": 0 })));
        assert!(is_deterministic(&json!({ "generationConfig": { "temperature": 0.0 } })));
        for body in [json!({}), json!({ "temperature": 0.1 }), json!({ "temperature": null })] {
            assert!(!is_deterministic(&body), "{body}");
        }
    }

    #[test]
    fn what_is_too_large_or_too_old_is_not_given_again() {
        let answers = Answers::new(1 << 30);
        let slot = |key: u8, ttl| Slot { key: [key; 32], ttl };
        let day = Duration::from_hours(24);
        answers.keep(&slot(1, day), Bytes::from_static(b"kept"), Money::ZERO);
        answers.keep(&slot(2, day), vec![0; LARGEST + 1].into(), Money::ZERO);
        answers.keep(&slot(3, Duration::ZERO), Bytes::from_static(b"old"), Money::ZERO);
        let found = |key| answers.find(&slot(key, day)).is_some();
        assert_eq!((found(1), found(2), found(3)), (true, false, false));
    }
}
