"""The scripted provider: what it is to answer, and what it got. Numbers and texts that the checks expect."""

import json
import urllib.request

ANSWER = "It is four degrees in Oslo – bring a coat ☂"
AFTER_TOOL = "The tool says four degrees."
USAGE = {"input_tokens": 11, "output_tokens": 13}
CALL = {"name": "weather", "arguments": {"city": "Oslo"}, "id": "call_scripted"}

PLAIN = {"text": ANSWER, "usage": USAGE}
TOOL = {"tool_call": CALL, "after_tool_result": AFTER_TOOL, "usage": USAGE}


def tool(name, arguments):
    """An answer that calls a tool of the client's own, where the client offers it, and afterwards says so."""
    return {
        "tool_call": {"name": name, "arguments": arguments, "id": "call_scripted"},
        "text": ANSWER, "after_tool_result": AFTER_TOOL, "usage": USAGE,
    }


class Upstream:
    def __init__(self, url):
        self.url = url

    def script(self, model, what):
        """Sets what a model answers."""
        request = urllib.request.Request(
            f"{self.url}/_script/{model}", method="POST", data=json.dumps(what).encode(),
            headers={"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=10):
            pass

    def requests(self, model):
        """What it got for a model, oldest first."""
        with urllib.request.urlopen(f"{self.url}/_requests/{model}", timeout=10) as answer:
            return json.load(answer)
