//! Settings: each is a flag, an environment variable and a key in `ralex.toml`, in that order.
//!
//! They are read once and checked as a whole, so one message names every one that is wrong.

mod read;
mod table;

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Arg, ArgMatches, Command};
use ipnet::IpNet;
use ralex_audit::Witness;
use ralex_broker::{Places, Resilience};
use ralex_kernel::{Email, Secret, Slug};
use ralex_mail::{MailServer, Security};
use ralex_providers::Timeouts;
use ralex_reports::Limits;
use ralex_routing::breaker::BreakerSettings;
use url::Url;

use read::{
    as_text, certificate, database_url, filter, folder, named, networks, password, public_url,
    seal_key, security, truth, within, witnesses,
};
pub use table::SETTINGS;

/// The settings of a server, checked.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a setting of its own")]
pub struct Settings {
    pub listen: SocketAddr,
    pub data_dir: PathBuf,
    pub database_url: Option<Secret>,
    pub database_connections: u32,
    pub postgres_bin: Option<PathBuf>,
    pub admin_email: Email,
    pub admin_password: Option<Secret>,
    pub admin_org: Slug,
    pub public_url: Option<Url>,
    pub mail: Option<MailServer>,
    pub trusted_proxies: Vec<IpNet>,
    pub seal_key: Option<Secret>,
    pub egress_allow: Vec<IpNet>,
    pub audit_witnesses: Vec<Witness>,
    pub audit_archive: Option<PathBuf>,
    pub policies: Option<PathBuf>,
    pub simulated: bool,
    pub default_max_output: u64,
    pub timeouts: Timeouts,
    pub resilience: Resilience,
    pub record_first: bool,
    pub places: Places,
    pub cache_bytes: u64,
    pub breakers: BreakerSettings,
    pub max_body: usize,
    pub max_file: u64,
    pub reports: Limits,
    /// What a directory's token may ask in a minute; 0 bounds nothing.
    pub scim_requests: u32,
    /// Whether operators change something only with a second factor.
    pub operators_need_factor: bool,
    pub log: String,
    pub log_json: bool,
}

/// Every setting that is wrong, with where it was set and why.
#[derive(Debug, PartialEq, Eq)]
pub struct Invalid(pub Vec<String>);

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "These settings are not valid:")?;
        for line in &self.0 {
            writeln!(f, "  {line}")?;
        }
        f.write_str("See `ralex config --help` for all settings. Nothing was started.")
    }
}

impl std::error::Error for Invalid {}

/// Adds a flag for each setting.
pub fn flags(command: Command) -> Command {
    command
        .args(SETTINGS.iter().map(|setting| {
            let default = setting.default.filter(|text| !text.is_empty());
            let default = default.map_or(String::new(), |text| format!(" [default: {text}]"));
            Arg::new(setting.key)
                .long(setting.key.replace('_', "-"))
                .value_name(setting.value)
                .help(format!("{} [{}]{default}", setting.help, variable(setting.key)))
        }))
        .arg(
            Arg::new("config")
                .long("config")
                .value_name("FILE")
                .help("The settings file [RALEX_CONFIG] [default: ralex.toml, where there is one]"),
        )
}

/// The environment variable of a setting.
pub fn variable(key: &str) -> String {
    format!("RALEX_{}", key.to_uppercase())
}

impl Settings {
    /// Reads flags, the environment and the file, and checks all of it.
    pub fn read(
        matches: &ArgMatches,
        environment: &BTreeMap<String, String>,
    ) -> Result<Self, Invalid> {
        let mut given = Given::default();
        given.file(matches, environment);
        for setting in SETTINGS {
            let name = variable(setting.key);
            // An empty variable is an unset one: that is how containers pass optional settings.
            if let Some(text) = environment.get(&name).filter(|text| !text.is_empty()) {
                given.put(setting.key, name, text.clone());
            }
            if let Some(text) = matches.get_one::<String>(setting.key) {
                let flag = format!("--{}", setting.key.replace('_', "-"));
                given.put(setting.key, flag, text.clone());
            }
        }
        given.check()
    }
}

#[derive(Default)]
struct Given {
    /// Where a setting was set, and to what.
    values: BTreeMap<&'static str, (String, String)>,
    wrong: Vec<String>,
}

impl Given {
    fn put(&mut self, key: &'static str, origin: String, text: String) {
        self.values.insert(key, (origin, text));
    }

    fn file(&mut self, matches: &ArgMatches, environment: &BTreeMap<String, String>) {
        let named = matches.get_one::<String>("config").or_else(|| environment.get("RALEX_CONFIG"));
        let path = named.map_or_else(|| Path::new("ralex.toml"), Path::new);
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(_) if named.is_none() => return,
            Err(error) => {
                self.wrong.push(format!("{}: cannot be read: {error}", path.display()));
                return;
            }
        };
        let table: toml::Table = match text.parse() {
            Ok(table) => table,
            Err(error) => {
                let why = error.to_string().replace('\n', " ");
                self.wrong.push(format!("{}: {why}", path.display()));
                return;
            }
        };
        for (key, value) in table {
            let origin = format!("{} in {}", key, path.display());
            let Some(setting) = SETTINGS.iter().find(|setting| setting.key == key) else {
                self.wrong.push(format!("{origin}: there is no such setting"));
                continue;
            };
            match as_text(&value) {
                Some(text) => self.put(setting.key, origin, text),
                None => {
                    self.wrong.push(format!("{origin}: must be a text, number or list of texts"));
                }
            }
        }
    }

    fn text(&self, key: &'static str) -> Option<(String, String)> {
        let default = || {
            let setting = SETTINGS.iter().find(|setting| setting.key == key)?;
            Some((key.to_owned(), setting.default?.to_owned()))
        };
        self.values.get(key).cloned().or_else(default)
    }

    fn parse<T>(
        &mut self,
        key: &'static str,
        fallback: T,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> T {
        let Some((origin, text)) = self.text(key) else { return fallback };
        match parse(&text) {
            Ok(value) => value,
            Err(why) => {
                // A password is not repeated, not even where it is wrong.
                self.wrong.push(format!("{origin}: {why}"));
                fallback
            }
        }
    }

    fn check(mut self) -> Result<Settings, Invalid> {
        let timeouts = self.timeouts();
        let settings =
            Settings {
                listen: self.parse("listen", SocketAddr::from(([127, 0, 0, 1], 8080)), |text| {
                    text.parse().map_err(|_| {
                        format!("`{text}` is not an address and port such as 127.0.0.1:8080")
                    })
                }),
                data_dir: self
                    .parse("data_dir", PathBuf::from(".ralex"), |text| Ok(PathBuf::from(text))),
                database_url: self.parse("database_url", None, database_url),
                database_connections: self
                    .parse("database_connections", 20, |text| within(text, 2, 1000)),
                postgres_bin: self.parse("postgres_bin", None, |text| folder(text).map(Some)),
                admin_email: self.parse("admin_email", owner(), named),
                admin_password: self.parse("admin_password", None, password),
                admin_org: self.parse("admin_org", default_org(), named),
                public_url: self.parse("public_url", None, public_url),
                mail: self.mail(),
                trusted_proxies: self.parse("trusted_proxies", Vec::new(), networks),
                seal_key: self.parse("seal_key", None, seal_key),
                egress_allow: self.parse("egress_allow", Vec::new(), networks),
                audit_witnesses: self.parse("audit_witnesses", Vec::new(), witnesses),
                audit_archive: self.parse("audit_archive", None, |text| folder(text).map(Some)),
                policies: self.parse("policies", None, |text| folder(text).map(Some)),
                simulated: self.parse("simulated", true, truth),
                default_max_output: self
                    .parse("default_max_output", 4096, |text| within(text, 1, 1_000_000)),
                timeouts,
                resilience: self.resilience(timeouts.whole),
                record_first: self.parse("record_first", false, truth),
                places: self.places(),
                cache_bytes: self.parse("cache_bytes", 0, |text| within(text, 0, 1 << 40)),
                breakers: self.breakers(),
                max_body: self.parse("max_body", 0, |text| within(text, 1024, 1 << 30)),
                max_file: self.parse("max_file", 0, |text| within(text, 1024, 1 << 40)),
                reports: self.reports(),
                scim_requests: self.parse("scim_requests", 0, |text| within(text, 0, 1_000_000)),
                operators_need_factor: self.parse("operators_second_factor", false, |text| {
                    match text {
                        "required" => Ok(true),
                        "optional" => Ok(false),
                        _ => Err(format!("`{text}` is neither required nor optional")),
                    }
                }),
                log: self.parse("log", "info".to_owned(), filter),
                log_json: self.parse("log_format", false, |text| match text {
                    "text" => Ok(false),
                    "json" => Ok(true),
                    _ => Err(format!("`{text}` is neither text nor json")),
                }),
            };
        if self.wrong.is_empty() { Ok(settings) } else { Err(Invalid(self.wrong)) }
    }

    /// Its four settings make one server, or none where no address is given.
    fn mail(&mut self) -> Option<MailServer> {
        let plain = self.parse("smtp_tls", Security::Required, security);
        let authority = self.parse("smtp_ca", None, certificate);
        let sender = self.parse("mail_from", None, |text| named(text).map(Some));
        self.parse("smtp_url", None, |url| {
            let sender = sender.ok_or("needs mail_from, the address that mail comes from")?;
            MailServer::new(url, plain, authority, sender).map(Some).map_err(str::to_owned)
        })
    }

    fn timeouts(&mut self) -> Timeouts {
        Timeouts {
            connect: self.millis("connect_timeout", 1, 600_000),
            first_byte: self.millis("first_byte_timeout", 1, 3_600_000),
            whole: self.millis("answer_timeout", 1, 3_600_000),
            idle: self.millis("idle_timeout", 1, 3_600_000),
        }
    }

    fn resilience(&mut self, deadline: Duration) -> Resilience {
        Resilience {
            attempts: self.parse("attempts", 4, |text| within(text, 1, 20)),
            deadline,
            longest_pause: self.millis("retry_wait", 0, 600_000),
            hedge_after: self.parse("hedge_after", None, |text| {
                within(text, 1, 600_000).map(|count| Some(Duration::from_millis(count)))
            }),
        }
    }

    fn places(&mut self) -> Places {
        Places {
            at_once: self.parse("provider_concurrency", 1, |text| within(text, 1, 1_000_000)),
            waiting: self.parse("queue_length", 0, |text| within(text, 0, 1_000_000)),
            longest_wait: self.millis("queue_wait", 0, 600_000),
        }
    }

    fn breakers(&mut self) -> BreakerSettings {
        BreakerSettings {
            failures: self.parse("breaker_failures", 5, |text| within(text, 1, 1_000)),
            percent: self.parse("breaker_percent", 50, |text| within(text, 1, 100)),
            open: self.millis("breaker_open", 1, 600_000),
            ..BreakerSettings::default()
        }
    }

    fn reports(&mut self) -> Limits {
        Limits {
            bytes: self.parse("report_bytes", 0, |text| within(text, 1 << 20, 1 << 32)),
            days: self.parse("report_days", 0, |text| within(text, 1, 36_500)),
        }
    }

    fn millis(&mut self, key: &'static str, low: u64, high: u64) -> Duration {
        self.parse(key, Duration::ZERO, |text| within(text, low, high).map(Duration::from_millis))
    }
}

/// Stands in only where the real one is wrong, so that the other settings can still be checked.
fn owner() -> Email {
    "owner@localhost".parse().unwrap_or_else(|_| unparsed())
}

fn default_org() -> Slug {
    "default".parse().unwrap_or_else(|_| unparsed())
}

#[expect(clippy::unreachable, reason = "both texts are constants that the tests parse")]
fn unparsed<T>() -> T {
    unreachable!("a constant does not parse")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(flags_given: &[&str], environment: &[(&str, &str)]) -> Result<Settings, Invalid> {
        let command = flags(Command::new("serve").no_binary_name(true));
        let environment =
            environment.iter().map(|(key, text)| ((*key).to_owned(), (*text).to_owned())).collect();
        Settings::read(&command.get_matches_from(flags_given), &environment)
    }

    #[test]
    fn a_flag_wins_over_the_environment_and_that_over_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("ralex.toml");
        std::fs::write(&file, "listen = \"127.0.0.1:1\"\nlog = \"warn\"\nmax_body = 2048\n")
            .unwrap();
        let file = file.to_str().unwrap();
        let environment = [("RALEX_LISTEN", "127.0.0.1:2"), ("RALEX_LOG", "debug")];
        let settings = read(&["--config", file, "--listen", "127.0.0.1:3"], &environment).unwrap();
        assert_eq!(settings.listen.port(), 3);
        assert_eq!(settings.log, "debug");
        assert_eq!(settings.max_body, 2048);
    }

    #[test]
    fn one_message_names_every_wrong_setting() {
        let environment = [
            ("RALEX_LISTEN", "nowhere"),
            ("RALEX_ADMIN_EMAIL", "nobody"),
            ("RALEX_EGRESS_ALLOW", "127.0.0.0/8,x"),
            ("RALEX_DATABASE_URL", "mysql://secret@host"),
        ];
        let message = read(&["--max-body", "1"], &environment).unwrap_err().to_string();
        for name in [
            "RALEX_LISTEN",
            "RALEX_ADMIN_EMAIL",
            "RALEX_EGRESS_ALLOW",
            "RALEX_DATABASE_URL",
            "--max-body",
        ] {
            assert!(message.contains(name), "{name} is missing in {message}");
        }
        assert!(!message.contains("secret"), "{message}");
    }

    #[test]
    fn a_mail_server_is_wrong_without_a_sender_and_its_password_is_not_repeated() {
        let url = ("RALEX_SMTP_URL", "smtp://u:hidden@mail.example.com");
        let from = ("RALEX_MAIL_FROM", "Ralex <ralex@example.com>");
        let message = read(&[], &[url]).unwrap_err().to_string();
        assert!(message.contains("RALEX_SMTP_URL: needs mail_from"), "{message}");
        let message = read(&["--smtp-tls", "off"], &[url, from]).unwrap_err().to_string();
        assert!(message.contains("encrypted") && !message.contains("hidden"), "{message}");
        assert!(read(&[], &[url, from]).unwrap().mail.is_some());
        assert!(read(&[], &[from]).unwrap().mail.is_none());
    }

    #[test]
    fn the_file_takes_no_unknown_key() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("ralex.toml");
        std::fs::write(&file, "lisen = \"127.0.0.1:1\"\n").unwrap();
        let message = read(&["--config", file.to_str().unwrap()], &[]).unwrap_err().to_string();
        assert!(message.contains("lisen"), "{message}");
    }

    #[test]
    fn the_defaults_are_valid() {
        let settings = read(&[], &[]).unwrap();
        assert_eq!(settings.admin_org, default_org());
        assert_eq!(settings.admin_email, owner());
    }
}
