//! What the provider was asked: its view of the same calls.

use anyhow::{Context, bail};
use serde::Deserialize;

use crate::upstream::{Counts, Upstream};

#[derive(Deserialize)]
struct Asked {
    raw: String,
}

/// Takes what came in since the last time: the marker of every request.
///
/// # Errors
/// Where the provider forgot some, which would make the comparison worthless.
pub async fn take(upstream: &Upstream) -> anyhow::Result<Vec<String>> {
    let client = reqwest::Client::new();
    let requests = format!("{}/_requests", upstream.url());
    let counts: Counts =
        client.get(format!("{}/_counts", upstream.url())).send().await?.json().await?;
    let asked: Vec<Asked> = client.get(&requests).send().await?.json().await?;
    client.delete(&requests).send().await?;
    if counts.begun != u64::try_from(asked.len())? {
        bail!("the provider remembers {} of {} requests", asked.len(), counts.begun);
    }
    asked.iter().map(|asked| marker(&asked.raw).context("a request without a marker")).collect()
}

fn marker(raw: &str) -> Option<String> {
    let (_, rest) = raw.split_once("[[")?;
    Some(rest.split_once("]]")?.0.to_owned())
}
