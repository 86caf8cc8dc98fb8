//! Parameters of a query, checked like a body.

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest, web};
use ralex_kernel::Problem;
use serde::de::DeserializeOwned;
use std::future::{Ready, ready};

use crate::http::problem::Failed;

/// The query, read as `T`.
pub struct Query<T>(pub T);

impl<T: DeserializeOwned> FromRequest for Query<T> {
    type Error = Failed;
    type Future = Ready<Result<Self, Failed>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let read = web::Query::<T>::from_query(request.query_string());
        ready(read.map(|query| Self(query.into_inner())).map_err(|error| {
            let why = error.to_string();
            let why = why.strip_prefix("Query deserialize error: ").unwrap_or(&why);
            Problem::field("query", why).into()
        }))
    }
}
