//! What every request passes on its way in and out.

mod request;

pub use request::{per_request, security_headers};
