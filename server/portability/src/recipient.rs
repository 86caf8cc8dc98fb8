//! Recipients: whose keys an archive is encrypted to, and which of them operators may carry it to.

use std::collections::HashSet;

use age::x25519::Recipient;
use ralex_access::Scope;
use ralex_api::portability::{
    ExportRecipient, ExportRecipients, RECIPIENTS_MAX, SetExportRecipients,
};
use ralex_audit::{Event, OperatorEvent};
use ralex_kernel::Problem;
use ralex_store::problem;
use sha2::{Digest, Sha256};

use crate::{Portability, sql};

/// So many digits of a SHA-256 tell keys apart in a log.
const FINGERPRINT: usize = 32;

impl Portability {
    /// To whom operators may carry the organisation's export.
    pub async fn recipients(&self, scope: &Scope) -> Result<ExportRecipients, Problem> {
        let org = scope.org();
        let mut tx = self.0.db.tenant(org).await?;
        let rows = sql::recipients(&mut tx, org).await.map_err(problem)?;
        Ok(ExportRecipients { items: rows.into_iter().map(shown).collect() })
    }

    /// Says anew to whom operators may carry it.
    pub async fn set_recipients(
        &self,
        scope: &Scope,
        set: &SetExportRecipients,
    ) -> Result<ExportRecipients, Problem> {
        let org = scope.org();
        let keys = parsed(&set.recipients)?;
        let texts: Vec<String> = keys.iter().map(ToString::to_string).collect();
        let by = scope.caller().subject.user();
        let mut tx = self.0.db.tenant(org).await?;
        let before = sql::recipients(&mut tx, org).await.map_err(problem)?;
        let same =
            before.len() == texts.len() && before.iter().all(|row| texts.contains(&row.recipient));
        if !same {
            sql::set_recipients(&mut tx, org, &texts, by).await.map_err(problem)?;
            let recipients = texts.iter().map(|text| fingerprint(text)).collect();
            let event = OperatorEvent::ExportRecipientsSet { org, recipients };
            ralex_audit::record(&mut tx, scope.author(), Event::Operator(event))
                .await
                .map_err(problem)?;
        }
        let rows = sql::recipients(&mut tx, org).await.map_err(problem)?;
        tx.commit().await.map_err(problem)?;
        Ok(ExportRecipients { items: rows.into_iter().map(shown).collect() })
    }
}

fn shown(row: sql::RecipientRow) -> ExportRecipient {
    ExportRecipient {
        fingerprint: fingerprint(&row.recipient),
        recipient: row.recipient,
        added_at: row.added_at,
        added_by: row.added_by,
    }
}

/// The keys that somebody wrote, each once.
pub(crate) fn parsed(texts: &[String]) -> Result<Vec<Recipient>, Problem> {
    if texts.len() > RECIPIENTS_MAX {
        return Err(Problem::field("recipients", format!("may be {RECIPIENTS_MAX} at most")));
    }
    let mut seen = HashSet::new();
    let mut keys = Vec::with_capacity(texts.len());
    for (at, text) in texts.iter().enumerate() {
        let text = text.trim();
        let key = text.parse::<Recipient>().map_err(|_| {
            // What was written may be the wrong half of a pair, so it is not said again.
            let rule = if text.to_ascii_lowercase().starts_with("age-secret-key") {
                "is a private key; keep it to yourself, and send its public half (`age1…`)"
            } else {
                "is not a public key of age (`age1…`), as `age-keygen` prints it"
            };
            Problem::field(format!("recipients[{at}]"), rule)
        })?;
        if seen.insert(key.to_string()) {
            keys.push(key);
        }
    }
    Ok(keys)
}

/// What the log knows a key by.
pub(crate) fn fingerprint(recipient: &str) -> String {
    let mut digest = hex::encode(Sha256::digest(recipient.as_bytes()));
    digest.truncate(FINGERPRINT);
    digest
}

#[cfg(test)]
mod tests {
    use age::secrecy::ExposeSecret;
    use age::x25519::Identity;

    use super::*;

    fn wrong(text: &str) -> String {
        let problem = parsed(&[text.to_owned()]).unwrap_err();
        assert_eq!(problem.errors[0].path, "recipients[0]");
        problem.errors[0].message.clone()
    }

    #[test]
    fn a_key_counts_once_and_a_private_one_never() {
        let pair = Identity::generate();
        let public = pair.to_public().to_string();
        assert_eq!(parsed(&[public.clone(), format!(" {public}\n")]).unwrap().len(), 1);
        let private = pair.to_string().expose_secret().to_owned();
        let said = wrong(&private);
        assert!(said.contains("private") && !said.contains(&private), "{said}");
        assert!(wrong("age1short").contains("age-keygen"));
        assert!(wrong("").contains("age-keygen"));
        let many = vec![public; RECIPIENTS_MAX + 1];
        assert_eq!(parsed(&many).unwrap_err().errors[0].path, "recipients");
    }
}
