//! The wire formats, and what is asked in them.

use serde::Deserialize;

/// A wire format of model calls, for callers and upstreams alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Dialect {
    /// `POST /v1/chat/completions`, as OpenAI defined it.
    OpenaiChat,
    /// `POST /v1/responses`, as OpenAI defined it.
    OpenaiResponses,
    /// `POST /v1/messages`, as Anthropic defined it.
    AnthropicMessages,
    /// `POST /v1beta/models/{model}:generateContent`, as Google defined it.
    Gemini,
    /// `POST /model/{model}/converse`, as Amazon Bedrock defined it.
    BedrockConverse,
}

impl Dialect {
    pub const ALL: [Self; 5] = [
        Self::OpenaiChat,
        Self::OpenaiResponses,
        Self::AnthropicMessages,
        Self::Gemini,
        Self::BedrockConverse,
    ];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::OpenaiChat => "openai_chat",
            Self::OpenaiResponses => "openai_responses",
            Self::AnthropicMessages => "anthropic_messages",
            Self::Gemini => "gemini",
            Self::BedrockConverse => "bedrock_converse",
        }
    }
}

/// What a call asks a provider to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Operation {
    /// Answer a conversation.
    Generate,
    Embeddings,
    Moderations,
    Images,
    /// Images made anew from others, as a text says.
    ImageEdits,
    /// Images like another.
    ImageVariations,
    /// Text to audio.
    Speech,
    /// Audio to text.
    Transcriptions,
    /// Audio to English text.
    Translations,
    Rerank,
    CountTokens,
    Files,
    Batches,
    /// Answers that a provider keeps, in the form of OpenAI's responses.
    Responses,
    Models,
}

impl Operation {
    /// Whether its answer is images.
    pub const fn paints(self) -> bool {
        matches!(self, Self::Images | Self::ImageEdits | Self::ImageVariations)
    }

    /// Counting costs nothing anywhere, nor does looking at what is kept: a batch tells its usage
    /// each time that one looks at it.
    pub const fn is_free(self) -> bool {
        matches!(
            self,
            Self::CountTokens | Self::Files | Self::Batches | Self::Responses | Self::Models
        )
    }

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Generate => "generate",
            Self::Embeddings => "embeddings",
            Self::Moderations => "moderations",
            Self::Images => "images",
            Self::ImageEdits => "image_edits",
            Self::ImageVariations => "image_variations",
            Self::Speech => "speech",
            Self::Transcriptions => "transcriptions",
            Self::Translations => "translations",
            Self::Rerank => "rerank",
            Self::CountTokens => "count_tokens",
            Self::Files => "files",
            Self::Batches => "batches",
            Self::Responses => "responses",
            Self::Models => "models",
        }
    }
}
