//! Checksums: what tells a real number from one that only looks like it.
//!
//! Rules name them in their data (`check = "luhn"`). Each takes the text that matched, with its
//! separators, and says whether it is one.

mod aadhaar;
mod brazil;
mod codice_fiscale;
mod dni;
mod iban;
mod ip;
mod jwt;
mod luhn;
mod nhs;
mod nir;
mod personalausweis;
mod phone;
mod ralex;
mod ssn;
mod steuer_id;

use std::fmt;

macro_rules! checks {
    ($($(#[$doc:meta])* $variant:ident = $name:literal, $passes:path;)+) => {
        /// A checksum, or another rule that a regular expression cannot say.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Checksum { $($(#[$doc])* $variant),+ }

        impl Checksum {
            /// Every one, for those who write rules.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name),+ }
            }

            /// True when the text is what it looks like.
            pub fn passes(self, text: &str) -> bool {
                match self { $(Self::$variant => $passes(text)),+ }
            }
        }
    };
}

checks! {
    /// Payment cards.
    Luhn = "luhn", luhn::passes;
    /// International bank account numbers.
    Iban = "iban", iban::passes;
    /// Social security numbers of the United States.
    Ssn = "ssn", ssn::is_ssn;
    /// Individual taxpayer identification numbers of the United States.
    Itin = "itin", ssn::is_itin;
    /// Numbers of the British National Health Service.
    Nhs = "nhs", nhs::passes;
    /// Tax identification numbers of Germany.
    SteuerId = "steuer_id", steuer_id::passes;
    /// Identity card numbers of Germany, and machine readable passport numbers.
    Personalausweis = "personalausweis", personalausweis::passes;
    /// Social security numbers of France.
    Nir = "nir", nir::passes;
    /// Identity numbers of Spain, of citizens (DNI) and of others (NIE).
    Dni = "dni", dni::passes;
    /// Tax codes of Italy.
    CodiceFiscale = "codice_fiscale", codice_fiscale::passes;
    /// Identity numbers of India.
    Aadhaar = "aadhaar", aadhaar::passes;
    /// Tax numbers of persons in Brazil.
    Cpf = "cpf", brazil::is_cpf;
    /// Tax numbers of companies in Brazil.
    Cnpj = "cnpj", brazil::is_cnpj;
    /// Telephone numbers with a plausible number of digits.
    Phone = "phone", phone::passes;
    /// Addresses of the Internet that are not loopback, documentation or private ones.
    PublicIp = "public_ip", ip::is_public;
    /// JSON web tokens whose header names an algorithm.
    Jwt = "jwt", jwt::passes;
    /// Ralex's own tokens.
    Ralex = "ralex", ralex::passes;
}

impl Checksum {
    /// How many bytes of the text, from its start, are what it looks like; none where it is not.
    /// A pattern may take the word behind an account number for its last group.
    pub(crate) fn length(self, text: &str) -> Option<usize> {
        match self {
            Self::Iban => iban::length(text),
            other => other.passes(text).then_some(text.len()),
        }
    }

    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|check| check.as_str() == name)
    }
}

impl fmt::Display for Checksum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The digits of a text as numbers.
fn digits(text: &str) -> Vec<u8> {
    text.bytes().filter(u8::is_ascii_digit).map(|digit| digit - b'0').collect()
}

/// True when all digits are one and the same, as in what people write for an example.
fn monotone(digits: &[u8]) -> bool {
    digits.windows(2).all(|pair| pair[0] == pair[1])
}
