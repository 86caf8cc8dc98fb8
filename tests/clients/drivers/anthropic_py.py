"""Anthropic's Python SDK, with both of its ways to show a key."""

import asyncio

import anthropic
from pydantic import BaseModel

from driver import AT_ONCE, LONG, MAX_OUTPUT, PIXEL, QUESTION, RESULT, SCHEMA, SYSTEM, broken, serve, timed

MESSAGES = [{"role": "user", "content": QUESTION}]
TOOLS = [{"name": "weather", "description": "Now", "input_schema": SCHEMA}]


class Place(BaseModel):
    city: str
    degrees: int


def client(job, by="api_key", retries=0):
    return anthropic.Anthropic(base_url=job.base, max_retries=retries, timeout=30, **{by: job.key})


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
    done = client(job).messages.count_tokens(model=job.model, system=SYSTEM, messages=MESSAGES, tools=TOOLS)
    return {"counted": done.input_tokens > 0}


def models(job):
    return {"models": sorted(model.id for model in client(job).models.list())}


def say(job, content=QUESTION, **more):
    turns = content if isinstance(content, list) else [{"role": "user", "content": content}]
    return {"model": job.model, "system": SYSTEM, "messages": turns, "max_tokens": MAX_OUTPUT, **more}


def sees(job):
    picture = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PIXEL}}
    # Agents mark what is to be kept in the provider's cache.
    text = {"type": "text", "text": QUESTION, "cache_control": {"type": "ephemeral"}}
    return told(client(job).messages.create(**say(job, [{"role": "user", "content": [picture, text]}])))


def parses(job):
    return {"parsed": client(job).messages.parse(**say(job), output_format=Place).parsed_output.model_dump()}


def stream_parses(job):
    with client(job).messages.stream(**say(job), output_format=Place) as events:
        return {"parsed": events.get_final_message().parsed_output.model_dump()}


def runner(job, streamed=False):
    calls = []
    @anthropic.beta_tool
    def weather(city: str) -> str:
        """Now"""
        calls.append(["weather", {"city": city}])
        return RESULT
    turns = client(job).beta.messages.tool_runner(**say(job), tools=[weather], stream=streamed)
    done = [turn.get_final_message() if streamed else turn for turn in turns]
    return {"calls": calls, "text": told(done[-1])["text"]}


def thinks(job):
    """The thoughts' signature goes back with the tool's result, or Anthropic refuses the turn."""
    turns = list(MESSAGES)
    def once():
        more = {"tools": TOOLS, "thinking": {"type": "enabled", "budget_tokens": 1024}, "max_tokens": 4096}
        with client(job).messages.stream(**{**say(job, turns), **more}) as events:
            return events.get_final_message()
    first = once()
    calls = [block for block in first.content if block.type == "tool_use"]
    if first.content[0].type != "thinking":
        return {"calls": [], "text": f"the answer begins with {first.content[0].type}"}
    turns.append({"role": "assistant", "content": [block.model_dump(exclude_none=True, exclude={"parsed_output"}) for block in first.content]})
    turns.append({"role": "user", "content": [{"type": "tool_result", "tool_use_id": c.id, "content": RESULT} for c in calls]})
    return {"calls": [[c.name, c.input] for c in calls], "text": told(once())["text"]}


def long(job):
    return told(client(job).messages.create(**say(job, LONG)))


def many(job):
    async def all_at_once():
        async with anthropic.AsyncAnthropic(base_url=job.base, api_key=job.key, max_retries=0, timeout=30) as shared:
            async def one():
                async with shared.messages.stream(**say(job)) as events:
                    return told(await events.get_final_message())["text"]
            return await asyncio.gather(*(one() for _ in range(AT_ONCE)))
    return {"texts": asyncio.run(all_at_once())}


def pieces(job):
    with client(job).messages.stream(**say(job)) as events:
        yield from events.text_stream


def hangs(job):
    with client(job).messages.stream(**say(job)) as events:
        for piece in events.text_stream:
            return {"heard": piece.strip()}


serve({
    "sees": sees, "parses": parses, "stream_parses": stream_parses, "runner": runner,
    "stream_runner": lambda job: runner(job, streamed=True), "thinks": thinks, "long": long, "many": many,
    "retries": lambda job: timed(lambda: told(client(job, retries=2).messages.create(**say(job)))),
    "breaks": lambda job: broken(pieces(job)), "hangs": hangs,
    "plain": plain, "bearer": lambda job: plain(job, "auth_token"), "stream": stream, "tools": tools,
    "count": count, "models": models,
})
