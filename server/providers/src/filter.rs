//! A look at an answer's texts on their way to the caller.

use ralex_kernel::Problem;

use crate::ir::Delta;
use crate::json::Object;
use crate::texts;

/// Which of an answer's texts a piece belongs to. They alternate, and each is one text of its own
/// only until another begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Channel {
    Text,
    Refusal,
    Thinking,
    /// The JSON text of a call's arguments.
    Arguments,
}

/// Sees every text before the caller does, and may change it, hold some of it back, or end the
/// answer.
pub trait TextFilter: Send {
    /// What may go on now of a piece and of what was held back before it.
    fn piece(&mut self, channel: Channel, piece: &str) -> Result<String, Problem>;

    /// The rest, when a text has ended.
    fn end(&mut self, channel: Channel) -> Result<String, Problem>;
}

impl dyn TextFilter + '_ {
    /// A whole text.
    pub(crate) fn whole(&mut self, channel: Channel, text: &str) -> Result<String, Problem> {
        let mut passed = self.piece(channel, text)?;
        passed.push_str(&self.end(channel)?);
        Ok(passed)
    }
}

/// Runs a whole answer's texts through a filter; true where any changed.
pub(crate) fn whole(
    body: &mut Object,
    filter: &mut (dyn TextFilter + '_),
) -> Result<bool, Problem> {
    let mut stopped = None;
    let changed = texts::replace_in_answer(body, &mut |path, text| {
        if stopped.is_some() {
            return None;
        }
        match filter.whole(channel(path), text) {
            Ok(passed) => (passed != text).then_some(passed),
            Err(problem) => {
                stopped = Some(problem);
                None
            }
        }
    });
    stopped.map_or(Ok(changed), Err)
}

fn channel(path: &str) -> Channel {
    let last = path.rsplit('.').next().unwrap_or_default();
    match last {
        "arguments" => Channel::Arguments,
        "thinking" | "reasoning" | "reasoning_content" => Channel::Thinking,
        "refusal" => Channel::Refusal,
        _ => Channel::Text,
    }
}

/// Runs a stream's steps through a filter.
pub(crate) struct Filtered {
    filter: Box<dyn TextFilter>,
    open: Option<Channel>,
}

impl Filtered {
    pub fn new(filter: Box<dyn TextFilter>) -> Self {
        Self { filter, open: None }
    }

    /// What becomes of a step; a text that ends says its rest before the step that ends it.
    pub fn step(&mut self, delta: Delta, out: &mut Vec<Delta>) -> Result<(), Problem> {
        let (channel, piece) = match &delta {
            Delta::Text(piece) => (Channel::Text, piece),
            Delta::Refusal(piece) => (Channel::Refusal, piece),
            Delta::Thinking(piece) => (Channel::Thinking, piece),
            Delta::Arguments(piece) => (Channel::Arguments, piece),
            Delta::Ping => {
                out.push(delta);
                return Ok(());
            }
            Delta::Start { .. }
            | Delta::Signature(_)
            | Delta::Sealed(_)
            | Delta::Call { .. }
            | Delta::Finish(_) => {
                self.end(out)?;
                out.push(delta);
                return Ok(());
            }
        };
        if self.open != Some(channel) {
            self.end(out)?;
            self.open = Some(channel);
        }
        let passed = self.filter.piece(channel, piece)?;
        say(channel, passed, out);
        Ok(())
    }

    fn end(&mut self, out: &mut Vec<Delta>) -> Result<(), Problem> {
        if let Some(channel) = self.open.take() {
            let rest = self.filter.end(channel)?;
            say(channel, rest, out);
        }
        Ok(())
    }
}

fn say(channel: Channel, text: String, out: &mut Vec<Delta>) {
    if text.is_empty() {
        return;
    }
    out.push(match channel {
        Channel::Text => Delta::Text(text),
        Channel::Refusal => Delta::Refusal(text),
        Channel::Thinking => Delta::Thinking(text),
        Channel::Arguments => Delta::Arguments(text),
    });
}
