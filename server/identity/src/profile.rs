//! What a person says of themselves.

use ralex_api::identity::{UpdateMe, User};
use ralex_audit::{AccountEvent, Event};
use ralex_kernel::{Caller, Problem};
use ralex_store::problem;

use crate::{Identity, sql, stored};

impl Identity {
    /// Changes what one is called, in every organisation that one belongs to.
    ///
    /// # Errors
    /// `forbidden` for a credential that does not speak for the whole account.
    pub async fn update_me(&self, caller: &Caller, change: &UpdateMe) -> Result<User, Problem> {
        let user = crate::holder(caller)?;
        let mut tx = self.db.system("change what a person is called").await?;
        sql::user::set_name(&mut tx, user, change.name.as_str()).await.map_err(problem)?;
        let event = Event::Account(AccountEvent::Renamed { user });
        self.record_everywhere(&mut tx, caller, user, &event).await?;
        let account = sql::user::account(&mut tx, user).await.map_err(problem)?;
        tx.commit().await.map_err(problem)?;
        let account = account.ok_or_else(|| Problem::not_found("account"))?;
        Ok(User { id: user, email: stored(&account.email)?, name: change.name.clone() })
    }
}
