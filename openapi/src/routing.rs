//! Routing: what a name means, which model is chosen for a call, and why.

mod preference;
mod report;

use chrono::{DateTime, Utc};
use ralex_kernel::{Money, ProjectId, RouteId, Slug, TeamId};

pub use preference::{Preference, PreferenceRules, Priority, SetPreference};
pub use report::{Baseline, ModelShare, ReportQuery, RoutingReport, Suggestion, TaskCost};

crate::words! {
    /// What a call is for.
    pub enum TaskKind {
        CodeGeneration = "code_generation",
        CodeEditing = "code_editing",
        Debugging = "debugging",
        CodeReview = "code_review",
        CodeExplanation = "code_explanation",
        TestWriting = "test_writing",
        DataQuery = "data_query",
        Devops = "devops",
        SecurityReview = "security_review",
        Math = "math",
        Reasoning = "reasoning",
        Planning = "planning",
        Analysis = "analysis",
        Extraction = "extraction",
        Classification = "classification",
        Summarisation = "summarisation",
        Translation = "translation",
        Rewriting = "rewriting",
        Drafting = "drafting",
        CreativeWriting = "creative_writing",
        Documentation = "documentation",
        Brainstorming = "brainstorming",
        Conversation = "conversation",
        QuestionAnswering = "question_answering",
        Agentic = "agentic",
        ImageUnderstanding = "image_understanding",
    }

    /// The coarse sort of a task; models are rated per family.
    pub enum Family {
        Code = "code",
        Reasoning = "reasoning",
        Extraction = "extraction",
        Summarisation = "summarisation",
        Translation = "translation",
        Writing = "writing",
        Chat = "chat",
        Agent = "agent",
        Vision = "vision",
    }

    /// How much there is to read.
    pub enum SizeClass {
        /// Up to 500 tokens.
        Small = "small",
        /// Up to 4,000 tokens.
        Medium = "medium",
        /// Up to 32,000 tokens.
        Large = "large",
        Huge = "huge",
    }

    /// How a model was found.
    pub enum Via {
        /// The caller named the model.
        Model = "model",
        /// `x-ralex-model` named it.
        Forced = "forced",
        /// A route chose it.
        Route = "route",
        /// The ranking of all models chose it.
        Auto = "auto",
    }

    /// Why a model was not considered.
    pub enum Refusal {
        NotAllowed = "not_allowed",
        Banned = "banned",
        SwitchedOff = "switched_off",
        Window = "window",
        Output = "output",
        Operation = "operation",
        Tools = "tools",
        Vision = "vision",
        Audio = "audio",
        Structured = "structured",
        Reasoning = "reasoning",
        Residency = "residency",
        Labels = "labels",
        Health = "health",
        Budget = "budget",
        /// Dear, where a budget asks for cheaper models.
        Degraded = "degraded",
    }

    /// How one of several targets is taken.
    pub enum Pick {
        /// The first that can answer; the others follow as fallbacks.
        Order = "order",
        /// By their weights.
        Weighted = "weighted",
        /// By expected success, cost and speed.
        Auto = "auto",
        Fast = "fast",
        Balanced = "balanced",
        Best = "best",
    }

    /// What shows that an answer is not good enough.
    pub enum Signal {
        /// It does not fit the schema that was asked for.
        Schema = "schema",
        /// The model declined.
        Refusal = "refusal",
        /// It ends at the limit of tokens.
        Truncation = "truncation",
        /// It calls tools that are not there, or with arguments that do not fit.
        ToolError = "tool_error",
        /// It says nothing.
        Empty = "empty",
        /// The caller says so, with `x-ralex-escalate`.
        Caller = "caller",
    }
}

impl TaskKind {
    /// The family that a kind belongs to.
    pub const fn family(self) -> Family {
        match self {
            Self::CodeGeneration
            | Self::CodeEditing
            | Self::Debugging
            | Self::CodeReview
            | Self::CodeExplanation
            | Self::TestWriting
            | Self::DataQuery
            | Self::Devops
            | Self::SecurityReview => Family::Code,
            Self::Math | Self::Reasoning | Self::Planning | Self::Analysis => Family::Reasoning,
            Self::Extraction | Self::Classification => Family::Extraction,
            Self::Summarisation => Family::Summarisation,
            Self::Translation => Family::Translation,
            Self::Rewriting
            | Self::Drafting
            | Self::CreativeWriting
            | Self::Documentation
            | Self::Brainstorming => Family::Writing,
            Self::Conversation | Self::QuestionAnswering => Family::Chat,
            Self::Agentic => Family::Agent,
            Self::ImageUnderstanding => Family::Vision,
        }
    }
}

crate::answer! {
    /// What a call is about, as the classifier reads it. Nothing of the prompt itself.
    pub struct Task {
        pub kind: TaskKind,
        pub family: Family,
        /// From 1 (trivial) to 10 (research).
        pub difficulty: u8,
        /// How sure the kind is, from 0 to 1.
        pub confidence: f64,
        pub size: SizeClass,
        pub input_tokens: u64,
        /// The language of the request (ISO 639-3), where it shows.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub language: Option<String>,
        /// Programming languages in it or asked for.
        pub programming: Vec<String>,
        /// Endings of files it names.
        pub file_types: Vec<String>,
        pub tools: u32,
        pub multi_step: bool,
    }

    /// The least, the likely and the most that a call can cost.
    pub struct PriceRange {
        pub expected: Money,
        pub worst_case: Money,
        /// What the cheapest and the dearest candidate are expected to cost.
        pub cheapest: Money,
        pub dearest: Money,
    }

    /// What a score is made of; each part is between 0 and 1 before it is weighed.
    pub struct ScoreParts {
        /// How likely an answer is good enough.
        pub success: f64,
        /// What the catalogue and the calls so far say of the model for this kind of task.
        pub quality: f64,
        /// 1 for the cheapest candidate, 0 for the dearest.
        pub cost: f64,
        pub speed: f64,
        /// Added for preferred models and specialists.
        pub bonus: f64,
    }

    /// A model that could answer.
    pub struct Considered {
        pub model: String,
        pub provider: Slug,
        /// Why it stands where it does.
        pub reason: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub score: Option<f64>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub parts: Option<ScoreParts>,
        pub expected_cost: Money,
        pub worst_case: Money,
        /// Recorded calls of this kind that the score knows of.
        pub samples: u64,
    }

    /// A model that could not, and why.
    pub struct LeftOut {
        pub model: String,
        pub why: Refusal,
        pub detail: String,
    }

    /// Why a call went where it went.
    pub struct Explanation {
        /// What the caller wrote as `model`.
        pub asked: String,
        pub via: Via,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub route: Option<String>,
        /// Names that were followed from what was asked to the model.
        pub followed: Vec<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub task: Option<Task>,
        /// The order in which they are tried; the first is the choice.
        pub candidates: Vec<Considered>,
        pub left_out: Vec<LeftOut>,
        pub chosen: String,
        /// The model that gets a copy of the call, where the route says so.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub shadow: Option<String>,
        pub price: PriceRange,
        /// One sentence.
        pub summary: String,
        /// What did not work as the route says, such as a condition that could not be evaluated.
        pub notes: Vec<String>,
    }

    /// One possible outcome of a preview.
    pub struct Preview {
        pub explanation: Explanation,
        /// How the choice shows in the header `x-ralex-routing` of an answer.
        pub header: String,
    }

    /// A name that means a choice of models.
    pub struct Route {
        /// Absent on the built-in ones.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub id: Option<RouteId>,
        pub name: String,
        pub description: String,
        pub enabled: bool,
        /// One of `auto`, `fast`, `balanced`, `best`: computed from the models there are.
        pub built_in: bool,
        pub spec: RouteSpec,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub created_at: Option<DateTime<Utc>>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub updated_at: Option<DateTime<Utc>>,
    }

    /// Another name of a model or a route.
    pub struct Alias {
        pub name: String,
        pub target: String,
        pub created_at: DateTime<Utc>,
    }
}

crate::request! {
    /// What a route does.
    #[derive(PartialEq)]
    pub struct RouteSpec {
        /// The first whose condition holds decides.
        pub steps: Vec<RouteStep>,
        /// True: calls with the same `x-ralex-session` stay with one target.
        #[serde(default)]
        pub sticky: bool,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub canary: Option<Share>,
        /// A copy of so many calls goes to this model; its answer is recorded and not sent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub shadow: Option<Share>,
        /// Tried in order when all targets of the step failed.
        #[serde(default)]
        pub fallbacks: Vec<String>,
        /// Absent: answers are not judged, only failed calls go on to the next candidate.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub escalation: Option<Escalation>,
    }

    /// One step of a route.
    #[derive(PartialEq)]
    pub struct RouteStep {
        /// A condition in CEL over `task`, `input_tokens`, `tools`, `team`, `labels` and more.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub when: Option<String>,
        pub pick: Pick,
        /// Models, aliases or routes; empty means all models, where `pick` ranks.
        #[serde(default)]
        pub targets: Vec<RouteTarget>,
    }

    #[derive(PartialEq, Eq)]
    pub struct RouteTarget {
        pub name: String,
        #[serde(default = "one")]
        pub weight: u32,
    }

    /// A share of the calls.
    #[derive(PartialEq)]
    pub struct Share {
        pub model: String,
        /// From 0 to 100.
        pub percent: f64,
    }

    /// When an answer is thrown away for one of a better model.
    #[derive(PartialEq)]
    pub struct Escalation {
        pub on: Vec<Signal>,
        /// How often in one call.
        #[serde(default = "one")]
        pub most: u32,
        /// What a good answer is worth, in US dollars: the gain in expected success times this
        /// must exceed what the better model costs more. A signal of the caller needs no such test.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub worth: Option<Money>,
    }

    pub struct NewRoute {
        pub name: String,
        #[serde(default)]
        pub description: String,
        pub spec: RouteSpec,
    }

    /// A change; absent fields stay.
    pub struct UpdateRoute {
        #[serde(default)]
        pub description: Option<String>,
        #[serde(default)]
        pub enabled: Option<bool>,
        #[serde(default)]
        pub spec: Option<RouteSpec>,
    }

    pub struct NewAlias {
        pub name: String,
        pub target: String,
    }

    pub struct UpdateAlias {
        pub target: String,
    }

    /// How models are ranked in this organisation.
    #[derive(Default, PartialEq)]
    pub struct RoutingSettings {
        /// Of 100 ranked calls, so many go to a model that is not the first, so that the ranking
        /// learns. 0: the same call always goes to the same model.
        #[serde(default)]
        pub explore_percent: f64,
        /// True: answers chosen by `auto`, `fast`, `balanced` and `best` are judged.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub escalation: Option<Escalation>,
        /// How much each part of the score counts for `auto`; absent: the built-in weights.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub weights: Option<Weights>,
        /// Ranked calls of one `x-ralex-session` stay with their model for so many minutes.
        #[serde(default)]
        pub sticky_minutes: u32,
        /// What answers where a model that was named cannot.
        #[serde(default)]
        pub fallbacks: Vec<Fallback>,
    }

    #[derive(PartialEq, Eq)]
    pub struct Fallback {
        pub model: String,
        /// Models, aliases or routes, tried in this order.
        pub to: Vec<String>,
    }

    #[derive(PartialEq)]
    pub struct Weights {
        pub success: f64,
        pub cost: f64,
        pub speed: f64,
    }

    /// A call to be explained and not made.
    pub struct PreviewRequest {
        /// What a caller would write as `model`.
        pub model: String,
        /// The prompt; or `messages`, or a whole request as `body`.
        #[serde(default)]
        pub prompt: Option<String>,
        #[serde(default)]
        pub system: Option<String>,
        /// Messages in the form of OpenAI's chat completions.
        #[serde(default)]
        #[cfg_attr(feature = "schema", schema(value_type = Option<Vec<Object>>))]
        pub messages: Option<Vec<serde_json::Value>>,
        /// A whole request body, in the form of any of the dialects.
        #[serde(default)]
        #[cfg_attr(feature = "schema", schema(value_type = Option<Object>))]
        pub body: Option<serde_json::Value>,
        #[serde(default)]
        pub max_output: Option<u64>,
        #[serde(default)]
        pub team: Option<TeamId>,
        #[serde(default)]
        pub project: Option<ProjectId>,
        #[serde(default)]
        pub labels: Vec<String>,
        #[serde(default)]
        pub residency: Option<String>,
        #[serde(default)]
        pub session: Option<String>,
        #[serde(default)]
        pub force_model: Option<String>,
        #[serde(default)]
        pub route: Option<String>,
    }
}

const fn one() -> u32 {
    1
}
