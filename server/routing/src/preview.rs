//! A preview: the choice for a call, its reason and its price, without the call.
//!
//! Nothing of the prompt is kept, and nothing is remembered that later choices would see.

use bytes::Bytes;
use ralex_access::Scope;
use ralex_api::routing::{Preview, PreviewRequest};
use ralex_kernel::{Code, Money, Problem, ScopePath};
use ralex_providers::{Dialect, InPath, Inbound, Outline};
use serde_json::{Value, json};

use crate::Routing;
use crate::choose::Question;
use crate::classify::Sample;

/// Larger bodies are read and counted away from the threads that serve.
const SMALL: usize = 64 * 1024;

impl<'a> From<&'a Outline> for Sample<'a> {
    fn from(outline: &'a Outline) -> Self {
        Self {
            system: &outline.system,
            last_user: &outline.last_user,
            conversation_chars: outline.characters,
            turns: outline.turns,
            tools: &outline.tools,
            tool_results: outline.tool_results,
            images: outline.images,
            documents: outline.documents,
            audio: outline.audio,
            structured: outline.structured,
            reasoning: outline.reasoning,
            streamed: outline.streamed,
            max_output: outline.max_output,
            input_tokens: 0,
        }
    }
}

/// Where a preview's call would count; the caller must be allowed to see models there.
pub fn place(request: &PreviewRequest) -> Result<ScopePath, Problem> {
    match (request.team, request.project) {
        (None, None) => Ok(ScopePath::Org),
        (Some(team), None) => Ok(ScopePath::Team { team }),
        (Some(team), Some(project)) => Ok(ScopePath::Project { team, project }),
        (None, Some(_)) => Err(Problem::field("team", "is needed with a project")),
    }
}

impl Routing {
    /// What would become of a call. `allowed`: the names that the caller's token may use; `left`:
    /// what the budgets there have left, and in percent, and why dear models are left out.
    pub async fn preview(
        &self,
        scope: &Scope,
        allowed: Option<&[String]>,
        left: Option<(Money, f64, Option<&str>)>,
        request: PreviewRequest,
    ) -> Result<Preview, Problem> {
        let (model, max_output) = (request.model.clone(), request.max_output);
        let (dialect, body) = body(&request)?;
        let small = body.len() <= SMALL;
        let read = move || read(dialect, body, &model);
        let (mut outline, counted) = if small {
            read()?
        } else {
            tokio::task::spawn_blocking(read).await.map_err(|_| uncounted())??
        };
        outline.max_output = max_output.or(outline.max_output);
        let sample = Sample { input_tokens: counted, ..Sample::from(&outline) };
        let question = Question {
            force_model: request.force_model.as_deref(),
            route: request.route.as_deref(),
            labels: &request.labels,
            residency: request.residency.as_deref(),
            allowed,
            budget_left: left.map(|(amount, ..)| amount),
            budget_left_percent: left.map_or(100.0, |(_, percent, _)| percent),
            degraded: left.and_then(|(.., degraded)| degraded),
            session: request.session.as_deref(),
            dialect: dialect.as_str(),
            // The same preview every time; which share it falls into is as good as any.
            draw: Some(0),
            dry: true,
            ..Question::new(&request.model, scope.path(), sample)
        };
        let choice = self.choose(scope.org(), &question).await?;
        Ok(Preview { header: choice.header(), explanation: choice.explanation })
    }
}

fn uncounted() -> Problem {
    Problem::new(Code::Internal, "The request could not be counted.")
}

fn read(dialect: Dialect, body: Bytes, model: &str) -> Result<(Outline, u64), Problem> {
    let path = InPath { model: Some(model.to_owned()), ..InPath::default() };
    let inbound = Inbound::parse_at(dialect, body, path)?;
    Ok((inbound.outline(), inbound.counted_tokens()))
}

/// The request as a body of some dialect: what was given whole, or the prompt as one message.
fn body(request: &PreviewRequest) -> Result<(Dialect, Bytes), Problem> {
    let value = match (&request.body, &request.messages, &request.prompt) {
        (Some(body), None, None) => body.clone(),
        (None, Some(messages), None) => json!({ "messages": with_system(request, messages) }),
        (None, None, Some(prompt)) => {
            let asked = [json!({ "role": "user", "content": prompt })];
            json!({ "messages": with_system(request, &asked) })
        }
        (None, None, None) => {
            return Err(Problem::field("prompt", "is required, or messages, or body"));
        }
        (Some(_) | None, Some(_) | None, Some(_) | None) => {
            return Err(Problem::field("prompt", "give one of prompt, messages and body"));
        }
    };
    let dialect = dialect(&value);
    Ok((dialect, Bytes::from(value.to_string())))
}

fn with_system(request: &PreviewRequest, messages: &[Value]) -> Vec<Value> {
    let system = request.system.iter().map(|text| json!({ "role": "system", "content": text }));
    system.chain(messages.iter().cloned()).collect()
}

/// Whose form a body has, by the fields that only one of them has.
fn dialect(body: &Value) -> Dialect {
    let has = |field: &str| body.get(field).is_some();
    if has("contents") {
        Dialect::Gemini
    } else if has("input") {
        Dialect::OpenaiResponses
    } else if has("inferenceConfig") || has("toolConfig") {
        Dialect::BedrockConverse
    } else if has("system") || has("anthropic_version") || has("thinking") || has("stop_sequences")
    {
        Dialect::AnthropicMessages
    } else {
        Dialect::OpenaiChat
    }
}
