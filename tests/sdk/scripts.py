"""What the scripted provider is told to answer: scripts.json, which both suites read."""

import json
import pathlib
import urllib.request

SCRIPTS = json.loads((pathlib.Path(__file__).resolve().parent / "scripts.json").read_text())
ANSWER = SCRIPTS["answer"]
INPUT_TOKENS, OUTPUT_TOKENS = SCRIPTS["input_tokens"], SCRIPTS["output_tokens"]
PLAIN, TOOL, LIMITED, FAILURE = (SCRIPTS[name] for name in ("plain", "tool", "limited", "failure"))


def script(upstream, what):
    """Sets what the provider at `upstream` answers next."""
    request = urllib.request.Request(
        upstream + "/_script", method="POST", data=json.dumps(what).encode(),
        headers={"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=10):
        pass


def last_request(upstream, model):
    """What the provider got for its newest call of a model: path, headers, body."""
    with urllib.request.urlopen(f"{upstream}/_requests/{model}", timeout=10) as answer:
        return json.load(answer)[-1]
