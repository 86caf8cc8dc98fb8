"""The scripted provider: what it is to answer, and what it got. Numbers and texts that the checks expect."""

import json
import urllib.request

ANSWER = "It is four degrees in Oslo – bring a coat ☂"
AFTER_TOOL = "The tool says four degrees."
USAGE = {"input_tokens": 11, "output_tokens": 13}
CALL = {"name": "weather", "arguments": {"city": "Oslo"}, "id": "call_scripted"}

# A picture of one point.
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="

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
        self.told(f"/_script/{model}", what)

    def script_once(self, model, key, what):
        """Sets what a model answers first, to who shows this key."""
        self.told("/_script", {**what, "match": {"model": model, "api_key": key}, "times": 1})

    def told(self, path, what):
        request = urllib.request.Request(
            self.url + path, method="POST", data=json.dumps(what).encode(), headers={"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=10):
            pass

    def counts(self):
        """How many calls it began, ended, and saw cut off by the client."""
        with urllib.request.urlopen(f"{self.url}/_counts", timeout=10) as answer:
            return json.load(answer)

    def requests(self, model):
        """What it got for a model, oldest first."""
        with urllib.request.urlopen(f"{self.url}/_requests/{model}", timeout=10) as answer:
            return json.load(answer)
