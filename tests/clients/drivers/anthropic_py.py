"""Anthropic's Python SDK, with both of its ways to show a key."""

import anthropic

from driver import MAX_OUTPUT, QUESTION, RESULT, SCHEMA, SYSTEM, serve

MESSAGES = [{"role": "user", "content": QUESTION}]
TOOLS = [{"name": "weather", "description": "Now", "input_schema": SCHEMA}]


def client(job, by="api_key"):
    return anthropic.Anthropic(base_url=job.base, max_retries=0, timeout=30, **{by: job.key})


def told(done):
    return {
        "text": "".join(block.text for block in done.content if block.type == "text"),
        "stop": done.stop_reason,
        "usage": [done.usage.input_tokens, done.usage.output_tokens],
    }


def plain(job, by="api_key"):
    return told(client(job, by).messages.create(model=job.model, system=SYSTEM, messages=MESSAGES, max_tokens=MAX_OUTPUT))


def stream(job):
    with client(job).messages.stream(model=job.model, system=SYSTEM, messages=MESSAGES, max_tokens=MAX_OUTPUT) as events:
        pieces = list(events.text_stream)
        return {**told(events.get_final_message()), "pieces": len(pieces)}


def tools(job):
    turns = list(MESSAGES)
    def ask():
        with client(job).messages.stream(
            model=job.model, system=SYSTEM, messages=turns, tools=TOOLS, max_tokens=MAX_OUTPUT
        ) as events:
            return events.get_final_message()
    first = ask()
    calls = [block for block in first.content if block.type == "tool_use"]
    turns.append({"role": "assistant", "content": [{"type": "tool_use", "id": c.id, "name": c.name, "input": c.input} for c in calls]})
    turns.append({"role": "user", "content": [{"type": "tool_result", "tool_use_id": c.id, "content": RESULT} for c in calls]})
    return {"calls": [[c.name, c.input] for c in calls], "text": told(ask())["text"]}


def count(job):
    done = client(job).messages.count_tokens(model=job.model, system=SYSTEM, messages=MESSAGES)
    return {"counted": done.input_tokens > 0}


def models(job):
    return {"models": sorted(model.id for model in client(job).models.list())}


serve({
    "plain": plain, "bearer": lambda job: plain(job, "auth_token"), "stream": stream, "tools": tools,
    "count": count, "models": models,
})
