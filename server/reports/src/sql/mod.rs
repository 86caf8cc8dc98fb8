//! Queries of reports: the records themselves, and what each kind reads.

pub(crate) mod events;
pub(crate) mod file;
pub(crate) mod health;
pub(crate) mod keys;
pub(crate) mod people;
pub(crate) mod person;
pub(crate) mod record;
pub(crate) mod register;
pub(crate) mod schedule;

pub(crate) type Result<T> = std::result::Result<T, sqlx::Error>;
