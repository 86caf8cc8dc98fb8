"""Groq's Python SDK, which puts /openai/v1 before every path."""

import json

from groq import Groq

from driver import MAX_OUTPUT, QUESTION, RESULT, SCHEMA, SYSTEM, serve

MESSAGES = [{"role": "system", "content": SYSTEM}, {"role": "user", "content": QUESTION}]
TOOLS = [{"type": "function", "function": {"name": "weather", "description": "Now", "parameters": SCHEMA}}]


def ask(job, **more):
    client = Groq(api_key=job.key, base_url=job.base, max_retries=0, timeout=30)
    return client.chat.completions.create(**{"model": job.model, "messages": MESSAGES, "max_completion_tokens": MAX_OUTPUT, **more})


def plain(job):
    done = ask(job)
    return {
        "text": done.choices[0].message.content, "stop": done.choices[0].finish_reason,
        "usage": [done.usage.prompt_tokens, done.usage.completion_tokens],
    }


def stream(job):
    chunks = list(ask(job, stream=True))
    pieces = [c.choices[0].delta.content for c in chunks if c.choices and c.choices[0].delta.content]
    stops = [c.choices[0].finish_reason for c in chunks if c.choices and c.choices[0].finish_reason]
    return {"text": "".join(pieces), "pieces": len(pieces), "stop": stops[-1]}


def tools(job):
    first = ask(job, tools=TOOLS).choices[0].message
    calls = [[c.function.name, json.loads(c.function.arguments)] for c in first.tool_calls]
    turns = [first.model_dump(include={"role", "tool_calls"}, exclude_none=True)]
    turns += [{"role": "tool", "tool_call_id": c.id, "content": RESULT} for c in first.tool_calls]
    return {"calls": calls, "text": ask(job, tools=TOOLS, messages=MESSAGES + turns).choices[0].message.content}


serve({"plain": plain, "stream": stream, "tools": tools})
