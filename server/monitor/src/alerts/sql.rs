//! The queries of alerts.

pub(crate) mod alerts;
pub(crate) mod cursor;
pub(crate) mod deliveries;
pub(crate) mod inbox;
pub(crate) mod places;
pub(crate) mod rules;
pub(crate) mod watch;

pub(crate) use rules::Told;

type Result<T> = std::result::Result<T, sqlx::Error>;
