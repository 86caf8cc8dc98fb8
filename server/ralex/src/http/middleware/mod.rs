//! What every request passes on its way in and out.

mod alias;
mod idempotency;
mod org_caller;
mod patience;
mod request;

pub use alias::{Deployment, aliases};
pub use idempotency::idempotent;
pub use org_caller::org_caller;
pub use patience::patience;
pub use request::{per_request, security_headers};
