//! What an organisation allows of requests for access: how long, and how many must agree.

use ralex_api::access_requests::{AccessRequestSettings, SetAccessRequestSettings};
use ralex_audit::{AccessRequestEvent, Event, record};
use ralex_kernel::Problem;
use ralex_store::problem;

use crate::access::Access;
use crate::scope::Scope;
use crate::sql::request as sql;

/// No access for a while is longer than this.
pub(crate) const LONGEST: u32 = 14 * 24 * 60;
const WEEK: u32 = 7 * 24 * 60;
const MOST_APPROVALS: u32 = 5;

/// Where an organisation has said nothing: half a working day, and an hour to decide.
pub(crate) const DEFAULTS: AccessRequestSettings = AccessRequestSettings {
    approvals: 1,
    default_minutes: 240,
    longest_minutes: LONGEST,
    pending_minutes: 60,
};

impl Access {
    pub async fn request_settings(&self, scope: &Scope) -> Result<AccessRequestSettings, Problem> {
        let mut tx = self.db().tenant(scope.org()).await?;
        sql::settings(&mut tx, scope.org()).await.map_err(problem)
    }

    /// Holds for what is asked from now on. A time that is shorter now is also that of what still
    /// waits.
    pub async fn set_request_settings(
        &self,
        scope: &Scope,
        set: SetAccessRequestSettings,
    ) -> Result<AccessRequestSettings, Problem> {
        let SetAccessRequestSettings {
            approvals,
            default_minutes,
            longest_minutes,
            pending_minutes,
        } = set;
        for (name, given, most) in [
            ("approvals", approvals, MOST_APPROVALS),
            ("longest_minutes", longest_minutes, LONGEST),
            ("default_minutes", default_minutes, longest_minutes),
            ("pending_minutes", pending_minutes, WEEK),
        ] {
            if !(1..=most).contains(&given) {
                return Err(Problem::field(name, format!("must be between 1 and {most}")));
            }
        }
        let org = scope.org();
        let settings =
            AccessRequestSettings { approvals, default_minutes, longest_minutes, pending_minutes };
        let mut tx = self.db().tenant(org).await?;
        sql::set_settings(&mut tx, org, &settings).await.map_err(problem)?;
        let event = AccessRequestEvent::Configured {
            org,
            approvals,
            default_minutes,
            longest_minutes,
            pending_minutes,
        };
        record(&mut tx, scope.author(), Event::AccessRequest(event)).await.map_err(problem)?;
        tx.commit().await.map_err(problem)?;
        Ok(settings)
    }
}
