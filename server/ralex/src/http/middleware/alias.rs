//! Other vendors' addresses of the same endpoints.
//!
//! Groq's SDK asks below `/openai/v1/`, Azure's names the deployment in the path, and Google's
//! newest asks below `/v1/` what its older ones ask below `/v1beta/`. They are one endpoint each,
//! so the path is put right before it is matched.

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::Uri;
use actix_web::http::uri::PathAndQuery;
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage};

/// The model that the path of an Azure client names.
#[derive(Clone, Debug)]
pub struct Deployment(pub String);

/// Puts the path of another vendor's client right.
pub async fn aliases(
    mut request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    if let Some((path, deployment)) = target(request.path())
        && let Some(uri) = with_path(request.uri(), &path)
    {
        request.match_info_mut().get_mut().update(&uri);
        request.head_mut().uri = uri;
        if let Some(model) = deployment {
            request.extensions_mut().insert(Deployment(model));
        }
    }
    next.call(request).await
}

/// The path that is served, and the deployment that this one names.
fn target(path: &str) -> Option<(String, Option<String>)> {
    if let Some(rest) = path.strip_prefix("/openai/deployments/") {
        let (model, rest) = rest.split_once('/')?;
        let model = percent_encoding::percent_decode_str(model).decode_utf8_lossy().into_owned();
        return Some((format!("/v1/{rest}"), Some(model)));
    }
    if let Some(rest) = path.strip_prefix("/openai/v1/") {
        return Some((format!("/v1/{rest}"), None));
    }
    // What Azure keeps stands beside its deployments, and so do responses and the list of models.
    if let Some(rest) = path.strip_prefix("/openai/")
        && ["files", "batches", "models", "responses"]
            .contains(&rest.split('/').next().unwrap_or_default())
    {
        return Some((format!("/v1/{rest}"), None));
    }
    let rest = path.strip_prefix("/v1/models/")?;
    let method = rest.rsplit_once(':')?.1;
    METHODS.contains(&method).then(|| (format!("/v1beta/models/{rest}"), None))
}

/// Google's methods of a model; a colon alone may be part of a model's name.
const METHODS: [&str; 5] = [
    "generateContent",
    "streamGenerateContent",
    "countTokens",
    "embedContent",
    "batchEmbedContents",
];

fn with_path(uri: &Uri, path: &str) -> Option<Uri> {
    let mut parts = uri.clone().into_parts();
    let query = uri.query().map_or_else(String::new, |query| format!("?{query}"));
    parts.path_and_query = Some(PathAndQuery::try_from(format!("{path}{query}")).ok()?);
    Uri::from_parts(parts).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_vendors_path_leads_to_the_one_endpoint() {
        let served = |path: &str| target(path).map(|(path, _)| path);
        assert_eq!(served("/openai/v1/chat/completions").as_deref(), Some("/v1/chat/completions"));
        assert_eq!(served("/openai/files/file-1").as_deref(), Some("/v1/files/file-1"));
        assert_eq!(served("/openai/batches").as_deref(), Some("/v1/batches"));
        assert_eq!(served("/openai/responses/resp_1").as_deref(), Some("/v1/responses/resp_1"));
        assert_eq!(
            target("/openai/deployments/my%20gpt/chat/completions"),
            Some(("/v1/chat/completions".to_owned(), Some("my gpt".to_owned())))
        );
        assert_eq!(
            served("/v1/models/gemini-3:streamGenerateContent").as_deref(),
            Some("/v1beta/models/gemini-3:streamGenerateContent")
        );
        for other in
            ["/v1/models/llama3:8b", "/v1/models", "/v1/messages", "/openai/deployments/x", "/"]
        {
            assert_eq!(target(other), None, "{other}");
        }
    }

    #[test]
    fn the_query_stays() {
        let uri: Uri = "/openai/deployments/m/embeddings?api-version=1".parse().unwrap();
        let uri = with_path(&uri, "/v1/embeddings").unwrap();
        assert_eq!(uri.to_string(), "/v1/embeddings?api-version=1");
    }
}
