//! The built-in PostgreSQL on real folders. As root these also prove the drop of privileges.
