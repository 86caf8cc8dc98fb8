//! Where the server listens, and what it says when it is ready.

use std::net::TcpListener;

use crate::first_start::{self, FirstLogin};
use crate::say;
use crate::settings::Settings;

pub fn listen(settings: &Settings) -> anyhow::Result<TcpListener> {
    TcpListener::bind(settings.listen).map_err(|error| match error.kind() {
        std::io::ErrorKind::AddrInUse => anyhow::anyhow!(
            "{} is taken by another program. End it, or choose another with --listen or RALEX_LISTEN.",
            settings.listen
        ),
        std::io::ErrorKind::AddrNotAvailable => anyhow::anyhow!(
            "{} is not an address of this machine. Choose another with --listen or RALEX_LISTEN.",
            settings.listen
        ),
        std::io::ErrorKind::PermissionDenied => anyhow::anyhow!(
            "{} may not be used by this account. Choose a port above 1023 with --listen or RALEX_LISTEN.",
            settings.listen
        ),
        _ => anyhow::anyhow!("{} cannot be listened on: {error}.", settings.listen),
    })
}

pub fn address(settings: &Settings, listener: &TcpListener) -> String {
    let bound = listener.local_addr().unwrap_or(settings.listen);
    settings.public_url.as_ref().map_or_else(
        || format!("http://{bound}"),
        |url| url.as_str().trim_end_matches('/').to_owned(),
    )
}

pub fn announce(settings: &Settings, address: &str, first: Option<&FirstLogin>) {
    say::line(&first_start::block(address, first, &settings.data_dir));
    say::line(&format!("ready {address}"));
}
