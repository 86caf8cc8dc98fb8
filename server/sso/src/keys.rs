//! The keys that a provider signs with, each pinned to one algorithm, so that no token chooses its own.

use jsonwebtoken::jwk::{
    AlgorithmParameters, EllipticCurve, Jwk, KeyAlgorithm, KeyOperations, PublicKeyUse,
};
use jsonwebtoken::{Algorithm, DecodingKey};
use serde_json::Value;

/// No provider has more; each costs memory and a try.
const MOST: usize = 100;

/// One key, as far as it is of a kind that is accepted.
#[derive(Clone)]
pub(crate) struct Key {
    /// Empty where it has no name.
    pub kid: String,
    pub algorithm: Algorithm,
    pub verifies: DecodingKey,
}

/// All of them.
#[derive(Clone, Default)]
pub(crate) struct Keys(Vec<Key>);

impl Keys {
    /// Reads a set of keys. Those that are not for signatures, that are secrets and not public keys,
    /// or of a kind that is not known are passed over.
    pub fn read(document: &Value) -> Option<Self> {
        let listed = document.get("keys")?.as_array()?;
        Some(Self(listed.iter().take(MOST).filter_map(key).collect()))
    }

    /// The key of that name. A token without a name is taken only where there is one key at all.
    pub fn find(&self, kid: Option<&str>) -> Option<&Key> {
        match (kid, self.0.as_slice()) {
            (Some(kid), keys) => keys.iter().find(|key| key.kid == kid),
            (None, [only]) => Some(only),
            (None, _) => None,
        }
    }

    pub fn iter(&self) -> impl Iterator<Item = &Key> {
        self.0.iter()
    }
}

fn key(value: &Value) -> Option<Key> {
    let jwk: Jwk = serde_json::from_value(value.clone()).ok()?;
    if !signs(&jwk) {
        return None;
    }
    let algorithm = algorithm(&jwk)?;
    let verifies = DecodingKey::from_jwk(&jwk).ok()?;
    Some(Key { kid: jwk.common.key_id.unwrap_or_default(), algorithm, verifies })
}

fn signs(jwk: &Jwk) -> bool {
    let meant = match &jwk.common.public_key_use {
        Some(PublicKeyUse::Signature) | None => true,
        Some(PublicKeyUse::Encryption | PublicKeyUse::Other(_)) => false,
    };
    let able = jwk.common.key_operations.as_ref();
    meant && able.is_none_or(|able| able.contains(&KeyOperations::Verify))
}

/// What the key says, as far as it is possible with it; the usual one where it says nothing.
fn algorithm(jwk: &Jwk) -> Option<Algorithm> {
    let said = jwk.common.key_algorithm;
    let possible: &[(KeyAlgorithm, Algorithm)] = match &jwk.algorithm {
        AlgorithmParameters::RSA(_) => &[
            (KeyAlgorithm::RS256, Algorithm::RS256),
            (KeyAlgorithm::RS384, Algorithm::RS384),
            (KeyAlgorithm::RS512, Algorithm::RS512),
            (KeyAlgorithm::PS256, Algorithm::PS256),
            (KeyAlgorithm::PS384, Algorithm::PS384),
            (KeyAlgorithm::PS512, Algorithm::PS512),
        ],
        AlgorithmParameters::EllipticCurve(curve) => match curve.curve {
            EllipticCurve::P256 => &[(KeyAlgorithm::ES256, Algorithm::ES256)],
            EllipticCurve::P384 => &[(KeyAlgorithm::ES384, Algorithm::ES384)],
            _ => &[],
        },
        AlgorithmParameters::OctetKeyPair(pair) => match pair.curve {
            EllipticCurve::Ed25519 => &[(KeyAlgorithm::EdDSA, Algorithm::EdDSA)],
            _ => &[],
        },
        // A secret in a public document is none.
        _ => &[],
    };
    match said {
        None => possible.first().map(|(_, algorithm)| *algorithm),
        Some(said) => possible.iter().find(|(name, _)| *name == said).map(|(_, it)| *it),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_secret_an_encryption_key_and_a_wrong_algorithm_are_no_keys_to_verify_with() {
        let point = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
        let ec = |more: Value| {
            let mut key = json!({ "kty": "EC", "crv": "P-256", "x": point, "y": point });
            key.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            key
        };
        let read = |key: Value| Keys::read(&json!({ "keys": [key] })).unwrap().0.len();
        assert_eq!(read(ec(json!({}))), 1);
        assert_eq!(read(ec(json!({ "use": "sig", "alg": "ES256" }))), 1);
        assert_eq!(read(ec(json!({ "use": "enc" }))), 0);
        assert_eq!(read(ec(json!({ "alg": "HS256" }))), 0);
        assert_eq!(read(ec(json!({ "alg": "RS256" }))), 0);
        assert_eq!(read(ec(json!({ "key_ops": ["sign"] }))), 0);
        assert_eq!(read(json!({ "kty": "oct", "k": "c2VjcmV0", "alg": "HS256" })), 0);
        assert_eq!(read(json!({ "kty": "new", "x": 1 })), 0);
        assert!(Keys::read(&json!({ "keys": "none" })).is_none());
    }
}
