"""What is carried from each caller's format to each provider's, feature by feature, as a page of the book.

Every cell is a call through the real binary. It is carried where the provider got what was meant and the caller got
the answer in its own words; else Ralex must have refused it by name.
"""

import difflib
import json
import pathlib
import urllib.error
import urllib.request

from upstream import ANSWER, CALL, PIXEL, USAGE

PAGE = pathlib.Path(__file__).resolve().parents[3] / "docs" / "src" / "compatibility.md"
CALLERS = {"chat": "Chat completions", "responses": "Responses", "messages": "Messages", "gemini": "generateContent"}
PROVIDERS = {
    "chat": "OpenAI-compatible", "responses": "OpenAI", "messages": "Anthropic", "gemini": "Gemini", "converse": "Bedrock",
}
SYSTEM, QUESTION, RESULT = "You answer briefly.", "What is the weather in Oslo?", "4 degrees, says the tool"
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"], "additionalProperties": False}
OTHER = {"name": "clock", "arguments": {"city": "Bergen"}, "id": "call_other"}
THOUGHT = "Oslo is in the north."
TOOLS = ("weather", "clock")
PDF = "JVBERi0xLjQKJSVFT0YK"
# What a caller's own format has no words for.
ONE_CALL = "one tool call a turn"
UNSAID = {("responses", "stop sequences"), ("responses", "several answers"), ("messages", "several answers"), ("gemini", ONE_CALL)}


def ask_chat(feature, body):
    user = {"role": "user", "content": QUESTION}
    body.update(messages=[{"role": "system", "content": SYSTEM}, user], max_completion_tokens=4096)
    if "tool" in feature:
        body["tools"] = [{"type": "function", "function": {"name": name, "description": "Now", "parameters": SCHEMA}} for name in TOOLS]
    if feature == ONE_CALL:
        body["parallel_tool_calls"] = False
    if feature == "tool results":
        call = {"id": CALL["id"], "type": "function", "function": {"name": "weather", "arguments": json.dumps(CALL["arguments"])}}
        body["messages"] += [{"role": "assistant", "tool_calls": [call]}, {"role": "tool", "tool_call_id": CALL["id"], "content": RESULT}]
    if feature == "images":
        image = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PIXEL}"}}
        user["content"] = [{"type": "text", "text": QUESTION}, image]
    if feature == "structured output":
        body["response_format"] = {"type": "json_schema", "json_schema": {"name": "place", "schema": SCHEMA, "strict": True}}
    if feature == "reasoning":
        body["reasoning_effort"] = "low"
    if feature == "PDF documents":
        file = {"type": "file", "file": {"filename": "note.pdf", "file_data": f"data:application/pdf;base64,{PDF}"}}
        user["content"] = [{"type": "text", "text": QUESTION}, file]
    if feature == "stop sequences":
        body["stop"] = ["HALT"]
    if feature == "several answers":
        body["n"] = 2
    if "streaming" in feature:
        body.update(stream=True, stream_options={"include_usage": True})
    return "/v1/chat/completions", body


def ask_responses(feature, body):
    user = {"role": "user", "content": QUESTION}
    body.update(instructions=SYSTEM, input=[user], max_output_tokens=4096, store=False)
    if "tool" in feature:
        body["tools"] = [{"type": "function", "name": name, "description": "Now", "parameters": SCHEMA, "strict": False} for name in TOOLS]
    if feature == ONE_CALL:
        body["parallel_tool_calls"] = False
    if feature == "tool results":
        call = {"type": "function_call", "call_id": CALL["id"], "name": "weather", "arguments": json.dumps(CALL["arguments"])}
        body["input"] += [call, {"type": "function_call_output", "call_id": CALL["id"], "output": RESULT}]
    if feature == "images":
        image = {"type": "input_image", "image_url": f"data:image/png;base64,{PIXEL}"}
        user["content"] = [{"type": "input_text", "text": QUESTION}, image]
    if feature == "PDF documents":
        file = {"type": "input_file", "filename": "note.pdf", "file_data": f"data:application/pdf;base64,{PDF}"}
        user["content"] = [{"type": "input_text", "text": QUESTION}, file]
    if feature == "structured output":
        body["text"] = {"format": {"type": "json_schema", "name": "place", "schema": SCHEMA, "strict": True}}
    if feature == "reasoning":
        body["reasoning"] = {"effort": "low", "summary": "auto"}
    if "streaming" in feature:
        body["stream"] = True
    return "/v1/responses", body


def ask_messages(feature, body):
    user = {"role": "user", "content": QUESTION}
    body.update(system=SYSTEM, messages=[user], max_tokens=4096)
    if "tool" in feature:
        body["tools"] = [{"name": name, "description": "Now", "input_schema": SCHEMA} for name in TOOLS]
    if feature == ONE_CALL:
        body["tool_choice"] = {"type": "auto", "disable_parallel_tool_use": True}
    if feature == "tool results":
        call = {"type": "tool_use", "id": CALL["id"], "name": "weather", "input": CALL["arguments"]}
        result = {"type": "tool_result", "tool_use_id": CALL["id"], "content": RESULT}
        body["messages"] += [{"role": "assistant", "content": [call]}, {"role": "user", "content": [result]}]
    if feature == "images":
        image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PIXEL}}
        user["content"] = [{"type": "text", "text": QUESTION}, image]
    if feature == "PDF documents":
        file = {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": PDF}}
        user["content"] = [{"type": "text", "text": QUESTION}, file]
    if feature == "stop sequences":
        body["stop_sequences"] = ["HALT"]
    if feature == "structured output":
        body["output_config"] = {"format": {"type": "json_schema", "schema": SCHEMA}}
    if feature == "reasoning":
        body["thinking"] = {"type": "enabled", "budget_tokens": 1024}
    if "streaming" in feature:
        body["stream"] = True
    return "/v1/messages", body


def ask_gemini(feature, body):
    model = body.pop("model")
    user = {"role": "user", "parts": [{"text": QUESTION}]}
    config = {"maxOutputTokens": 4096}
    body.update(systemInstruction={"parts": [{"text": SYSTEM}]}, contents=[user], generationConfig=config)
    if "tool" in feature:
        # Google's schemas know no further properties.
        schema = {name: value for name, value in SCHEMA.items() if name != "additionalProperties"}
        body["tools"] = [{"functionDeclarations": [{"name": name, "description": "Now", "parameters": schema} for name in TOOLS]}]
    if feature == "tool results":
        call = {"functionCall": {"id": CALL["id"], "name": "weather", "args": CALL["arguments"]}}
        result = {"functionResponse": {"id": CALL["id"], "name": "weather", "response": {"result": RESULT}}}
        body["contents"] += [{"role": "model", "parts": [call]}, {"role": "user", "parts": [result]}]
    if feature == "images":
        user["parts"].append({"inlineData": {"mimeType": "image/png", "data": PIXEL}})
    if feature == "PDF documents":
        user["parts"].append({"inlineData": {"mimeType": "application/pdf", "data": PDF}})
    if feature == "stop sequences":
        config["stopSequences"] = ["HALT"]
    if feature == "several answers":
        config["candidateCount"] = 2
    if feature == "structured output":
        config.update(responseMimeType="application/json", responseJsonSchema=SCHEMA)
    if feature == "reasoning":
        config["thinkingConfig"] = {"thinkingBudget": 1024, "includeThoughts": True}
    verb = "streamGenerateContent?alt=sse" if "streaming" in feature else "generateContent"
    return f"/v1beta/models/{model}:{verb}", body


ASK = {"chat": ask_chat, "responses": ask_responses, "messages": ask_messages, "gemini": ask_gemini}
LENGTH = {"chat": '"finish_reason": "length"', "responses": '"status": "incomplete"', "messages": '"stop_reason": "max_tokens"', "gemini": '"finishReason": "MAX_TOKENS"'}
COUNTS = {
    "chat": ['"prompt_tokens": 11', '"completion_tokens": 13'], "responses": ['"input_tokens": 11', '"output_tokens": 13'],
    "messages": ['"input_tokens": 11', '"output_tokens": 13'],
    "gemini": ['"promptTokenCount": 11', '"candidatesTokenCount": 13'],
}
FAILURE = {"chat": "rate_limit", "responses": "rate_limit", "messages": "rate_limit_error", "gemini": "RESOURCE_EXHAUSTED"}

# For each feature: what the provider answers, what it must have got, and what the caller must find.
PLAIN = {"text": ANSWER, "usage": USAGE}
FEATURES = {
    "system prompt, text, usage": (PLAIN, [SYSTEM, QUESTION], lambda caller: [ANSWER, *COUNTS[caller]]),
    "streaming": (PLAIN, [QUESTION], lambda caller: [ANSWER, *COUNTS[caller]]),
    "tool calls": ({"tool_call": CALL, "usage": USAGE}, list(TOOLS), lambda caller: ["weather", "Oslo"]),
    "parallel tool calls": (
        {"tool_call": CALL, "more_tool_calls": [OTHER], "usage": USAGE}, list(TOOLS),
        lambda caller: ["weather", "Oslo", "clock", "Bergen"],
    ),
    "streaming of tool calls": (
        {"tool_call": CALL, "more_tool_calls": [OTHER], "usage": USAGE}, list(TOOLS),
        lambda caller: ["weather", "clock"],
    ),
    ONE_CALL: (
        {"tool_call": CALL, "more_tool_calls": [OTHER], "usage": USAGE}, list(TOOLS),
        lambda caller: ["weather", "Oslo"],
    ),
    "tool results": (PLAIN, [RESULT, "weather"], lambda caller: [ANSWER]),
    "images": (PLAIN, [PIXEL], lambda caller: [ANSWER]),
    "PDF documents": (PLAIN, [PDF], lambda caller: [ANSWER]),
    "stop sequences": (PLAIN, ["HALT"], lambda caller: [ANSWER]),
    "several answers": (PLAIN, ["2"], lambda caller: [ANSWER]),
    "structured output": ({"text": '{"city": "Oslo"}', "usage": USAGE}, ["properties", "city"], lambda caller: ["city", "Oslo"]),
    "reasoning": ({**PLAIN, "reasoning": THOUGHT}, [QUESTION], lambda caller: [ANSWER, THOUGHT]),
    "stop for length": ({**PLAIN, "finish_reason": "length"}, [QUESTION], lambda caller: [ANSWER, LENGTH[caller]]),
    "errors": ({"status": 429, "retry_after": 7, "message": "slow down"}, [QUESTION], lambda caller: [FAILURE[caller]]),
}


def send(url, token, body):
    request = urllib.request.Request(url, method="POST", data=json.dumps(body, ensure_ascii=False).encode())
    for name, value in {"content-type": "application/json", "authorization": f"Bearer {token}", "anthropic-version": "2023-06-01"}.items():
        request.add_header(name, value)
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, answer.headers, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.headers, error.read().decode()


def written(raw):
    """An answer in one spelling; a stream with its texts put together, as a client reads them."""
    if not any(line.startswith("data:") for line in raw.splitlines()):
        return json.dumps(json.loads(raw), ensure_ascii=False)
    events = [json.loads(line[5:]) for line in raw.splitlines() if line.startswith("data:") and "[DONE]" not in line]
    def pieces(value):
        if isinstance(value, dict):
            for name, inner in value.items():
                if name in ("content", "text", "delta") and isinstance(inner, str):
                    yield inner
                else:
                    yield from pieces(inner)
        elif isinstance(value, list):
            for inner in value:
                yield from pieces(inner)
    return "".join(piece for event in events for piece in pieces(event)) + json.dumps(events, ensure_ascii=False)


def cell(gateway, place, caller, feature):
    """`yes`, the name of what is refused, or why neither is true."""
    script, reaches, finds = FEATURES[feature]
    place.script(script)
    before = len(place.requests())
    path, body = ASK[caller](feature, {"model": place.model})
    status, headers, raw = send(gateway.url + path, place.token, body)
    refused = place.requests()[before:] == [] and 400 <= status < 500
    if refused:
        error = json.loads(raw)
        message = error.get("error", error).get("message", raw) if isinstance(error.get("error", error), dict) else raw
        named = message.split("`")[1] if message.count("`") > 1 else None
        return ("refused", named) if named else ("wrong", f"{status}: {raw[:300]}")
    if feature == "errors":
        good = status == 429 and headers.get("retry-after") == "7" and FAILURE[caller] in raw
        return ("yes", None) if good else ("wrong", f"{status} {headers.get('retry-after')}: {raw[:300]}")
    if status != 200:
        return "wrong", f"{status}: {raw[:300]}"
    got = place.requests()[-1]["raw"]
    lost = [text for text in reaches if text not in got]
    answer = written(raw)
    missing = [text for text in finds(caller) if text not in answer]
    # The script obeys nobody: who was told is believed, and for all others the wish is kept by Ralex.
    if feature == ONE_CALL and "Bergen" in answer and "parallel_tool" not in got:
        return "wrong", f"the caller got a second call: {raw[:600]}"
    if lost or missing:
        return "wrong", f"the provider did not get {lost}, the caller not {missing}: {raw[:600]}"
    return "yes", None


def run(gateway):
    """Yields (caller, provider, feature, outcome, detail)."""
    for caller in CALLERS:
        for provider in PROVIDERS:
            if provider in gateway.absent:
                continue
            place = gateway.place(f"matrix-{caller[:2]}-{provider[:2]}", provider)
            for feature in FEATURES:
                if (caller, feature) not in UNSAID:
                    yield caller, provider, feature, *cell(gateway, place, caller, feature)


def page(results):
    """The page of the book."""
    found = {(caller, provider, feature): (outcome, detail) for caller, provider, feature, outcome, detail in results}
    lines = [
        "# Compatibility", "",
        "What a caller of each format gets from a provider of each, as the tests found it: every cell was a call through",
        "Ralex to a scripted provider that speaks the vendor's true format. `yes` means that the provider got what was meant",
        "and the caller got the answer in its own words. What cannot be carried is refused before anything is sent, with the",
        "name of the field that is shown here; nothing is dropped in silence. `—` is what the caller's own format has no",
        "words for. This page is written by",
        "`tests/clients/run matrix --write`, and `make test` fails where it is out of date.", "",
    ]
    for caller, title in CALLERS.items():
        lines += [f"## {title}", "", "| | " + " | ".join(PROVIDERS.values()) + " |", "|---" * (len(PROVIDERS) + 1) + "|"]
        for feature in FEATURES:
            cells = []
            for provider in PROVIDERS:
                outcome, detail = found.get((caller, provider, feature), ("—" if (caller, feature) in UNSAID else "not run", None))
                cells.append(f"refused: `{detail}`" if outcome == "refused" else "no" if outcome == "wrong" else outcome)
            lines.append(f"| {feature} | " + " | ".join(cells) + " |")
        lines.append("")
    return "\n".join(lines)


def differs(text):
    """How the page in the book differs from what was found."""
    known = PAGE.read_text() if PAGE.exists() else ""
    lines = difflib.unified_diff(known.splitlines(), text.splitlines(), "docs/src/compatibility.md", "as found", n=0, lineterm="")
    return list(lines)
