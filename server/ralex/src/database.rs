//! The database of a server: started, brought to this version, stopped.

use anyhow::{Context, bail};
use ralex_store::BuiltIn;
use tracing::info;

use crate::settings::Settings;

/// PostgreSQL: ours, or the one that the settings name.
pub struct Database {
    url: String,
    built_in: Option<BuiltIn>,
}

impl Database {
    pub async fn start(settings: &Settings) -> anyhow::Result<Self> {
        std::fs::create_dir_all(&settings.data_dir).with_context(|| {
            format!(
                "The data folder {} cannot be made. Choose another with --data-dir or RALEX_DATA_DIR.",
                settings.data_dir.display()
            )
        })?;
        let database = if let Some(url) = &settings.database_url {
            Self { url: url.expose().to_owned(), built_in: None }
        } else {
            let bin = settings.postgres_bin.as_deref();
            let progress = |step: &str| info!("{step}");
            let built_in = BuiltIn::start(&settings.data_dir, bin, progress).await?;
            Self { url: built_in.url(), built_in: Some(built_in) }
        };
        if let Err(error) = ralex_store::migrate(&database.url).await {
            database.stop().await;
            bail!(error);
        }
        Ok(database)
    }

    /// The same for a command, which makes no database where there is none: it was given the wrong folder.
    pub async fn start_existing(settings: &Settings) -> anyhow::Result<Self> {
        if settings.database_url.is_none() && !BuiltIn::is_in(&settings.data_dir) {
            bail!(
                "There is no database in {}. Name the server's data folder with --data-dir or \
                 RALEX_DATA_DIR, or its database with RALEX_DATABASE_URL.",
                settings.data_dir.display()
            );
        }
        Self::start(settings).await
    }

    pub fn url(&self) -> &str {
        &self.url
    }

    pub async fn stop(self) {
        if let Some(built_in) = self.built_in {
            built_in.stop().await;
        }
    }
}
