//! Problems as answers: `application/problem+json` with the request's id.

use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_TYPE, RETRY_AFTER};
use actix_web::{HttpResponse, ResponseError};
use ralex_kernel::{Code, Problem};

/// A problem on its way out of a handler.
#[derive(Debug)]
pub struct Failed(pub Problem);

pub type Result<T> = std::result::Result<T, Failed>;

impl From<Problem> for Failed {
    fn from(problem: Problem) -> Self {
        Self(problem)
    }
}

impl From<ralex_store::Error> for Failed {
    fn from(error: ralex_store::Error) -> Self {
        Self(error.into())
    }
}

impl std::fmt::Display for Failed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.detail.fmt(f)
    }
}

impl ResponseError for Failed {
    fn status_code(&self) -> StatusCode {
        StatusCode::from_u16(self.0.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    fn error_response(&self) -> HttpResponse {
        answer(&self.0)
    }
}

/// The answer that tells a problem.
pub fn answer(problem: &Problem) -> HttpResponse {
    let status = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = HttpResponse::build(status);
    response.insert_header((CONTENT_TYPE, "application/problem+json"));
    if let Some(seconds) = problem.retry_after {
        response.insert_header((RETRY_AFTER, seconds.to_string()));
    }
    if problem.code == Code::Unauthenticated {
        response.insert_header(("WWW-Authenticate", "Bearer realm=\"ralex\""));
    }
    response.json(problem)
}
