//! OpenAI's responses.

use bytes::Bytes;
use ralex_kernel::Problem;
use serde_json::Value;

use super::{Asked, Codec, Decode, Encode};
use crate::error::UpstreamError;
use crate::inbound::Inbound;
use crate::ir::{Reply, Request};
use crate::json::Object;
use crate::prepare::{Splice, Target};
use crate::relay::Relay;
use crate::usage::{Meter, Usage};

/// The codec.
pub(crate) struct Responses;

impl Codec for Responses {
    fn read(&self, _: &Object) -> Result<Asked, Problem> {
        todo!()
    }
    fn splice(&self, _: &Inbound, _: &Target, _: u64, _: &mut Splice) -> Result<(), Problem> {
        todo!()
    }
    fn decode_request(&self, _: &Inbound) -> Result<Request, Problem> {
        todo!()
    }
    fn encode_request(&self, _: &Request, _: &Target, _: u64) -> Result<Object, Problem> {
        todo!()
    }
    fn decode_reply(&self, _: &Object) -> Result<Reply, UpstreamError> {
        todo!()
    }
    fn encode_reply(&self, _: &Reply, _: Usage, _: &Inbound) -> Object {
        todo!()
    }
    fn usage(&self, _: &Object) -> Option<Usage> {
        todo!()
    }
    fn decoder(&self, _: Meter) -> Box<dyn Decode> {
        todo!()
    }
    fn encoder(&self, _: Meter, _: &Inbound) -> Box<dyn Encode> {
        todo!()
    }
    fn pass(&self, _: Meter, _: &Inbound) -> Box<dyn Relay> {
        todo!()
    }
    fn error_body(&self, _: &Problem) -> Value {
        todo!()
    }
    fn error_event(&self, _: &Problem) -> Bytes {
        todo!()
    }
}
