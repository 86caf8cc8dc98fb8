//! Liveness and readiness.

crate::answer! {
    pub struct Health {
        /// `ok`, or `degraded` where something is wrong that does not keep the server from serving.
        pub status: String,
        pub version: String,
        /// What is wrong although calls are served; then the status is `degraded`.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        pub problems: Vec<String>,
    }
}
