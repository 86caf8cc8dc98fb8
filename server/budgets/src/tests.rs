//! Suites on a real PostgreSQL.

mod apart;
mod arithmetic;
mod budgets;
mod follow;
mod history;
mod kinds;
mod leasing;
mod node;
mod race;
mod rates;
mod runs;
mod settling;
mod sweeping;
mod world;
