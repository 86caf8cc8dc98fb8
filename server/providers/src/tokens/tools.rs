//! Tools as they count before a call: who runs them, and so what they may bring into its input.

use serde_json::Value;

use crate::json::{Object, given, objects, text};
use crate::tool_use::is_googles_search;

/// Who runs a tool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Runner {
    /// The caller, who describes it.
    Caller,
    /// The caller, and the provider's own description of it comes along.
    CallerAsTaught,
    /// The provider: its pages, files and results are input that nobody here has seen. An agent can
    /// do without, and so can a provider of another dialect.
    ProviderIfItCan,
    Provider,
}

/// What a caller's own tool has where no type tells it.
const DECLARED: [&str; 6] =
    ["cachePoint", "function", "functionDeclarations", "function_declarations", "name", "toolSpec"];

/// Tools that vendors have taught their models and that callers run: Anthropic's have the day of
/// their version behind them.
const TAUGHT: [&str; 8] = [
    "apply_patch",
    "bash_",
    "computer",
    "local_shell",
    "memory_",
    "str_replace_based_edit_tool",
    "text_editor_",
    "tool_search",
];

pub(super) fn runner(tool: &Object) -> Runner {
    let Some(kind) = text(tool, "type") else {
        let declared = DECLARED.iter().any(|key| tool.contains_key(*key)) || tool.is_empty();
        return if declared { Runner::Caller } else { Runner::Provider };
    };
    match kind {
        "function" | "custom" | "namespace" => Runner::Caller,
        "tool_search" if text(tool, "execution") != Some("client") => Runner::Provider,
        "shell" if runs_local(tool) => Runner::CallerAsTaught,
        kind if is_offer(kind) => Runner::ProviderIfItCan,
        kind if TAUGHT.iter().any(|taught| is_version_of(kind, taught)) => Runner::CallerAsTaught,
        _ => Runner::Provider,
    }
}

/// `bash_` is every version of it, `computer` also its older names.
fn is_version_of(kind: &str, taught: &str) -> bool {
    let computer = |kind: &str| {
        let version = kind.strip_prefix("computer").unwrap_or("-");
        version.is_empty()
            || version == "_use_preview"
            || version
                .strip_prefix('_')
                .is_some_and(|day| day.bytes().all(|it| it.is_ascii_digit()))
    };
    match taught {
        "computer" => computer(kind),
        taught if taught.ends_with('_') => kind.starts_with(taught),
        taught => kind == taught,
    }
}

/// OpenAI's shell runs where its environment says.
fn runs_local(tool: &Object) -> bool {
    let environment = given(tool, "environment").and_then(Value::as_object);
    environment.and_then(|environment| text(environment, "type")) == Some("local")
}

/// True for tools of the provider's that an agent can do without.
pub(crate) fn is_offer(kind: &str) -> bool {
    kind.starts_with("web_search") || kind == "image_generation"
}

/// Uses of a tool that are held for where nobody says how many there may be.
const SEARCHES: u64 = 10;

/// How often the provider may search the web for an answer, where it has a tool to.
pub(crate) fn worst_searches(body: &Object) -> u64 {
    if forbidden(body) {
        return 0;
    }
    let searches = |kind: &str| kind.starts_with("web_search") || kind == "x_search";
    objects(body.get("tools"))
        .filter(|tool| text(tool, "type").map_or_else(|| is_googles_search(tool), searches))
        .map(|tool| whole(tool, "max_uses").unwrap_or_else(|| most_calls(body)))
        .fold(0, u64::saturating_add)
}

/// How often the provider may use a tool, where the tool does not say.
pub(crate) fn most_calls(body: &Object) -> u64 {
    whole(body, "max_tool_calls").unwrap_or(SEARCHES)
}

fn whole(object: &Object, key: &str) -> Option<u64> {
    given(object, key).and_then(Value::as_u64)
}

/// True where the caller lets no tool be called.
pub(crate) fn forbidden(body: &Object) -> bool {
    let choice = given(body, "tool_choice");
    let word = choice.and_then(|choice| choice.as_str().or_else(|| choice.get("type")?.as_str()));
    word == Some("none")
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{SEARCHES, worst_searches};
    use crate::tokens::{Input, TAUGHT_TOOL, UNKNOWN_INPUT};

    fn input(body: Value) -> Input {
        Input::of(body.as_object().unwrap())
    }

    #[test]
    fn tools_that_the_caller_runs_bring_nothing_unseen() {
        for tool in [
            json!({ "type": "bash_20250124", "name": "bash" }),
            json!({ "type": "text_editor_20250728", "name": "str_replace_based_edit_tool" }),
            json!({ "type": "computer_20251124", "name": "computer" }),
            json!({ "type": "computer_use_preview" }),
            json!({ "type": "memory_20250818", "name": "memory" }),
            json!({ "type": "local_shell" }),
            json!({ "type": "shell", "environment": { "type": "local" } }),
            json!({ "type": "tool_search", "execution": "client" }),
        ] {
            let input = input(json!({ "messages": [], "tools": [tool] }));
            assert!((TAUGHT_TOOL..3000).contains(&input.worst), "{tool} {input:?}");
        }
        for tool in [
            json!({ "type": "shell", "environment": { "type": "container_auto" } }),
            json!({ "type": "tool_search" }),
            json!({ "type": "computer_cloud" }),
            json!({ "type": "code_execution_20250825", "name": "code_execution" }),
        ] {
            let input = input(json!({ "messages": [], "tools": [tool] }));
            assert!(input.worst >= UNKNOWN_INPUT && input.offered == 0, "{tool} {input:?}");
        }
    }

    #[test]
    fn searches_are_held_for_as_often_as_they_may_be_made() {
        let tool = |tool: Value| json!({ "tools": [tool] });
        let most = |body: Value| worst_searches(body.as_object().unwrap());
        assert_eq!(most(tool(json!({ "type": "web_search" }))), SEARCHES);
        assert_eq!(most(tool(json!({ "type": "web_search_20250305", "max_uses": 3 }))), 3);
        assert_eq!(most(tool(json!({ "type": "function", "name": "web_search" }))), 0);
        let mut body = tool(json!({ "type": "web_search" }));
        body["max_tool_calls"] = json!(2);
        assert_eq!(most(body.clone()), 2);
        body["tool_choice"] = json!("none");
        assert_eq!(most(body), 0);
    }

    #[test]
    fn what_may_not_be_called_brings_nothing() {
        let body = |tools: Value, choice: Value| json!({ "tools": tools, "tool_choice": choice });
        let search = json!([{ "type": "web_search" }]);
        assert_eq!(input(body(search.clone(), json!("auto"))).offered, UNKNOWN_INPUT);
        for choice in [json!("none"), json!({ "type": "none" })] {
            let input = input(body(search.clone(), choice));
            assert!(input.worst < 1000 && input.offered == 0, "{input:?}");
        }
        let mcp = json!([{ "type": "mcp", "server_url": "https://x.test" }]);
        assert!(input(body(mcp, json!("none"))).worst >= UNKNOWN_INPUT);
    }
}
