//! The scripted provider as a program: prints `ready http://…` and serves until it is ended.

#![expect(clippy::print_stdout, reason = "its one line of output tells where it listens")]

use clap::Parser;
use ralex_tests::upstream::{Key, Manner, Upstream};

/// A scripted provider that speaks the vendors' wire formats.
#[derive(Parser)]
struct Arguments {
    /// Where to listen; port 0 takes a free one.
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: String,
    /// Milliseconds before every unscripted answer.
    #[arg(long, default_value_t = 0)]
    delay_first_ms: u64,
    /// Remember no requests, for benchmarks.
    #[arg(long)]
    forget_requests: bool,
    /// Take only calls with this key; `ID:SECRET:REGION` for Amazon's signatures.
    #[arg(long)]
    key: Option<String>,
}

fn key(text: String) -> Key {
    let parts: Vec<&str> = text.split(':').collect();
    match parts[..] {
        [id, secret, region] => {
            Key::Amazon { id: id.into(), secret: secret.into(), region: region.into() }
        }
        _ => Key::Plain(text),
    }
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let manner = Manner {
        delay_first_ms: arguments.delay_first_ms,
        forget_requests: arguments.forget_requests,
        key: arguments.key.map(key),
        ..Manner::default()
    };
    let upstream = Upstream::start_with(arguments.listen, manner)?;
    println!("ready {}", upstream.url());
    loop {
        std::thread::park();
    }
}
