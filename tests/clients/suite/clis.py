"""The command lines of coding agents: each completes a prompt through Ralex, with a call of one of its own tools."""

import base64
import json
import os
import pathlib
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field

from upstream import AFTER_TOOL, ANSWER, PIXEL, USAGE, tool

NOTE = "The word of the day is periwinkle."
PROMPT = "Read note.txt and tell me what it says."
AGAIN = "And what did it say yesterday?"
SECONDS = 180


@dataclass
class Run:
    """One start of a program: its arguments, its settings, and the files that it finds in its home."""

    arguments: list
    environment: dict = field(default_factory=dict)
    files: dict = field(default_factory=dict)


@dataclass
class Check:
    name: str
    # The format of the provider behind Ralex.
    wire: str
    # From (place, home, folder of the work) to a Run.
    start: Callable
    # What the model answers, from the folder of the work.
    script: Callable
    # What the program must print.
    prints: str = AFTER_TOOL
    # A text that must have reached the model, as the tool's result for example.
    reaches: str = NOTE
    # Looks at the folder of the work afterwards; tells what is wrong.
    leaves: Callable = lambda work: []
    # What the provider answers to the first request only; the program has to try again.
    first: dict = None
    # Further arguments of the first start.
    more: tuple = ()
    # Arguments, from the place, of a second start that goes on with the conversation.
    then: Callable = None


@dataclass
class Cli:
    name: str
    # Path of the program below the folder of the tools.
    program: str
    checks: list


def opencode(provider, path):
    def start(place, home, work):
        settings = {
            "$schema": "https://opencode.ai/config.json",
            "provider": {"gw": {
                "npm": provider, "options": {"baseURL": place.url + path, "apiKey": "{env:GW_TOKEN}"},
                "models": {place.model: {"name": "Ralex"}},
            }},
            "model": f"gw/{place.model}", "small_model": f"gw/{place.model}", "autoupdate": False, "share": "disabled",
        }
        return Run(
            ["run", "-m", f"gw/{place.model}", PROMPT],
            {"GW_TOKEN": place.token, "OPENCODE_DISABLE_MODELS_FETCH": "1", "OPENCODE_DISABLE_AUTOUPDATE": "1"},
            {work / "opencode.json": json.dumps(settings)},
        )
    return start


def codex(place, home, work):
    config = f"""model = "{place.model}"
model_provider = "gw"
[model_providers.gw]
name = "Ralex"
base_url = "{place.url}/v1"
env_key = "GW_TOKEN"
wire_api = "responses"
"""
    return Run(
        ["exec", "--skip-git-repo-check", "--dangerously-bypass-approvals-and-sandbox", PROMPT],
        {"GW_TOKEN": place.token}, {home / ".codex" / "config.toml": config},
    )


def codex_own(place, home, work):
    """As OpenAI's own: it tries a WebSocket first, and goes on with a POST where that is refused."""
    config = f'model = "{place.model}"\nopenai_base_url = "{place.url}/v1"\n'
    return Run(
        ["exec", "--skip-git-repo-check", "--dangerously-bypass-approvals-and-sandbox", PROMPT],
        {"CODEX_API_KEY": place.token}, {home / ".codex" / "config.toml": config},
    )


def claude(variable):
    def start(place, home, work):
        return Run(
            ["-p", PROMPT, "--model", place.model],
            {
                "ANTHROPIC_BASE_URL": place.url, variable: place.token, "ANTHROPIC_SMALL_FAST_MODEL": place.model,
                "ANTHROPIC_DEFAULT_HAIKU_MODEL": place.model, "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
                "DISABLE_AUTOUPDATER": "1",
            },
        )
    return start


def gemini(place, home, work):
    settings = {"security": {"auth": {"selectedType": "gemini-api-key"}}, "general": {"disableAutoUpdate": True}}
    return Run(
        ["-m", place.model, "-p", PROMPT],
        {"GEMINI_API_KEY": place.token, "GOOGLE_GEMINI_BASE_URL": place.url, "GEMINI_CLI_TRUST_WORKSPACE": "true"},
        {home / ".gemini" / "settings.json": json.dumps(settings)},
    )


def qwen_openai(place, home, work):
    return Run(
        ["--auth-type", "openai", "-p", PROMPT],
        {"OPENAI_API_KEY": place.token, "OPENAI_BASE_URL": place.url + "/v1", "OPENAI_MODEL": place.model},
    )


def qwen_anthropic(place, home, work):
    return Run(
        ["--auth-type", "anthropic", "-p", PROMPT],
        {"ANTHROPIC_API_KEY": place.token, "ANTHROPIC_BASE_URL": place.url, "ANTHROPIC_MODEL": place.model},
    )


def aider(model, environment):
    def start(place, home, work):
        return Run(
            [
                "--model", f"{model}/{place.model}", "--message", PROMPT, "--yes-always", "--no-check-update", "--no-analytics",
                "--no-show-model-warnings", "--map-tokens", "0", "--no-git", "--edit-format", "diff", "note.txt",
            ],
            {**environment(place), "LITELLM_LOCAL_MODEL_COST_MAP": "True"},
        )
    return start


AIDER_ANSWER = f"""{ANSWER}

note.txt
```
<<<<<<< SEARCH
{NOTE}
=======
{NOTE} Tomorrow's is cornflower.
>>>>>>> REPLACE
```
"""


def aider_edited(work):
    text = (work / "note.txt").read_text()
    return [] if "cornflower" in text else [f"aider did not edit the file: {text!r}"]


def llm(place, home, work):
    models = f"- model_id: gw\n  model_name: {place.model}\n  api_base: {place.url}/v1\n  supports_tools: true\n  api_key_name: ralex\n"
    function = 'def read_note(name: str) -> str:\n    "Reads a note."\n    return open(name).read()\n'
    return Run(
        ["-m", "gw", "--key", place.token, "--functions", function, PROMPT],
        {"LLM_USER_PATH": str(home / "llm")}, {home / "llm" / "extra-openai-models.yaml": models},
    )


SGPT_FUNCTION = '''from pydantic import BaseModel, Field


class Function(BaseModel):
    """Reads a note."""

    name: str = Field(..., description="The note's file.")

    @classmethod
    def execute(cls, name: str) -> str:
        return open(name).read()

    @classmethod
    def openai_schema(cls):
        return {"type": "function", "function": {"name": "read_note", "description": "Reads a note.", "parameters": {
            "type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}}}
'''


def sgpt(place, home, work):
    settings = {
        "API_BASE_URL": f"{place.url}/v1", "OPENAI_API_KEY": place.token, "DEFAULT_MODEL": place.model, "PRETTIFY_MARKDOWN": "false",
        "OPENAI_USE_FUNCTIONS": "true", "SHOW_FUNCTIONS_OUTPUT": "false",
        "OPENAI_FUNCTIONS_PATH": str(home / "functions"),
    }
    return Run(
        ["--no-cache", PROMPT], {},
        {
            home / ".config" / "shell_gpt" / ".sgptrc": "".join(f"{name}={value}\n" for name, value in settings.items()),
            home / "functions" / "read_note.py": SGPT_FUNCTION,
        },
    )


def reads(name, argument):
    """The model reads the note with a tool that wants a path."""
    return lambda work: tool(name, {argument: str(work / "note.txt")})


def reads_picture(name, argument):
    return lambda work: tool(name, {argument: str(work / "picture.png")})


NODE = "node-cli/node_modules/.bin/"
# The model thinks before it calls the tool; the thought goes back with the result.
def thoughtfully(name, argument):
    return lambda work: {**reads(name, argument)(work), "reasoning": "The note will tell."}


# What an answer must look like.
FORM = {"type": "object", "properties": {"word": {"type": "string"}}, "required": ["word"], "additionalProperties": False}
FORMED = {"text": '{"word": "periwinkle"}', "usage": USAGE}
LIMITED = {"status": 429, "retry_after": 1, "message": "slow down"}
OPENCODE_READS = reads("read", "filePath")
def codex_reads(work):
    return tool("exec_command", {"cmd": "cat note.txt"})


def codex_thinks(work):
    return {**codex_reads(work), "reasoning": "The note will tell."}


def codex_again(place):
    return ["exec", "resume", "--last", "--skip-git-repo-check", "--dangerously-bypass-approvals-and-sandbox", AGAIN]


def claude_again(place):
    return ["-c", "-p", AGAIN, "--model", place.model]


def gemini_again(place):
    return ["-m", place.model, "--resume", "latest", "-p", AGAIN]


def qwen_again(place):
    return ["--auth-type", "openai", "--continue", "-p", AGAIN]


CLIS = [
    Cli("opencode", NODE + "opencode", [
        Check("chat completions", "chat", opencode("@ai-sdk/openai-compatible", "/v1"), OPENCODE_READS),
        Check("messages", "messages", opencode("@ai-sdk/anthropic", "/v1"), OPENCODE_READS),
        Check("responses", "responses", opencode("@ai-sdk/openai", "/v1"), OPENCODE_READS),
        Check("messages, provider of chat completions", "chat", opencode("@ai-sdk/anthropic", "/v1"), OPENCODE_READS),
        Check("chat completions, provider of messages", "messages", opencode("@ai-sdk/openai-compatible", "/v1"), OPENCODE_READS),
        Check("conversation goes on", "chat", opencode("@ai-sdk/openai-compatible", "/v1"), OPENCODE_READS,
              then=lambda place: ["run", "-c", "-m", f"gw/{place.model}", AGAIN]),
        Check("thoughts, provider of messages", "messages", opencode("@ai-sdk/anthropic", "/v1"), thoughtfully("read", "filePath")),
        Check("limited at first", "chat", opencode("@ai-sdk/openai-compatible", "/v1"), OPENCODE_READS, first=LIMITED),
    ]),
    Cli("codex", NODE + "codex", [
        Check("responses", "responses", codex, codex_reads),
        Check("responses, as OpenAI's own provider", "responses", codex_own, codex_reads),
        Check("responses, provider of chat completions", "chat", codex, codex_reads),
        Check("responses, provider of messages", "messages", codex, codex_reads),
        Check("responses, provider of Gemini", "gemini", codex, codex_reads),
        Check("responses, provider of Bedrock", "converse", codex, codex_reads),
        Check("conversation goes on", "responses", codex, codex_reads, then=codex_again),
        Check("conversation goes on, provider of messages", "messages", codex, codex_reads, then=codex_again),
        Check("thoughts", "responses", codex, codex_thinks),
        Check("thoughts, provider of messages", "messages", codex, codex_thinks),
        Check("picture", "responses", codex, codex_reads, more=("-i", "picture.png"), reaches="data:image/png;base64,"),
        Check("picture, provider of Gemini", "gemini", codex, codex_reads, more=("-i", "picture.png"), reaches="inlineData"),
        Check("form of the answer", "responses", codex, lambda work: FORMED, more=("--output-schema", "form.json"),
              prints="periwinkle", reaches='"word"'),
        Check("form of the answer, provider of messages", "messages", codex, lambda work: FORMED,
              more=("--output-schema", "form.json"), prints="periwinkle", reaches='"word"'),
        Check("limited at first", "responses", codex, codex_reads, first=LIMITED),
    ]),
    Cli("claude-code", NODE + "claude", [
        Check("bearer token", "messages", claude("ANTHROPIC_AUTH_TOKEN"), reads("Read", "file_path")),
        Check("API key", "messages", claude("ANTHROPIC_API_KEY"), reads("Read", "file_path")),
        Check("provider of chat completions", "chat", claude("ANTHROPIC_AUTH_TOKEN"), reads("Read", "file_path")),
        Check("thoughts", "messages", claude("ANTHROPIC_AUTH_TOKEN"), thoughtfully("Read", "file_path")),
        Check("thoughts, provider of responses", "responses", claude("ANTHROPIC_AUTH_TOKEN"), thoughtfully("Read", "file_path")),
        Check("picture", "messages", claude("ANTHROPIC_AUTH_TOKEN"), reads_picture("Read", "file_path"), reaches='"media_type":"image/'),
        Check("picture, provider of chat completions", "chat", claude("ANTHROPIC_AUTH_TOKEN"), reads_picture("Read", "file_path"),
              reaches="data:image/"),
        Check("conversation goes on", "messages", claude("ANTHROPIC_AUTH_TOKEN"), reads("Read", "file_path"), then=claude_again),
        Check("limited at first", "messages", claude("ANTHROPIC_AUTH_TOKEN"), reads("Read", "file_path"), first=LIMITED),
    ]),
    Cli("gemini-cli", NODE + "gemini", [
        Check("generateContent", "gemini", gemini, reads("read_file", "file_path")),
        Check("generateContent, provider of chat completions", "chat", gemini, reads("read_file", "file_path")),
        Check("conversation goes on", "gemini", gemini, reads("read_file", "file_path"), then=gemini_again),
        Check("thoughts, provider of messages", "messages", gemini, thoughtfully("read_file", "file_path")),
        Check("picture", "gemini", gemini, reads_picture("read_file", "file_path"), reaches="inlineData"),
        Check("picture, provider of messages", "messages", gemini, reads_picture("read_file", "file_path"), reaches='"media_type":"image/'),
    ]),
    Cli("qwen-code", NODE + "qwen", [
        Check("chat completions", "chat", qwen_openai, reads("read_file", "file_path")),
        Check("messages", "messages", qwen_anthropic, reads("read_file", "file_path")),
        Check("conversation goes on", "chat", qwen_openai, reads("read_file", "file_path"), then=qwen_again),
    ]),
    Cli("aider", "aider/bin/aider", [
        Check(
            "chat completions", "chat", aider("openai", lambda place: {"OPENAI_API_BASE": place.url + "/v1", "OPENAI_API_KEY": place.token}),
            lambda work: {"text": AIDER_ANSWER, "usage": USAGE}, prints=ANSWER, leaves=aider_edited,
        ),
        Check(
            "messages", "messages", aider("anthropic", lambda place: {"ANTHROPIC_API_BASE": place.url, "ANTHROPIC_API_KEY": place.token}),
            lambda work: {"text": AIDER_ANSWER, "usage": USAGE}, prints=ANSWER, leaves=aider_edited,
        ),
    ]),
    Cli("llm", "llm/bin/llm", [
        Check("chat completions", "chat", llm, lambda work: tool("read_note", {"name": "note.txt"})),
    ]),
    Cli("shell-gpt", "sgpt/bin/sgpt", [
        Check("chat completions", "chat", sgpt, lambda work: tool("read_note", {"name": "note.txt"})),
    ]),
]


def run_check(gateway, tools, cli, check):
    """Starts the program in a home of its own; what is wrong, or None where its provider is missing."""
    if check.wire in gateway.absent:
        return None
    name = "".join(c if c.isalnum() else "-" for c in f"{cli.name}-{check.name}".lower()).replace("--", "-")
    place = gateway.place(name[:60], check.wire)
    root = pathlib.Path(tempfile.mkdtemp(prefix="ralex-client-"))
    home, work = root / "home", root / "work"
    home.mkdir()
    work.mkdir()
    (work / "note.txt").write_text(NOTE + "\n")
    (work / "picture.png").write_bytes(base64.b64decode(PIXEL))
    (work / "form.json").write_text(json.dumps(FORM))
    place.script(check.script(work))
    if check.first:
        place.script_once(check.first)
    run = check.start(place, home, work)
    for path, text in run.files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    # Nothing of this machine's settings may lead past Ralex.
    environment = {
        "PATH": os.environ["PATH"], "HOME": str(home), "TERM": "dumb", "NO_COLOR": "1", "LANG": "C.UTF-8", "SHELL": "/bin/bash",
        "PWD": str(work), **run.environment,
    }
    starts = [[*run.arguments, *check.more], *([check.then(place)] if check.then else [])]
    try:
        for turn, arguments in enumerate(starts):
            if turn:
                # No provider gives an id twice; Claude Code drops the results of calls whose id it has seen.
                place.script(renamed(check.script(work), turn))
            done = subprocess.run(
                [tools / cli.program, *arguments], cwd=work, env=environment, stdin=subprocess.DEVNULL,
                capture_output=True, text=True, timeout=SECONDS,
            )
        wrong = judge(check, place, work, done)
    except subprocess.TimeoutExpired as slow:
        wrong = [f"it did not end in {SECONDS} s: {(slow.stdout or b'')[-300:]!r} {(slow.stderr or b'')[-300:]!r}"]
    shutil.rmtree(root, ignore_errors=True)
    return wrong


def renamed(script, turn):
    """The same answer, with another id for the call of a tool that may be in it."""
    call = script.get("tool_call")
    return {**script, "tool_call": {**call, "id": f"{call['id']}_{turn}"}} if call else script


def judge(check, place, work, done):
    said = f"it said {done.stdout[-500:]!r} and {done.stderr[-700:]!r}"
    wrong = []
    if done.returncode:
        wrong.append(f"exit code {done.returncode}; {said}")
    if check.prints not in done.stdout:
        wrong.append(f"it did not print the model's answer; {said}")
    requests = place.requests()
    if not any(check.reaches in request["raw"] for request in requests):
        offered = sorted({name for request in requests for name in names_of_tools(request["body"])})
        wrong.append(f"{check.reaches!r} did not reach the model in {len(requests)} requests; tools on offer: {offered}")
    if check.then and not any(AGAIN in request["raw"] and check.reaches in request["raw"] for request in requests):
        wrong.append(f"the second start did not go on with the first one's conversation; {said}")
    wrong += check.leaves(work)
    if check.first:
        failed = [call["state"] for call in place.calls(len(requests))].count("error")
        return wrong + place.audit(by_token=False) + ([] if failed == 1 else [f"{failed} calls are recorded as failed instead of one"])
    return wrong + place.audit(usage=[USAGE["input_tokens"], USAGE["output_tokens"]])


def names_of_tools(body):
    for entry in body.get("tools") or []:
        yield from (one["name"] for one in entry.get("functionDeclarations", []))
        name = entry.get("name") or entry.get("function", {}).get("name")
        if name:
            yield name
