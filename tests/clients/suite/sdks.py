"""The SDKs: which there are, what each does, and what must come of it.

Every scenario is done twice: straight at the scripted provider, as the vendor's own, and through Ralex. Both must
return the same, whatever format the provider behind Ralex speaks; and where it speaks the caller's own, it must get
the same bytes but for the model's name.
"""

import json
import re
import subprocess
import zlib
from dataclasses import dataclass, field

import habits
from upstream import AFTER_TOOL, ANSWER, CALL, PLAIN, TOOL, USAGE

BASIC = ["plain", "stream", "tools"]
ALL_WIRES = ["chat", "responses", "messages", "gemini", "converse"]


@dataclass
class Sdk:
    name: str
    """`python:` and the environment's name, or `node`; then the driver and its arguments."""
    runs: tuple
    """Scenarios by the wire format that the SDK speaks in them."""
    speaks: dict
    """Scenarios that only providers of one format can answer."""
    only: dict = field(default_factory=dict)


def prefixed(prefix, *scenarios):
    return [f"{prefix}_{scenario}" for scenario in scenarios]


AGENT = (*BASIC, "stream_tools", "parses", "output_parses", "stream_parses", "sees", "long", "hangs")


SDKS = [
    Sdk("openai (Python)", ("python:sdk", "openai_py.py"), {
        "chat": [
            *BASIC, "tools_stream", "azure_plain", "azure_stream", "sees", "parses", "stream_parses", "long", "many", "breaks", "hangs",
        ],
        "responses": [
            "response", "response_stream", "response_tools", "response_sees", "response_parses", "response_stream_parses",
            "response_thinks", "response_breaks", "response_hangs",
        ],
    }, {
        "chat": ["embed", "moderate", "image", "speech", "transcribe", "models", "retries"],
        "responses": ["azure_response", "response_continues", "response_keeps"],
    }),
    Sdk("anthropic (Python)", ("python:sdk", "anthropic_py.py"), {
        "messages": [
            *BASIC, "bearer", "sees", "parses", "stream_parses", "runner", "stream_runner", "thinks", "long", "many", "breaks", "hangs",
        ],
    }, {"messages": ["count", "models", "retries"]}),
    Sdk("google-genai (Python)", ("python:sdk", "google_py.py"), {
        "gemini": [
            *BASIC, "tools_stream", "sees", "parses", "runner", "stream_runner", "thinks", "chats", "long", "many", "breaks", "hangs",
        ],
    }, {"gemini": ["count", "embed", "retries"]}),
    Sdk("mistralai (Python)", ("python:sdk", "mistral_py.py"), {"chat": BASIC}),
    Sdk("groq (Python)", ("python:sdk", "groq_py.py"), {"chat": BASIC}),
    Sdk("langchain-openai", ("python:sdk", "langchain_py.py"), {
        "chat": [*BASIC, "stream_tools", "parses", "returns", "sees", "long", "many"], "responses": ["response_tools"],
    }, {"chat": ["embed"]}),
    Sdk("pydantic-ai", ("python:sdk", "pydantic_py.py"), {
        wire: prefixed(wire, *BASIC, "returns", *formed, "sees", "chats")
        for wire, formed in (("chat", ["parses"]), ("responses", ["parses"]), ("messages", []))
    }),
    Sdk("litellm (as a client)", ("python:litellm", "litellm_py.py"), {
        wire: prefixed(of, *BASIC, "parses", "sees")
        for wire, of in (("chat", "openai"), ("messages", "anthropic"), ("gemini", "gemini"))
    }),
    Sdk("openai (Node)", ("node", "openai.mjs"), {
        "chat": [*BASIC, "sees", "parses", "runner", "long", "many", "breaks", "hangs"],
        "responses": ["response", "response_stream", "response_tools", "response_parses", "response_breaks", "response_hangs"],
    }, {"chat": ["embed", "models", "retries"], "responses": ["response_continues", "response_keeps", "batch"]}),
    Sdk("@anthropic-ai/sdk", ("node", "anthropic.mjs"), {
        "messages": [*BASIC, "sees", "parses", "runner", "stream_runner", "long", "many", "breaks", "hangs"],
    }, {"messages": ["count", "models", "retries"]}),
    *(
        Sdk(f"@google/genai {version}", ("node", "google.mjs", version), {
            "gemini": [*BASIC, "sees", "parses", "runner", "chats", "long", "many", "breaks", "hangs"],
        }, {"gemini": ["count", "embed"]})
        for version in ("3", "2")
    ),
    Sdk("@mistralai/mistralai", ("node", "mistral.mjs"), {"chat": BASIC}),
    Sdk("groq-sdk", ("node", "groq.mjs"), {"chat": BASIC}),
    Sdk("ai (Vercel)", ("node", "ai.mjs"), {
        "chat": [*prefixed("compatible", *AGENT), *prefixed("chat", *AGENT)], "responses": prefixed("responses", *AGENT),
        "messages": prefixed("messages", *AGENT), "gemini": prefixed("google", *AGENT),
    }, {"chat": ["compatible_retries"], "messages": ["messages_retries"]}),
]

# Calls that are answered for nothing, and calls that are not sold by the token.
FREE = ("count",)
NOT_BY_TOKEN = [(scenario, "chat") for scenario in ("moderate", "image", "speech", "transcribe")]
# Google tells no usage of embeddings, so what Ralex counted itself stands.
NOT_BY_TOKEN += [("embed", "gemini")]

STRAIGHT = "sk-straight"
# What the scripted provider names its answers and their parts, by how many it gave.
NUMBERED = re.compile(r'"(resp|rs|msg|fc|toolu|call|chatcmpl)_\d+')


class Driver:
    """A running driver: one job after the other."""

    def __init__(self, command, log):
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True)

    def do(self, scenario, base, key, model):
        job = {"do": scenario, "base": base, "key": key, "model": model}
        self.process.stdin.write(json.dumps(job) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        return json.loads(line) if line else {"error": {"kind": "driver", "text": "the driver ended"}}

    def end(self):
        self.process.stdin.close()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()


def slug(text):
    return "".join(c if c.isalnum() else "-" for c in text.lower()).strip("-").replace("--", "-")


def checks(sdk, thorough):
    """Every scenario with its wire format and the formats behind Ralex, the scenario's own one first.

    Habits meet one other format each, unless all are asked for.
    """
    for wire, scenarios in sdk.speaks.items():
        others = [other for other in ALL_WIRES if other != wire]
        for scenario in scenarios:
            some = others
            if habits.of(scenario) and not thorough:
                some = [others[zlib.crc32(f"{sdk.name} {scenario}".encode()) % len(others)]]
            yield scenario, wire, [wire, *some]
    for wire, scenarios in sdk.only.items():
        for scenario in scenarios:
            yield scenario, wire, [wire]


def expectation(scenario, result):
    """What is wrong with a result, whichever way it came."""
    if "error" in result:
        return [f"{result['error']['kind']} {result['error'].get('status') or ''}: {result['error']['text']}"]
    kind = scenario.split("_")[-1]
    habit = habits.of(scenario)
    if habit:
        wanted = habit.wanted
    elif "tools" in scenario:
        wanted = {"calls": [[CALL["name"], CALL["arguments"]]], "text": AFTER_TOOL}
    elif kind in ("plain", "stream", "response", "bearer", "transcribe"):
        wanted = {"text": ANSWER}
    else:
        wanted = {}
    wrong = [f"{name} is {result.get(name)!r} instead of {value!r}" for name, value in wanted.items() if result.get(name) != value]
    if kind == "stream" and "tools" not in scenario and result.get("pieces", 0) < 2:
        wrong.append("the text did not come in pieces")
    return wrong


def same_bytes(direct, through, model, upstream_model):
    """Where both sides speak one format the provider gets what the client wrote, with the model's name replaced."""
    wrong = []
    for mine, other in zip(direct, through, strict=False):
        wanted = mine["raw"].replace(f'"{model}"', f'"{upstream_model}"')
        got = other["raw"]
        if "stream_options" not in mine["body"]:
            # Asked for by Ralex, which counts on it, and taken out of the answer again.
            got = got.replace(',"stream_options":{"include_usage":true}', "")
        # Google's batches name the model in each of their requests.
        if "batchEmbedContents" in mine["path"]:
            wanted, got = json.loads(wanted.replace(f"models/{model}", f"models/{upstream_model}")), json.loads(got)
        if isinstance(got, str):
            wanted, got = NUMBERED.sub(r'"\1_N', wanted), NUMBERED.sub(r'"\1_N', got)
        if wanted != got and "boundary=" not in mine["headers"].get("content-type", ""):
            wrong.append(f"the provider got other bytes: {str(got)[:600]} instead of {str(wanted)[:600]}")
    if len(direct) != len(through):
        wrong.append(f"{len(through)} requests instead of {len(direct)}")
    return wrong


def run_refusals(gateway, driver, sdk, wire, scenario):
    """What a caller does wrong is told in the vendor's own words, so that its SDK raises its own error."""
    place = gateway.place(slug(f"{sdk.name}-{scenario}-refused"), wire)
    for name, token, model, status in (
        ("a wrong token", "rlx_wrong", place.model, 401),
        ("an unknown model", place.token, "no-such-model", 404),
    ):
        result = driver.do(scenario, gateway.url, token, model)
        error = result.get("error", {})
        wrong = [] if str(error.get("status")) == str(status) else [f"{result} instead of an error with status {status}"]
        if not wrong and status == 404 and "no-such-model" not in error["text"]:
            wrong.append(f"the error does not name the model: {error['text']}")
        yield name, wrong


def run_scenario(gateway, driver, sdk, scenario, wire, behind):
    """One scenario, straight and through Ralex with each format behind it; yields (format, what is wrong)."""
    habit = habits.of(scenario)
    *first, script = habit.scripts if habit else [TOOL if "tools" in scenario else PLAIN]
    base = slug(f"{sdk.name}-{scenario}")
    gateway.scripted.script(base, script)
    for what in first:
        gateway.scripted.script_once(base, STRAIGHT, what)
    straight = driver.do(scenario, gateway.upstream, STRAIGHT, base)
    trouble = expectation(scenario, straight)
    direct = gateway.scripted.requests(base)
    for other in behind:
        if other in gateway.absent:
            yield other, None
            continue
        if trouble:
            yield other, [f"straight at the provider: {trouble[0]}"]
            continue
        # Google's SDK asks differently of models that are named after Gemini.
        place = gateway.place(f"{base}-{other[:2]}", other)
        place.script(script)
        for what in first:
            place.script_once(what)
        before = gateway.behind[other].counts()
        result = driver.do(scenario, gateway.url, place.token, place.model)
        if scenario == "models":
            known = result.get("models", result)
            yield other, [] if place.model in known else [f"{place.model} is not among {known}"]
            continue
        wrong = expectation(scenario, result)
        if not wrong:
            wrong += [
                f"{name} is {result.get(name)!r}, straight {value!r}"
                for name, value in straight.items() if name != "pieces" and result.get(name) != value
            ]
        # Anthropic's tool runners ask the provider to hold the conversation first; refused that, they send all of it.
        held = any("thread" in request["body"] for request in direct)
        if not wrong and other == wire and scenario not in FREE and not held:
            wrong += same_bytes(direct, place.requests(), base, place.upstream_model)
        if not wrong and habit:
            got = place.requests()
            # Google takes base64 in the alphabet of addresses too, in which its SDK for Python writes it.
            spelled = [habit.reaches, habit.reaches.replace("+", "-")] if other == "gemini" else [habit.reaches]
            if habit.reaches and not any(text in request["raw"] for request in got for text in spelled):
                wrong.append(f"{habit.reaches[:200]!r} did not reach the provider: {str(got)[:600]}")
            wrong += habit.books(place, len(direct), before)
        elif not wrong and scenario not in FREE:
            generated = "text" in straight and scenario != "transcribe"
            usage = [USAGE["input_tokens"], USAGE["output_tokens"]] if generated else None
            wrong += place.audit(len(direct), usage, (scenario, wire) not in NOT_BY_TOKEN)
        yield other, wrong
