//! Programs that ask the person in front for a token.

use ralex_api::oauth::{AnswerDevice, AnswerProgram, DeviceLogin, ProgramAnswered};

use super::client::{self, Reply};
use crate::text::query::encode;

pub fn answer(said: &AnswerProgram) -> Reply<ProgramAnswered> {
    client::create("/auth/programs", said)
}

pub fn device(code: &str) -> Reply<DeviceLogin> {
    client::find(&format!("/auth/device/{}", encode(code)))
}

pub fn answer_device(user_code: String, approve: bool) -> Reply<()> {
    client::create("/auth/device", &AnswerDevice { user_code, approve })
}
