"""What clients do besides asking a question and reading the answer: they send pictures, want JSON of a certain form, try
again, hang up. A scenario's last word names the habit, `response_hangs` for example.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from upstream import AFTER_TOOL, ANSWER, CALL, PIXEL, PLAIN, TOOL, USAGE

PLACE = {"city": "Oslo", "degrees": 4}
COUNTED = [USAGE["input_tokens"], USAGE["output_tokens"]]
# The last words of a long context; see the drivers.
LONG_END = "and that was the last line."
AT_ONCE = 20
SECONDS = 5


def as_answered(place, requests, before):
    """One call for each request, with the tokens that the provider counted."""
    return place.audit(requests, COUNTED)


def hung_up(place, requests, before):
    """The provider was told to stop, and what came until then is paid."""
    behind = place.gateway.behind[place.wire]
    deadline = time.monotonic() + SECONDS
    while behind.counts()["canceled"] == before["canceled"]:
        if time.monotonic() > deadline:
            return [f"the provider went on for {SECONDS} s after the client had hung up"]
        time.sleep(0.02)
    return place.audit(by_token=False) + states(place, "canceled")


def broken(place, requests, before):
    return place.audit(requests, by_token=False) + states(place, "error")


def failed_once(place, requests, before):
    return place.audit(requests, by_token=False) + states(place, "error", "success")


def once_for_all(place, requests, before):
    return states(place, "success")


def states(place, *wanted):
    """How its calls ended, oldest first; what is not free must be counted and paid."""
    calls = place.calls(len(wanted))
    found = [call["state"] for call in calls]
    wrong = [] if found == list(wanted) else [f"the calls are recorded as {found} instead of {list(wanted)}"]
    for call in calls:
        if call["state"] in ("success", "canceled") and not (call["input_tokens"] and call["output_tokens"] and float(call["cost"])):
            wrong.append(f"a call that was answered is recorded as {call}")
    return wrong


@dataclass
class Habit:
    # What the provider does, once each; the last for ever.
    scripts: list
    # What the client must return.
    wanted: dict
    # What one of its requests must have.
    reaches: str = ""
    # What is wrong in Ralex's books, from the place, how many requests were made straight, and the counts before.
    books: Callable = field(default=as_answered)


TALK = {"text": ANSWER}
MANY_WORDS = {"chunks": [f"word{at} " for at in range(200)], "delay_chunk_ms": 50}
HABITS = {
    # A picture beside the question.
    "sees": Habit([PLAIN], TALK, reaches=PIXEL),
    # The library's own way to have an object of a type.
    "parses": Habit([{"text": '{"city": "Oslo", "degrees": 4}', "usage": USAGE}], {"parsed": PLACE}, reaches="degrees"),
    # The same, by means of a tool.
    "returns": Habit(
        [{"tool_call": {"name": "Place", "arguments": PLACE, "id": "call_place"}, "usage": USAGE}], {"parsed": PLACE}, reaches="degrees"
    ),
    # A tool is called after some thinking, which goes back with the tool's result.
    "thinks": Habit([{**TOOL, "reasoning": "Somebody may know."}], {"calls": [[CALL["name"], CALL["arguments"]]], "text": AFTER_TOOL}),
    # The library calls the tools and asks again by itself.
    "runner": Habit([TOOL], {"calls": [[CALL["name"], CALL["arguments"]]], "text": AFTER_TOOL}),
    # A conversation that the library keeps, in two turns.
    "chats": Habit([PLAIN], {"texts": [ANSWER, ANSWER]}, reaches="And tomorrow?"),
    "long": Habit([PLAIN], TALK, reaches=LONG_END),
    "many": Habit([PLAIN], {"texts": [ANSWER] * AT_ONCE}),
    # The provider limits the first try; the library waits as long as it is told.
    "retries": Habit([{"status": 429, "retry_after": 1, "message": "slow down"}, PLAIN], {**TALK, "waited": True}, books=failed_once),
    # The stream ends with an error.
    "breaks": Habit([{"text": ANSWER, "usage": USAGE, "error_after": 2}], {"broke": True}, books=broken),
    # The client has heard enough.
    "hangs": Habit([MANY_WORDS], {"heard": "word0"}, books=hung_up),
    # What is to be answered later, in a file.
    "batch": Habit([PLAIN], {"texts": [ANSWER, ANSWER], "name": "questions.jsonl", "gone": True}, books=once_for_all),
    # An answer is read again, with what it was an answer to, and deleted.
    "keeps": Habit([PLAIN], {"texts": [ANSWER, ANSWER], "gone": True}, books=once_for_all),
    # The next turn names the answer to the last one.
    "continues": Habit([PLAIN], {"texts": [ANSWER, ANSWER]}, reaches='"previous_response_id":"resp_'),
}


def of(scenario):
    return HABITS.get(scenario.split("_")[-1])
