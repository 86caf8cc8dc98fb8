"""Runs one client library: reads jobs line by line, does them, and writes what the library returned.

A job names a scenario, where to go, with which key and for which model; a result has the same form for every
library, so that one table of expectations serves them all.
"""

import json
import os
import sys
import time

QUESTION = "What is the weather in Oslo?"
SYSTEM = "You answer briefly."
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
RESULT = "4 degrees"
MAX_OUTPUT = 256
# A WAV file without a sample.
WAV = bytes.fromhex("524946462400000057415645666d74201000000001000100401f0000401f000001000800646174610000000000")

# A picture of one point.
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
# A context of 300 kB, in words that JSON must escape as well.
LONG = '"Bring a coat", said the crow – and flew.\n' * 7000 + "and that was the last line."
AT_ONCE = 20


class Job:
    def __init__(self, told):
        self.base, self.key, self.model = told["base"], told["key"], told["model"]


def failure(error):
    """What a library raised; its own class and the status are what applications look at."""
    status = getattr(error, "status_code", None) or getattr(error, "code", None)
    return {"error": {"kind": type(error).__name__, "status": status, "text": str(error)[:1500]}}


def timed(ask):
    """What it returned, and whether that took the second that the provider had asked for."""
    begun = time.monotonic()
    return {**ask(), "waited": time.monotonic() - begun >= 1}


def broken(pieces):
    """How a stream ended that must not end well."""
    heard = []
    try:
        for piece in pieces:
            heard.append(piece)
    except Exception as error:
        return {"broke": True, "kind": type(error).__name__, "heard": len(heard) > 0}
    return {"broke": False, "heard": len(heard) > 0}


def serve(scenarios):
    # Libraries print what they like; results have a channel of their own.
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    for line in sys.stdin:
        told = json.loads(line)
        try:
            result = scenarios[told["do"]](Job(told))
        except Exception as error:
            result = failure(error)
        out.write(json.dumps(result) + "\n")
        out.flush()
