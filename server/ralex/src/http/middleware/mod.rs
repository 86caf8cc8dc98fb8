//! What every request passes on its way in and out.

mod alias;
mod idempotency;
mod request;

pub use alias::{Deployment, aliases};
pub use idempotency::idempotent;
pub use request::{per_request, security_headers};
