//! What handlers take: who asks, which organisation, and bodies and parameters that are checked.

mod body;
mod caller;
mod query;

pub use body::{Body, BodyList, too_large_or};
pub use caller::{
    Arrived, OrgCaller, PoliciesOf, Proven, Unrestricted, Who, arrival, authorization, same_site,
    sign_in,
};
pub use query::Query;
