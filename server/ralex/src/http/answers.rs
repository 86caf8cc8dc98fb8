//! Answers that a provider keeps (OpenAI's responses): read, listed, canceled, deleted.

use actix_web::web::Path;
use actix_web::{HttpRequest, HttpResponse, delete, get, post};
use ralex_broker::{AnswerAction, Broker, Failure};
use ralex_kernel::{Code, FieldError, Problem};
use ralex_providers::Dialect;

use super::files::keep;
use super::models::{part, refused};

/// Read an answer that its provider keeps (OpenAI's responses). Only the team or project that it was
/// given to finds it.
#[utoipa::path(tag = "model calls", responses((status = 200, body = Object)))]
#[get("/v1/responses/{response}")]
pub async fn find_response(request: HttpRequest, response: Path<String>) -> HttpResponse {
    act(&request, &response, AnswerAction::Read, &["include", "include[]"]).await
}

/// Delete an answer at its provider (OpenAI's responses).
#[utoipa::path(tag = "model calls", responses((status = 200, body = Object)))]
#[delete("/v1/responses/{response}")]
pub async fn delete_response(request: HttpRequest, response: Path<String>) -> HttpResponse {
    act(&request, &response, AnswerAction::Delete, &[]).await
}

/// End an answer early (OpenAI's responses).
#[utoipa::path(tag = "model calls", responses((status = 200, body = Object)))]
#[post("/v1/responses/{response}/cancel")]
pub async fn cancel_response(request: HttpRequest, response: Path<String>) -> HttpResponse {
    act(&request, &response, AnswerAction::Cancel, &[]).await
}

/// List what an answer was an answer to (OpenAI's responses).
#[utoipa::path(tag = "model calls", responses((status = 200, body = Object)))]
#[get("/v1/responses/{response}/input_items")]
pub async fn response_input(request: HttpRequest, response: Path<String>) -> HttpResponse {
    let known = ["after", "before", "include", "include[]", "limit", "order"];
    act(&request, &response, AnswerAction::InputItems, &known).await
}

async fn act(
    request: &HttpRequest,
    id: &str,
    action: AnswerAction,
    known: &[&str],
) -> HttpResponse {
    let said = async {
        let keep = keep(request).await?;
        let query = passed(request.query_string(), known)?;
        part::<Broker>(request)?.answer_kept(&keep, (id, action), query.as_deref()).await
    };
    let said: Result<_, Failure> = said.await;
    match said {
        Ok(body) => HttpResponse::Ok()
            .insert_header(("cache-control", "no-store"))
            .content_type("application/json")
            .body(body),
        Err(failure) => refused(Dialect::OpenaiResponses, request, failure),
    }
}

/// What of a query goes on to the provider; the rest is refused by its name. Azure's clients name a
/// version of theirs, which says nothing to others.
fn passed(query: &str, known: &[&str]) -> Result<Option<String>, Problem> {
    let mut pairs = Vec::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let name = percent_encoding::percent_decode_str(name).decode_utf8_lossy();
        match name.as_ref() {
            name if known.contains(&name) => pairs.push(pair),
            "api-version" => {}
            "stream" if value == "false" => {}
            name => {
                let why = "is nothing that can be asked of a kept answer here";
                let mut problem = Problem::new(Code::Unsupported, format!("`{name}` {why}."));
                problem.errors.push(FieldError { path: name.to_owned(), message: why.to_owned() });
                return Err(problem);
            }
        }
    }
    Ok((!pairs.is_empty()).then(|| pairs.join("&")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_query_goes_on_what_is_known_as_it_came_and_nothing_is_dropped_in_silence() {
        let known = ["include[]", "limit"];
        let passed = |query| passed(query, &known);
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(
            passed("include%5B%5D=a%2Fb&limit=2").unwrap(),
            some("include%5B%5D=a%2Fb&limit=2")
        );
        assert_eq!(passed("api-version=2025-04-01-preview&stream=false").unwrap(), None);
        for (query, named) in [("stream=true", "stream"), ("limit=2&key=x", "key")] {
            assert_eq!(passed(query).unwrap_err().errors[0].path, named);
        }
    }
}
