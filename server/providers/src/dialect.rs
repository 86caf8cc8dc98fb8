//! The wire formats, and which kind of provider speaks which.

/// A wire format of model calls, for callers and upstreams alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// `POST /v1/chat/completions`, as OpenAI defined it.
    OpenaiChat,
    /// `POST /v1/messages`, as Anthropic defined it.
    AnthropicMessages,
}

impl Dialect {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::OpenaiChat => "openai_chat",
            Self::AnthropicMessages => "anthropic_messages",
        }
    }
}

/// What kind of upstream a target is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ProviderKind {
    Openai,
    Anthropic,
    /// Any server that speaks OpenAI's chat completions.
    OpenaiCompatible,
    /// Answers from this process, without a key or a network.
    Simulated,
}

impl ProviderKind {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Openai => "openai",
            Self::Anthropic => "anthropic",
            Self::OpenaiCompatible => "openai_compatible",
            Self::Simulated => "simulated",
        }
    }

    /// The dialect spoken to it; the simulated provider speaks the caller's.
    pub const fn dialect(self, caller: Dialect) -> Dialect {
        match self {
            Self::Openai | Self::OpenaiCompatible => Dialect::OpenaiChat,
            Self::Anthropic => Dialect::AnthropicMessages,
            Self::Simulated => caller,
        }
    }
}
