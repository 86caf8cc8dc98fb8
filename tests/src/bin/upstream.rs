//! The scripted provider as a program: prints `ready http://…` and serves until it is ended.

#![expect(clippy::print_stdout, reason = "its one line of output tells where it listens")]

use clap::Parser;
use ralex_tests::upstream::Upstream;

/// A scripted provider that speaks OpenAI's and Anthropic's wire formats.
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
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let upstream = Upstream::start_with(
        arguments.listen,
        arguments.delay_first_ms,
        !arguments.forget_requests,
    )?;
    println!("ready {}", upstream.url());
    loop {
        std::thread::park();
    }
}
