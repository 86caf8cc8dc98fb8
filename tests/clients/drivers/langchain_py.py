"""LangChain's client for OpenAI."""

from langchain_core.messages import HumanMessage, SystemMessage, ToolMessage
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI, OpenAIEmbeddings

from driver import MAX_OUTPUT, QUESTION, RESULT, SYSTEM, serve

MESSAGES = [SystemMessage(SYSTEM), HumanMessage(QUESTION)]


@tool
def weather(city: str) -> str:
    """Now"""
    return RESULT


def chat(job):
    return ChatOpenAI(base_url=job.base + "/v1", api_key=job.key, model=job.model, max_tokens=MAX_OUTPUT, max_retries=0, timeout=30)


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


serve({"plain": plain, "stream": stream, "tools": tools, "embed": embed})
