//! The table of all settings.

/// One setting, as help, flags and the check of the file know it.
pub struct Setting {
    /// `data_dir`: the key in the file, `--data-dir`, `RALEX_DATA_DIR`.
    pub key: &'static str,
    pub value: &'static str,
    pub default: Option<&'static str>,
    pub help: &'static str,
}

const fn setting(
    key: &'static str,
    value: &'static str,
    default: Option<&'static str>,
    help: &'static str,
) -> Setting {
    Setting { key, value, default, help }
}

/// All of them.
pub const SETTINGS: &[Setting] = &[
    setting("listen", "ADDRESS:PORT", Some("127.0.0.1:8080"), "Where to serve"),
    setting(
        "data_dir",
        "FOLDER",
        Some(".ralex"),
        "Where the built-in PostgreSQL and the seal live",
    ),
    setting(
        "database_url",
        "URL",
        None,
        "An existing PostgreSQL 15 or later; unset starts the built-in one",
    ),
    setting("database_connections", "NUMBER", Some("20"), "Connections to PostgreSQL at most"),
    setting(
        "postgres_bin",
        "FOLDER",
        None,
        "Where initdb and postgres are; unset looks in PATH and the usual places",
    ),
    setting(
        "admin_email",
        "EMAIL",
        Some("owner@localhost"),
        "First start: the owner's e-mail address",
    ),
    setting(
        "admin_password",
        "PASSWORD",
        None,
        "First start: the owner's password; unset makes one up, to be used once",
    ),
    setting("admin_org", "SLUG", Some("default"), "First start: the organisation's slug"),
    setting(
        "public_url",
        "URL",
        None,
        "The address that people use, where a proxy stands before Ralex; https makes cookies secure and passkeys possible",
    ),
    setting(
        "smtp_url",
        "URL",
        None,
        "The mail server, smtp://user:password@host:587 or smtps://…; unset sends no mail",
    ),
    setting(
        "mail_from",
        "ADDRESS",
        None,
        "Who mail comes from, Ralex <ralex@example.com> for example",
    ),
    setting(
        "smtp_tls",
        "required|opportunistic|off",
        Some("required"),
        "Whether smtp:// is encrypted by STARTTLS; a password needs it, except on this machine",
    ),
    setting(
        "smtp_ca",
        "FILE",
        None,
        "Who vouches for the mail server, as PEM, where that is no public authority",
    ),
    setting("trusted_proxies", "CIDR,…", Some(""), "Proxies whose X-Forwarded-For is believed"),
    setting(
        "seal_key",
        "BASE64",
        None,
        "The vault's seal, 32 bytes; unset keeps one in the data folder. All nodes of one database need the same",
    ),
    setting("egress_allow", "CIDR,…", Some(""), "Private networks that providers may be in"),
    setting(
        "audit_witnesses",
        "KEY URL,…",
        Some(""),
        "Witnesses who are asked to sign that the audit log only grows (C2SP tlog-witness)",
    ),
    setting(
        "audit_archive",
        "FOLDER",
        None,
        "Where an audit log is written and verified before anything of it is pruned; unset prunes without",
    ),
    setting("policies", "FOLDER", None, "Policies to use in place of the built-in ones"),
    setting(
        "simulated",
        "true|false",
        Some("true"),
        "First start: add the simulated provider, which answers without a key",
    ),
    setting(
        "default_max_output",
        "TOKENS",
        Some("4096"),
        "Output tokens that are allowed and held for where a call sets no limit",
    ),
    setting(
        "connect_timeout",
        "MILLISECONDS",
        Some("5000"),
        "How long a connection to a provider may take",
    ),
    setting(
        "first_byte_timeout",
        "MILLISECONDS",
        Some("120000"),
        "How long a provider may take to begin a streamed answer",
    ),
    setting(
        "idle_timeout",
        "MILLISECONDS",
        Some("120000"),
        "How long a provider may pause within a streamed answer",
    ),
    setting(
        "answer_timeout",
        "MILLISECONDS",
        Some("600000"),
        "How long a provider may take for an answer that is not streamed, and a call for all its tries",
    ),
    setting("attempts", "NUMBER", Some("4"), "Tries of one call at most, the first one included"),
    setting(
        "retry_wait",
        "MILLISECONDS",
        Some("2000"),
        "The longest pause between two tries; a provider that wants longer is not waited for",
    ),
    setting(
        "hedge_after",
        "MILLISECONDS",
        None,
        "Ask a second candidate beside the first when its first byte is this late; unset never does",
    ),
    setting(
        "record_first",
        "true|false",
        Some("false"),
        "Send no call before its record is durable, not even those that leases of their budgets cover",
    ),
    setting(
        "provider_concurrency",
        "NUMBER",
        Some("10000"),
        "Calls of one provider at once on this node; more wait for their turn",
    ),
    setting("queue_length", "NUMBER", Some("10000"), "Calls that may wait for one provider"),
    setting(
        "queue_wait",
        "MILLISECONDS",
        Some("30000"),
        "How long a call waits for its turn before it is told to come again",
    ),
    setting(
        "cache_bytes",
        "BYTES",
        Some("67108864"),
        "Memory for answers that organisations choose to keep, and as much for the vectors of their questions",
    ),
    setting(
        "breaker_failures",
        "NUMBER",
        Some("5"),
        "Failures in half a minute before a provider, model or key is left alone",
    ),
    setting(
        "breaker_percent",
        "NUMBER",
        Some("50"),
        "How many of a hundred calls must have failed for that",
    ),
    setting(
        "breaker_open",
        "MILLISECONDS",
        Some("10000"),
        "How long it is left alone the first time; ever longer when it fails again",
    ),
    setting(
        "max_file",
        "BYTES",
        Some("104857600"),
        "The largest file that is taken for a provider to keep",
    ),
    setting(
        "report_bytes",
        "BYTES",
        Some("67108864"),
        "The largest file of a compliance report; one that is made needs a few times as much memory",
    ),
    setting("report_days", "DAYS", Some("400"), "How long compliance reports are kept"),
    setting(
        "scim_requests",
        "NUMBER",
        Some("3000"),
        "Requests that one token of an organisation's directory may make in a minute, on all nodes; 0 for any number",
    ),
    setting(
        "operators_second_factor",
        "required|optional",
        Some("optional"),
        "Whether operators change something only with a second factor",
    ),
    setting("max_body", "BYTES", Some("33554432"), "The largest body of a request"),
    setting(
        "log",
        "FILTER",
        Some("info"),
        "What to log: error, warn, info, debug, or a filter by module",
    ),
    setting("log_format", "text|json", Some("text"), "How to log"),
];
