"""Google's Python SDK."""

import asyncio
import base64

from google import genai
from google.genai import types
from pydantic import BaseModel

from driver import AT_ONCE, LONG, MAX_OUTPUT, PIXEL, QUESTION, RESULT, SCHEMA, SYSTEM, broken, serve, timed

TOOL = types.Tool(function_declarations=[types.FunctionDeclaration(
    name="weather", description="Now", parameters_json_schema=SCHEMA
)])


CLIENTS = {}


def client(job):
    # A client that nobody holds closes its connections, under a stream too.
    where = (job.base, job.key)
    if where not in CLIENTS:
        CLIENTS[where] = new_client(job)
    return CLIENTS[where]


def new_client(job):
    return genai.Client(api_key=job.key, vertexai=False, http_options=types.HttpOptions(base_url=job.base, timeout=30_000))


def config(**more):
    return types.GenerateContentConfig(system_instruction=SYSTEM, max_output_tokens=MAX_OUTPUT, **more)


def text_of(done):
    parts = (done.candidates[0].content.parts or []) if done.candidates else []
    return "".join(part.text for part in parts if part.text and not part.thought)


def told(done):
    usage = done.usage_metadata
    return {
        "text": text_of(done), "stop": done.candidates[0].finish_reason.name,
        "usage": [usage.prompt_token_count, usage.candidates_token_count],
    }


def plain(job):
    return told(client(job).models.generate_content(model=job.model, contents=QUESTION, config=config()))


def stream(job):
    chunks = list(client(job).models.generate_content_stream(model=job.model, contents=QUESTION, config=config()))
    texts = [text for text in map(text_of, chunks) if text]
    return {**told(chunks[-1]), "text": "".join(texts), "pieces": len(texts)}


def tools(job, streamed=False):
    turns = [types.Content(role="user", parts=[types.Part(text=QUESTION)])]
    automatic = types.AutomaticFunctionCallingConfig(disable=True)
    def ask():
        more = {"model": job.model, "contents": turns, "config": config(tools=[TOOL], automatic_function_calling=automatic)}
        models = client(job).models
        if streamed:
            chunks = models.generate_content_stream(**more)
            return [part for chunk in chunks if chunk.candidates for part in chunk.candidates[0].content.parts or []]
        return models.generate_content(**more).candidates[0].content.parts
    # A stream may end with an empty text, which is no part to send back.
    first = [part for part in ask() if part.text != ""]
    calls = [part.function_call for part in first if part.function_call]
    turns.append(types.Content(role="model", parts=first))
    results = [types.FunctionResponse(id=c.id, name=c.name, response={"result": RESULT}) for c in calls]
    turns.append(types.Content(role="user", parts=[types.Part(function_response=result) for result in results]))
    last = ask()
    return {"calls": [[c.name, c.args] for c in calls], "text": "".join(part.text or "" for part in last)}


def count(job):
    return {"counted": client(job).models.count_tokens(model=job.model, contents=QUESTION).total_tokens > 0}


def embed(job):
    done = client(job).models.embed_content(model=job.model, contents=["weather in Oslo", "the weather in Oslo"])
    return {"vectors": [[round(x, 4) for x in one.values] for one in done.embeddings]}


class Place(BaseModel):
    city: str
    degrees: int


def sees(job):
    picture = types.Part.from_bytes(data=base64.b64decode(PIXEL), mime_type="image/png")
    return told(client(job).models.generate_content(model=job.model, contents=[picture, QUESTION], config=config()))


def parses(job):
    wanted = config(response_mime_type="application/json", response_schema=Place)
    return {"parsed": client(job).models.generate_content(model=job.model, contents=QUESTION, config=wanted).parsed.model_dump()}


def runner(job, streamed=False):
    """What Google calls automatic function calling, in a chat as its SDK wants it."""
    calls = []
    def weather(city: str) -> str:
        """Now"""
        calls.append(["weather", {"city": city}])
        return RESULT
    chat = client(job).chats.create(model=job.model, config=config(tools=[weather]))
    if streamed:
        return {"text": "".join(map(text_of, chat.send_message_stream(QUESTION))), "calls": calls}
    return {"text": text_of(chat.send_message(QUESTION)), "calls": calls}


def thinks(job):
    """The SDK's own history brings the thoughts' signature back."""
    chat = client(job).chats.create(model=job.model, config=config(
        tools=[TOOL], automatic_function_calling=types.AutomaticFunctionCallingConfig(disable=True),
        thinking_config=types.ThinkingConfig(include_thoughts=True, thinking_budget=1024),
    ))
    calls = chat.send_message(QUESTION).function_calls
    results = [types.Part(function_response=types.FunctionResponse(id=c.id, name=c.name, response={"result": RESULT})) for c in calls]
    return {"calls": [[c.name, c.args] for c in calls], "text": text_of(chat.send_message(results))}


def chats(job):
    chat = client(job).chats.create(model=job.model, config=config())
    first = text_of(chat.send_message(QUESTION))
    return {"texts": [first, "".join(map(text_of, chat.send_message_stream("And tomorrow?")))]}


def long(job):
    return told(client(job).models.generate_content(model=job.model, contents=LONG, config=config()))


def many(job):
    async def all_at_once():
        async with new_client(job).aio as shared:
            async def one():
                chunks = await shared.models.generate_content_stream(model=job.model, contents=QUESTION, config=config())
                return "".join([text_of(chunk) async for chunk in chunks])
            return await asyncio.gather(*(one() for _ in range(AT_ONCE)))
    return {"texts": asyncio.run(all_at_once())}


def retries(job):
    # It does not look at Retry-After, but waits on its own.
    again = types.HttpRetryOptions(attempts=3, initial_delay=1.0, jitter=0.2)
    patient = config(http_options=types.HttpOptions(retry_options=again))
    return timed(lambda: told(client(job).models.generate_content(model=job.model, contents=QUESTION, config=patient)))


def pieces(job):
    for chunk in client(job).models.generate_content_stream(model=job.model, contents=QUESTION, config=config()):
        if text_of(chunk):
            yield text_of(chunk)


def hangs(job):
    # The SDK ends the connection with its client only.
    alone = new_client(job)
    for chunk in alone.models.generate_content_stream(model=job.model, contents=QUESTION, config=config()):
        if text_of(chunk):
            alone.close()
            return {"heard": text_of(chunk).strip()}


serve({
    "sees": sees, "parses": parses, "runner": runner, "stream_runner": lambda job: runner(job, streamed=True),
    "thinks": thinks, "chats": chats, "long": long, "many": many, "retries": retries,
    "breaks": lambda job: broken(pieces(job)), "hangs": hangs,
    "plain": plain, "stream": stream, "tools": tools, "tools_stream": lambda job: tools(job, streamed=True),
    "count": count, "embed": embed,
})
