"""Mistral's Python SDK."""

import json

from mistralai.client import Mistral

from driver import MAX_OUTPUT, QUESTION, RESULT, SCHEMA, SYSTEM, serve

MESSAGES = [{"role": "system", "content": SYSTEM}, {"role": "user", "content": QUESTION}]
TOOLS = [{"type": "function", "function": {"name": "weather", "description": "Now", "parameters": SCHEMA}}]


def client(job):
    return Mistral(api_key=job.key, server_url=job.base, timeout_ms=30_000)


def plain(job):
    done = client(job).chat.complete(model=job.model, messages=MESSAGES, max_tokens=MAX_OUTPUT)
    choice = done.choices[0]
    return {
        "text": choice.message.content, "stop": choice.finish_reason,
        "usage": [done.usage.prompt_tokens, done.usage.completion_tokens],
    }


def stream(job):
    events = list(client(job).chat.stream(model=job.model, messages=MESSAGES, max_tokens=MAX_OUTPUT))
    pieces = [e.data.choices[0].delta.content for e in events if e.data.choices and e.data.choices[0].delta.content]
    stops = [e.data.choices[0].finish_reason for e in events if e.data.choices and e.data.choices[0].finish_reason]
    return {"text": "".join(pieces), "pieces": len(pieces), "stop": stops[-1]}


def tools(job):
    messages = list(MESSAGES)
    def ask():
        return client(job).chat.complete(model=job.model, messages=messages, tools=TOOLS, max_tokens=MAX_OUTPUT).choices[0].message
    first = ask()
    calls = [[c.function.name, json.loads(c.function.arguments)] for c in first.tool_calls]
    messages.append(first)
    for call in first.tool_calls:
        messages.append({"role": "tool", "tool_call_id": call.id, "name": call.function.name, "content": RESULT})
    return {"calls": calls, "text": ask().content}


serve({"plain": plain, "stream": stream, "tools": tools})
