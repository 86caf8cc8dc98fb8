//! The ways in, for somebody who has not come in: by where they say that they belong.

use ralex_api::sso::{SsoDoor, SsoDoors};
use ralex_kernel::{Email, Problem};
use ralex_store::problem;

use crate::Sso;
use crate::provider::{address, stored};
use crate::sql::provider as sql;

impl Sso {
    /// The providers of an organisation, or those that let addresses of a domain in. Accounts are not
    /// looked at, so that nothing is told of them.
    pub async fn doors(&self, at: &str) -> Result<SsoDoors, Problem> {
        let email: Option<Email> = at.trim().parse().ok();
        let domain = email.map(|email| domain(&email));
        let org = at.trim().to_lowercase();
        let org = domain.is_none().then_some(org.as_str());
        let mut tx = self.0.db.system("show somebody the way in").await?;
        let found = sql::doors(&mut tx, org, domain.as_deref()).await.map_err(problem)?;
        let items = found.into_iter().map(|door| {
            Ok(SsoDoor {
                org_name: stored(&door.org_name)?,
                provider: stored(&door.name)?,
                start_url: address("", &door.org, &door.slug, "start"),
            })
        });
        Ok(SsoDoors { items: items.collect::<Result<_, Problem>>()? })
    }
}

/// What stands behind the last `@`, as domains are compared.
pub(crate) fn domain(email: &Email) -> String {
    let key = email.key();
    key.rsplit_once('@').map(|(_, domain)| domain.to_owned()).unwrap_or_default()
}
