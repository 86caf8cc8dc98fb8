//! Monitor: what looks at all other parts and tells people what they should know.
//!
//! Today that is [`Alerts`]. An alert is *raised* from what the audit log says, or from figures
//! that are looked at steadily, and *told* to whom the organisation's rules name.
//!
//! What always holds: of one thing there is one alert, however many servers look and whenever one
//! of them dies, since the cursor in the log moves in the transaction that raises; an alert that a
//! rule tells of is on its way in that same transaction; each channel gets it once, and again only
//! where a server died before it could note that it was taken, under the same id; what cannot be
//! delivered is given up after a bounded time, and says so.
//!
//! Uses `access`, `audit`, `budgets`, `usage`, `vault`, `mail` and `sinks`' signatures; used by the
//! binary.

mod alerts;

pub use alerts::{Alerts, Parts};
