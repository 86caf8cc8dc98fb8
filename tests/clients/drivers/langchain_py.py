"""LangChain's client for OpenAI."""

import asyncio

from langchain_core.messages import HumanMessage, SystemMessage, ToolMessage
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI, OpenAIEmbeddings
from pydantic import BaseModel

from driver import AT_ONCE, LONG, MAX_OUTPUT, PIXEL, QUESTION, RESULT, SYSTEM, serve

MESSAGES = [SystemMessage(SYSTEM), HumanMessage(QUESTION)]

# LangChain keeps a connection for later calls, which must run in the same loop.
LOOP = asyncio.new_event_loop()


@tool
def weather(city: str) -> str:
    """Now"""
    return RESULT


class Place(BaseModel):
    """Where, and how warm it is there."""

    city: str
    degrees: int


def chat(job, **more):
    return ChatOpenAI(
        base_url=job.base + "/v1", api_key=job.key, model=job.model, max_tokens=MAX_OUTPUT, max_retries=0, timeout=30, **more
    )


def plain(job):
    done = chat(job).invoke(MESSAGES)
    usage = done.usage_metadata
    return {
        "text": done.content, "stop": done.response_metadata["finish_reason"],
        "usage": [usage["input_tokens"], usage["output_tokens"]],
    }


def stream(job):
    pieces = [chunk.content for chunk in chat(job).stream(MESSAGES) if chunk.content]
    return {"text": "".join(pieces), "pieces": len(pieces)}


def tools(job):
    bound = chat(job).bind_tools([weather])
    first = bound.invoke(MESSAGES)
    results = [ToolMessage(weather.invoke(call["args"]), tool_call_id=call["id"]) for call in first.tool_calls]
    last = bound.invoke([*MESSAGES, first, *results])
    return {"calls": [[call["name"], call["args"]] for call in first.tool_calls], "text": last.content}


def embed(job):
    # Else it loads a tokenizer from the network.
    client = OpenAIEmbeddings(base_url=job.base + "/v1", api_key=job.key, model=job.model, check_embedding_ctx_length=False)
    vectors = client.embed_documents(["weather in Oslo", "the weather in Oslo"])
    return {"vectors": [[round(x, 4) for x in one] for one in vectors]}


def stream_tools(job):
    """Chunks add up to the message that goes back."""
    bound = chat(job).bind_tools([weather])
    def once(turns):
        whole = None
        for chunk in bound.stream(turns):
            whole = chunk if whole is None else whole + chunk
        return whole
    first = once(MESSAGES)
    results = [ToolMessage(weather.invoke(call["args"]), tool_call_id=call["id"]) for call in first.tool_calls]
    return {"calls": [[c["name"], c["args"]] for c in first.tool_calls], "text": once([*MESSAGES, first, *results]).content}


def formed(method):
    def run(job):
        return {"parsed": chat(job).with_structured_output(Place, method=method).invoke(MESSAGES).model_dump()}
    return run


def response_tools(job):
    bound = chat(job, use_responses_api=True, output_version="responses/v1").bind_tools([weather])
    first = bound.invoke(MESSAGES)
    results = [ToolMessage(weather.invoke(call["args"]), tool_call_id=call["id"]) for call in first.tool_calls]
    last = bound.invoke([*MESSAGES, first, *results])
    return {"calls": [[call["name"], call["args"]] for call in first.tool_calls], "text": last.text}


def sees(job):
    picture = {"type": "image", "base64": PIXEL, "mime_type": "image/png"}
    return {"text": chat(job).invoke([HumanMessage([{"type": "text", "text": QUESTION}, picture])]).content}


def many(job):
    async def all_at_once():
        return [done.content for done in await chat(job).abatch([MESSAGES] * AT_ONCE)]
    return {"texts": LOOP.run_until_complete(all_at_once())}


serve({
    "plain": plain, "stream": stream, "tools": tools, "stream_tools": stream_tools, "response_tools": response_tools, "embed": embed,
    "parses": formed("json_schema"), "returns": formed("function_calling"), "sees": sees, "many": many,
    "long": lambda job: {"text": chat(job).invoke(LONG).content},
})
