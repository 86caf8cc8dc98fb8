//! The command line, as somebody with a token of their own uses it.

use super::{App, Client, run};

/// `ralex` with the address of a server and the owner's token in its environment.
pub struct Shell {
    url: String,
    token: String,
}

impl Shell {
    pub fn of(app: &App) -> Self {
        Self::by(&app.owner)
    }

    /// The same, with the token of somebody else.
    pub fn by(client: &Client) -> Self {
        Self { url: client.url().to_owned(), token: client.secret() }
    }

    /// What a command answers, with the code that it ends with. Words are split at spaces.
    pub async fn says(&self, line: &str) -> (i32, String) {
        let (line, url, token) = (line.to_owned(), self.url.clone(), self.token.clone());
        let output = tokio::task::spawn_blocking(move || {
            let words: Vec<&str> = line.split(' ').collect();
            run(&words, &[("RALEX_URL", &url), ("RALEX_TOKEN", &token)])
        });
        let Ok(output) = output.await else { panic!("the command did not end") };
        let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        (output.status.code().unwrap_or(-1), said.trim().to_owned())
    }

    /// What a command answers that succeeds.
    pub async fn done(&self, line: &str) -> String {
        let (code, said) = self.says(line).await;
        assert_eq!(code, 0, "{line}: {said}");
        said
    }
}
