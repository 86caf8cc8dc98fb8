//! Liveness and readiness.

crate::answer! {
    pub struct Health {
        /// `ok`, or what keeps the server from serving.
        pub status: String,
        pub version: String,
    }
}
