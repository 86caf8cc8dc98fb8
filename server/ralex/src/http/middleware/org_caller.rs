//! Who asks in an organisation, before anything else of a request is read.
//!
//! Parts of a request are read at the same time, and the first that fails answers it. So what is said of a
//! body or a query could come before, or after, what is said of the organisation, and tell a stranger which
//! of two there is.

use actix_web::body::{BoxBody, EitherBody, MessageBody};
use actix_web::dev::{Payload, ServiceRequest, ServiceResponse};
use actix_web::middleware::Next;
use actix_web::{Error, FromRequest, HttpMessage};

use crate::http::extract::OrgCaller;

/// Resolves the caller for the handler, or answers in its place.
pub async fn org_caller(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<EitherBody<BoxBody>>, Error> {
    match OrgCaller::from_request(request.request(), &mut Payload::None).await {
        Ok(caller) => {
            request.extensions_mut().insert(caller);
            Ok(next.call(request).await?.map_into_boxed_body().map_into_left_body())
        }
        Err(failed) => Ok(request.error_response(failed).map_into_left_body()),
    }
}
