//! Suites on a real PostgreSQL.

mod arithmetic;
mod budgets;
mod leasing;
mod race;
mod settling;
mod sweeping;
mod usage;
mod world;
