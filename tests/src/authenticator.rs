//! An authenticator in software: it makes one passkey and signs with it, as a phone or a security key
//! does behind a browser (Web Authentication, level 3; ES256, attestation `none`).

#![expect(clippy::expect_used, reason = "a test's own tool fails by panicking")]

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

const PRESENT: u8 = 0x01;
const VERIFIED: u8 = 0x04;
const KEY_INCLUDED: u8 = 0x40;

/// A passkey and what holds it.
pub struct Authenticator {
    key: EcdsaKeyPair,
    id: Vec<u8>,
    user: String,
    /// The page that asks, as the browser sees it.
    pub origin: String,
    /// What the next signature counts as; an authenticator that does not count stays at 0.
    pub count: u32,
    pub counts: bool,
    /// Whether it makes sure who holds it.
    pub verifies: bool,
}

impl Authenticator {
    /// # Panics
    /// Where no key can be made.
    pub fn new(origin: &str) -> Self {
        let mut id = vec![0; 24];
        aws_lc_rs::rand::fill(&mut id).expect("there is randomness");
        let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).expect("a key is made");
        let origin = origin.trim_end_matches('/').to_owned();
        Self { key, id, user: String::new(), origin, count: 0, counts: true, verifies: true }
    }

    /// Makes the passkey that `options` ask for, and answers as a browser's `toJSON` does.
    ///
    /// # Panics
    /// Where the options are none.
    pub fn create(&mut self, options: &Value) -> Value {
        text(&options["user"]["id"]).clone_into(&mut self.user);
        let client = self.client("webauthn.create", options);
        let mut data = self.data(text(&options["rp"]["id"]), KEY_INCLUDED);
        data.extend([0; 16]);
        data.extend(u16::try_from(self.id.len()).expect("an id is short").to_be_bytes());
        data.extend(&self.id);
        data.extend(self.public_key());
        // {"fmt": "none", "attStmt": {}, "authData": data} in CBOR.
        let mut attested = b"\xa3\x63fmt\x64none\x67attStmt\xa0\x68authData\x58".to_vec();
        attested.push(u8::try_from(data.len()).expect("the data is short"));
        attested.extend(data);
        self.answer(
            json!({ "clientDataJSON": base64(&client), "attestationObject": base64(&attested) }),
        )
    }

    /// Signs what `options` ask for, and answers as a browser's `toJSON` does.
    ///
    /// # Panics
    /// Where the options are none.
    pub fn sign(&mut self, options: &Value) -> Value {
        if self.counts {
            self.count += 1;
        }
        let client = self.client("webauthn.get", options);
        let data = self.data(text(&options["rpId"]), 0);
        let signed = [data.as_slice(), digest(&SHA256, &client).as_ref()].concat();
        let signature = self.key.sign(&SystemRandom::new(), &signed).expect("it signs");
        self.answer(json!({
            "clientDataJSON": base64(&client),
            "authenticatorData": base64(&data),
            "signature": base64(signature.as_ref()),
            "userHandle": self.user,
        }))
    }

    fn answer(&self, response: Value) -> Value {
        let id = base64(&self.id);
        json!({
            "id": id,
            "rawId": id,
            "type": "public-key",
            "response": response,
            "clientExtensionResults": {},
        })
    }

    fn client(&self, kind: &str, options: &Value) -> Vec<u8> {
        let said = json!({
            "type": kind,
            "challenge": text(&options["challenge"]),
            "origin": self.origin,
            "crossOrigin": false,
        });
        said.to_string().into_bytes()
    }

    fn data(&self, domain: &str, more: u8) -> Vec<u8> {
        let verified = if self.verifies { VERIFIED } else { 0 };
        let mut data = digest(&SHA256, domain.as_bytes()).as_ref().to_vec();
        data.push(PRESENT | verified | more);
        data.extend(self.count.to_be_bytes());
        data
    }

    /// {1: 2, 3: -7, -1: 1, -2: x, -3: y} in CBOR.
    fn public_key(&self) -> Vec<u8> {
        let point = self.key.public_key().as_ref();
        let (x, y) = point[1..].split_at(32);
        [b"\xa5\x01\x02\x03\x26\x20\x01\x21\x58\x20".as_slice(), x, b"\x22\x58\x20", y].concat()
    }
}

fn text(value: &Value) -> &str {
    value.as_str().expect("the options have this text")
}

fn base64(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}
