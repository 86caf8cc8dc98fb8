"""Runs one client library: reads jobs line by line, does them, and writes what the library returned.

A job names a scenario, where to go, with which key and for which model; a result has the same form for every
library, so that one table of expectations serves them all.
"""

import json
import os
import sys

QUESTION = "What is the weather in Oslo?"
SYSTEM = "You answer briefly."
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
RESULT = "4 degrees"
MAX_OUTPUT = 256
# A WAV file without a sample.
WAV = bytes.fromhex("524946462400000057415645666d74201000000001000100401f0000401f000001000800646174610000000000")


class Job:
    def __init__(self, told):
        self.base, self.key, self.model = told["base"], told["key"], told["model"]


def failure(error):
    """What a library raised; its own class and the status are what applications look at."""
    status = getattr(error, "status_code", None) or getattr(error, "code", None)
    return {"error": {"kind": type(error).__name__, "status": status, "text": str(error)[:1500]}}


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
