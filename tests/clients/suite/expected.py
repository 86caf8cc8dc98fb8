"""Checks that are known not to pass, each with its reason: "client: scenario to format" and why.

Names may have stars. A check that is named here and passes fails the suite, so that this list stays true.
"""

# It asks models that it does not know by name for just any JSON, which these formats have no word for.
NO_SCHEMA = "LiteLLM sends no schema for a model that it does not know"
EXPECTED = {
    "litellm (as a client): gemini_parses to messages": NO_SCHEMA,
    "litellm (as a client): gemini_parses to converse": NO_SCHEMA,
}
