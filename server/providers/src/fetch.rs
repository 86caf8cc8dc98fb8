//! Reading what is not a call from where a tenant says, within the same walls: a document, or the
//! answer to a form. No redirect, no address that the policy refuses, and no more than fits.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use url::{Url, form_urlencoded};

use crate::Post;
use crate::post::reason;

/// No document that is read so is larger.
const MOST: usize = 1024 * 1024;

/// What is asked.
#[derive(Clone, Copy)]
pub enum Ask<'a> {
    Document,
    /// The same, on behalf of whoever the token is of.
    As {
        token: &'a str,
    },
    /// A form, by who has that name and that secret where both are told beside it.
    Form {
        fields: &'a [(&'a str, &'a str)],
        basic: Option<(&'a str, &'a str)>,
    },
}

/// The answer, whole.
pub struct Fetched {
    pub status: u16,
    pub content_type: String,
    pub body: Vec<u8>,
}

impl Post {
    /// Asks, and says in a sentence why no answer came if none did.
    pub async fn fetch(
        &self,
        url: &Url,
        ask: Ask<'_>,
        patience: Duration,
    ) -> Result<Fetched, String> {
        // An endpoint may have a query of its own, which leads nowhere else.
        let mut bare = url.clone();
        bare.set_query(None);
        self.check(&bare).map_err(|problem| problem.detail)?;
        let http = self.reach().http(url);
        let request = match ask {
            Ask::Document => http.get(url.clone()),
            Ask::As { token } => {
                http.get(url.clone()).header(AUTHORIZATION, format!("Bearer {token}"))
            }
            Ask::Form { fields, basic } => {
                let body =
                    form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
                let post = http
                    .post(url.clone())
                    .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
                    .body(body);
                match basic {
                    Some(who) => post.header(AUTHORIZATION, named(who)),
                    None => post,
                }
            }
        };
        let request = request.header(ACCEPT, "application/json").timeout(patience);
        let mut answer = request.send().await.map_err(|error| reason(&error))?;
        let content_type = answer.headers().get(CONTENT_TYPE).and_then(|it| it.to_str().ok());
        let content_type = content_type.unwrap_or_default().to_owned();
        let status = answer.status().as_u16();
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(|error| reason(&error))? {
            if body.len() + chunk.len() > MOST {
                return Err("Its answer is too large.".to_owned());
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Fetched { status, content_type, body })
    }
}

/// Both are encoded as in a form before they are joined (RFC 6749, 2.3.1).
fn named((name, secret): (&str, &str)) -> String {
    let encoded = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    format!("Basic {}", STANDARD.encode(format!("{}:{}", encoded(name), encoded(secret))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::EgressPolicy;

    #[tokio::test]
    async fn nothing_is_read_from_inside() {
        let post = Post::new(EgressPolicy::default()).unwrap();
        for url in ["https://127.0.0.1/", "https://localhost/x", "https://169.254.169.254/?a=b"] {
            let url = url.parse().unwrap();
            let read = post.fetch(&url, Ask::Document, Duration::from_secs(5)).await;
            assert!(read.is_err_and(|why| why.contains("not public")), "{url}");
        }
    }

    #[test]
    fn a_secret_with_a_colon_stays_one() {
        assert_eq!(named(("a b", "c:d")), format!("Basic {}", STANDARD.encode("a+b:c%3Ad")));
    }
}
