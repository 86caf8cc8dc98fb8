"""A running Ralex for clients: one provider for each wire format, one model and one token for each check."""

import os
import pathlib
import sys
import time
from decimal import Decimal

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "sdk"))

from stack import EMAIL, INPUT_PRICE, KEY, OUTPUT_PRICE, PASSWORD, Refused, Stack  # noqa: E402
from upstream import Upstream  # noqa: E402

AMAZON_KEY = "AKIDSCRIPTED:c2NyaXB0ZWQ::us-east-1"
# For each wire format a kind of provider that prefers it, and what its base URL ends with.
PROVIDERS = {
    "chat": ("openai_compatible", "/v1", KEY),
    "responses": ("openai", "/v1", KEY),
    "messages": ("anthropic", "", KEY),
    "gemini": ("gemini", "/v1beta", KEY),
    "converse": ("bedrock", "", AMAZON_KEY),
}


UNDER_WAY = ("open",)


class Gateway(Stack):
    """The stack of the SDK tests, with other providers."""

    # A provider that wants to be waited for is waited for by the client, not here.
    settings = {"RALEX_RETRY_WAIT": "200"}

    def provision(self):
        self.call("POST", "/api/v1/auth/login", {"email": EMAIL, "password": PASSWORD})
        cookie = self.cookie.split(";")[0]
        self.admin = self.call("POST", "/api/v1/me/tokens", {"name": "client tests"}, {"Cookie": cookie})["token"]
        self.org("POST", "/teams", {"slug": "sdk", "name": "Clients"})
        self.scripted = Upstream(self.upstream)
        # Why there is no provider of a format, where there is none.
        self.absent = {}
        # Amazon's signatures are checked as Amazon does; the other keys are looked for in the requests.
        identity, secret, _, region = AMAZON_KEY.split(":")
        amazon = self.run([os.environ["UPSTREAM_BIN"], "--listen", "127.0.0.1:0", "--key", f"{identity}:{secret}:{region}"], {})
        self.behind = {wire: Upstream(amazon) if wire == "converse" else self.scripted for wire in PROVIDERS}
        for wire, (kind, path, key) in PROVIDERS.items():
            try:
                base = self.behind[wire].url + path
                self.org("POST", "/providers", {"slug": f"up-{wire}", "kind": kind, "base_url": base})
                self.org("POST", "/secrets", {"name": f"up-{wire} key", "provider": f"up-{wire}", "value": key})
            except Refused as refused:
                self.absent[wire] = str(refused)

    def calls_of(self, model, wanted):
        """The calls that Ralex recorded, oldest first, once so many have ended; a call settles after its answer.

        Counts of tokens, which some clients make between their questions and Ralex does itself where the provider
        does not know the caller's format, are not among them.
        """
        deadline = time.monotonic() + 10
        while True:
            found = [call for call in self.org("GET", f"/calls?limit=200&model={model}")["items"] if call.get("purpose") != "count"]
            ended = all(call["state"] not in UNDER_WAY for call in found)
            if (len(found) >= wanted and ended) or time.monotonic() > deadline:
                return found[::-1]
            time.sleep(0.02)

    def place(self, name, wire):
        return Place(self, name, wire)


class Place:
    """Where one check happens: a model that only it calls, and a token that only it has."""

    def __init__(self, gateway, name, wire):
        self.gateway, self.wire, self.model = gateway, wire, name
        self.upstream_model = f"up-{name}"
        model = gateway.model(name, f"up-{wire}")
        gateway.org("POST", "/models", {**model, "upstream_model": self.upstream_model, "context_window": 1_000_000})
        self.token = gateway.new_token(name)["token"]
        self.url = gateway.url

    def script(self, what):
        self.gateway.behind[self.wire].script(self.upstream_model, what)

    def script_once(self, what):
        """What the provider does first."""
        self.gateway.behind[self.wire].script_once(self.upstream_model, PROVIDERS[self.wire][2].split(":")[0], what)

    def requests(self):
        return self.gateway.behind[self.wire].requests(self.upstream_model)

    def calls(self, wanted):
        return self.gateway.calls_of(self.model, wanted)

    def audit(self, count=None, usage=None, by_token=True):
        """What always holds of a check's calls; a list of what does not.

        The provider saw its own key, its own name of the model, and nothing of the caller's token; Ralex recorded
        every call with the tokens that the provider counted, at their exact price; pictures and sounds are not sold
        by the token.
        """
        wrong = []
        requests = self.requests()
        if count is not None and len(requests) != count:
            wrong.append(f"{len(requests)} requests reached the provider instead of {count}")
        for request in requests:
            if self.token in request["raw"] or self.token in str(request["headers"]):
                wrong.append("the provider saw the caller's token")
            if not shows_key(request, PROVIDERS[self.wire][2]):
                wrong.append(f"the provider did not see its key: {request['headers']}")
        questions = [request for request in requests if not is_count(request)]
        calls = self.calls(len(questions))
        if len(calls) != len(questions):
            ends = [call.get("problem") or call["state"] for call in calls]
            wrong.append(f"{len(calls)} calls are recorded for {len(questions)} requests: {ends}")
        for call in calls if by_token else []:
            if call["estimated"]:
                wrong.append(f"a call's tokens are estimated: {call}")
            if usage and [call["input_tokens"], call["output_tokens"]] != usage:
                wrong.append(f"recorded {call['input_tokens']} + {call['output_tokens']} tokens instead of {usage}")
            cost = (Decimal(INPUT_PRICE) * call["input_tokens"] + Decimal(OUTPUT_PRICE) * call["output_tokens"]) / 1_000_000
            if Decimal(call["cost"]) != cost or not cost:
                wrong.append(f"a call of {call['input_tokens']} + {call['output_tokens']} tokens cost {call['cost']}")
        return wrong


def is_count(request):
    return "countTokens" in request["path"] or "count_tokens" in request["path"]


def shows_key(request, key):
    headers = request["headers"]
    if ":" in key:
        return f"Credential={key.split(':')[0]}/" in headers.get("authorization", "")
    shown = [headers.get(name) for name in ("x-api-key", "api-key", "x-goog-api-key")]
    shown.append(headers.get("authorization", "").removeprefix("Bearer "))
    return key in shown or f"key={key}" in request.get("query", "")
