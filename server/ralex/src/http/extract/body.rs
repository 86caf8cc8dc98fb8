//! A JSON body: of the right type to the last field, or a problem that says where it is not.

use std::io::ErrorKind;

use actix_web::dev::Payload;
use actix_web::error::PayloadError;
use actix_web::http::header::CONTENT_TYPE;
use actix_web::web::Bytes;
use actix_web::{FromRequest, HttpRequest};
use futures_util::FutureExt;
use futures_util::future::LocalBoxFuture;
use ralex_kernel::{Code, FieldError, Problem};
use serde::de::DeserializeOwned;

use crate::http::problem::Failed;

/// The body, an object, read as `T`.
pub struct Body<T>(pub T);

/// The body, a list of `T`.
pub struct BodyList<T>(pub Vec<T>);

impl<T: DeserializeOwned + 'static> FromRequest for Body<T> {
    type Error = Failed;
    type Future = LocalBoxFuture<'static, Result<Self, Failed>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let read = read(request, payload, Shape::Object);
        async move { read.await.map(Body) }.boxed_local()
    }
}

impl<T: DeserializeOwned + 'static> FromRequest for BodyList<T> {
    type Error = Failed;
    type Future = LocalBoxFuture<'static, Result<Self, Failed>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let read = read(request, payload, Shape::List);
        async move { read.await.map(BodyList) }.boxed_local()
    }
}

/// What a body is. Serde would take the fields of an object from a list as well, by their order.
#[derive(Clone, Copy)]
enum Shape {
    Object,
    List,
}

impl Shape {
    fn check(self, bytes: &[u8]) -> Result<(), Problem> {
        let first = bytes.trim_ascii_start().first();
        match self {
            Self::Object if first != Some(&b'{') => {
                Err(Problem::field("body", "must be a JSON object"))
            }
            Self::List if first != Some(&b'[') => {
                Err(Problem::field("body", "must be a JSON array"))
            }
            Self::Object | Self::List => Ok(()),
        }
    }
}

fn read<T: DeserializeOwned + 'static>(
    request: &HttpRequest,
    payload: &mut Payload,
    shape: Shape,
) -> impl Future<Output = Result<T, Failed>> + 'static {
    let content_type = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    // A form of another site cannot send this type, which is a second fence beside the origin.
    let is_json = content_type
        .and_then(|text| text.split(';').next())
        .is_some_and(|text| text.trim().eq_ignore_ascii_case("application/json"));
    let bytes = Bytes::from_request(request, payload);
    async move {
        let bytes = bytes.await.map_err(|error| too_large_or(&error))?;
        if !is_json {
            let detail = "The body must be JSON; send `Content-Type: application/json`.";
            return Err(Problem::new(Code::InvalidRequest, detail).into());
        }
        shape.check(&bytes).map_err(Failed)?;
        parse(&bytes).map_err(Failed)
    }
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut json).map_err(|error| {
        let path = error.path().to_string();
        let path = if path == "." { "body".to_owned() } else { path };
        let message = error.into_inner().to_string();
        let mut problem = Problem::new(Code::InvalidRequest, format!("`{path}`: {message}."));
        problem.errors.push(FieldError { path, message });
        problem
    })?;
    json.end().map_err(|error| Problem::field("body", error.to_string()))?;
    Ok(value)
}

/// What actix refuses to read is too large, or was never sent whole.
pub fn too_large_or(error: &actix_web::Error) -> Failed {
    let status = error.as_response_error().status_code();
    if status == actix_web::http::StatusCode::PAYLOAD_TOO_LARGE {
        let detail = "The body is larger than this server takes. Send less, or let an operator \
                      raise RALEX_MAX_BODY.";
        return Problem::new(Code::TooLarge, detail).into();
    }
    if let Some(PayloadError::Io(error)) = error.as_error()
        && error.kind() == ErrorKind::TimedOut
    {
        let detail = "The body came too slowly and was not waited for any longer. Send it again.";
        return Problem::new(Code::InvalidRequest, detail).into();
    }
    Problem::new(Code::InvalidRequest, "The body could not be read to its end.").into()
}
