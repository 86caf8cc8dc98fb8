"""Pydantic AI, an agent that runs its tools itself, over chat completions, responses and messages."""

import asyncio
import base64

from pydantic import BaseModel
from pydantic_ai import Agent, BinaryContent, NativeOutput, ToolOutput
from pydantic_ai.models.anthropic import AnthropicModel
from pydantic_ai.models.openai import OpenAIChatModel, OpenAIResponsesModel
from pydantic_ai.providers.anthropic import AnthropicProvider
from pydantic_ai.providers.openai import OpenAIProvider

from driver import MAX_OUTPUT, PIXEL, QUESTION, RESULT, SYSTEM, serve


def openai(job):
    return OpenAIChatModel(job.model, provider=OpenAIProvider(base_url=job.base + "/v1", api_key=job.key))


def responses(job):
    return OpenAIResponsesModel(job.model, provider=OpenAIProvider(base_url=job.base + "/v1", api_key=job.key))


def anthropic(job):
    return AnthropicModel(job.model, provider=AnthropicProvider(base_url=job.base, api_key=job.key))


class Place(BaseModel):
    """Where, and how warm it is there."""

    city: str
    degrees: int


def agent(of, job, **more):
    return Agent(of(job), system_prompt=SYSTEM, model_settings={"max_tokens": MAX_OUTPUT}, retries=0, **more)


def plain(of):
    def run(job):
        done = agent(of, job).run_sync(QUESTION)
        usage = done.usage() if callable(done.usage) else done.usage
        return {"text": done.output, "usage": [usage.input_tokens, usage.output_tokens]}
    return run


def stream(of):
    async def pieces(job):
        async with agent(of, job).run_stream(QUESTION) as events:
            return [piece async for piece in events.stream_text(delta=True, debounce_by=None)]
    def run(job):
        found = asyncio.run(pieces(job))
        return {"text": "".join(found), "pieces": len(found)}
    return run


def tools(of):
    def run(job):
        calls, able = [], agent(of, job)
        @able.tool_plain
        def weather(city: str) -> str:
            """Now"""
            calls.append(["weather", {"city": city}])
            return RESULT
        text = able.run_sync(QUESTION).output
        return {"calls": calls, "text": text}
    return run


def returns(of):
    return lambda job: {"parsed": agent(of, job, output_type=ToolOutput(Place, name="Place")).run_sync(QUESTION).output.model_dump()}


def parses(of):
    return lambda job: {"parsed": agent(of, job, output_type=NativeOutput(Place)).run_sync(QUESTION).output.model_dump()}


def sees(of):
    picture = BinaryContent(data=base64.b64decode(PIXEL), media_type="image/png")
    return lambda job: {"text": agent(of, job).run_sync([QUESTION, picture]).output}


def chats(of):
    """The second turn carries the first one's messages, as an agent's memory."""
    def run(job):
        able = agent(of, job)
        first = able.run_sync(QUESTION)
        return {"texts": [first.output, able.run_sync("And tomorrow?", message_history=first.all_messages()).output]}
    return run


serve({
    f"{name}_{scenario.__name__}": scenario(of)
    for name, of in (("chat", openai), ("responses", responses), ("messages", anthropic))
    for scenario in (plain, stream, tools, returns, parses, sees, chats)
    # It knows by name which of Anthropic's models have it.
    if (name, scenario) != ("messages", parses)
})
