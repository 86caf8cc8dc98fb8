"""OpenAI's Python SDK: chat completions, responses, and what stands beside; also as Azure's client."""

import asyncio
import io
import json

import openai
from pydantic import BaseModel

from driver import AT_ONCE, LONG, MAX_OUTPUT, PIXEL, QUESTION, RESULT, SCHEMA, SYSTEM, WAV, broken, serve, timed

MESSAGES = [{"role": "system", "content": SYSTEM}, {"role": "user", "content": QUESTION}]
TOOLS = [{"type": "function", "function": {"name": "weather", "description": "Now", "parameters": SCHEMA}}]
PICTURE = f"data:image/png;base64,{PIXEL}"
RESPONSE_TOOLS = [{"type": "function", "name": "weather", "description": "Now", "parameters": SCHEMA, "strict": False}]


class Place(BaseModel):
    city: str
    degrees: int


def client(job, retries=0):
    return openai.OpenAI(base_url=job.base + "/v1", api_key=job.key, max_retries=retries, timeout=30)


def azure(job):
    return openai.AzureOpenAI(
        azure_endpoint=job.base, api_key=job.key, api_version="2025-04-01-preview", max_retries=0, timeout=30
    )


def told(done):
    choice = done.choices[0]
    return {
        "text": choice.message.content or "",
        "stop": choice.finish_reason,
        "usage": [done.usage.prompt_tokens, done.usage.completion_tokens],
    }


def plain(of):
    def run(job):
        return told(of(job).chat.completions.create(model=job.model, messages=MESSAGES, max_completion_tokens=MAX_OUTPUT))
    return run


def stream(of):
    def run(job):
        chunks = list(of(job).chat.completions.create(
            model=job.model, messages=MESSAGES, max_completion_tokens=MAX_OUTPUT, stream=True,
            stream_options={"include_usage": True},
        ))
        pieces = [c.choices[0].delta.content for c in chunks if c.choices and c.choices[0].delta.content]
        stops = [c.choices[0].finish_reason for c in chunks if c.choices and c.choices[0].finish_reason]
        usage = chunks[-1].usage
        return {
            "text": "".join(pieces), "pieces": len(pieces), "stop": stops[-1],
            "usage": [usage.prompt_tokens, usage.completion_tokens],
        }
    return run


def tools(job, streamed=False):
    messages = list(MESSAGES)
    def ask():
        more = {"model": job.model, "messages": messages, "tools": TOOLS, "max_completion_tokens": MAX_OUTPUT}
        if streamed:
            with client(job).chat.completions.stream(**more) as events:
                for _ in events:
                    pass
                return events.get_final_completion()
        return client(job).chat.completions.create(**more)
    first = ask().choices[0].message
    messages.append(first.model_dump(include={"role", "content", "tool_calls"}, exclude_none=True))
    for call in first.tool_calls:
        call_fields = messages[-1]["tool_calls"]
        for one in call_fields:
            one["function"] = {name: one["function"][name] for name in ("name", "arguments")}
        messages.append({"role": "tool", "tool_call_id": call.id, "content": RESULT})
    calls = [[c.function.name, json.loads(c.function.arguments)] for c in first.tool_calls]
    return {"calls": calls, "text": ask().choices[0].message.content}


def response_told(done):
    return {
        "text": done.output_text, "stop": done.status,
        "usage": [done.usage.input_tokens, done.usage.output_tokens],
    }


def response(job):
    return response_told(client(job).responses.create(
        model=job.model, instructions=SYSTEM, input=QUESTION, max_output_tokens=MAX_OUTPUT, store=False
    ))


def response_stream(job):
    with client(job).responses.stream(
        model=job.model, instructions=SYSTEM, input=QUESTION, max_output_tokens=MAX_OUTPUT, store=False
    ) as events:
        kinds = [event.type for event in events]
        done = events.get_final_response()
    return {**response_told(done), "pieces": kinds.count("response.output_text.delta"), "first": kinds[0], "last": kinds[-1]}


def response_tools(job):
    turns = [{"role": "user", "content": QUESTION}]
    def ask():
        with client(job).responses.stream(
            model=job.model, instructions=SYSTEM, input=turns, tools=RESPONSE_TOOLS, max_output_tokens=MAX_OUTPUT, store=False
        ) as events:
            for _ in events:
                pass
            return events.get_final_response()
    first = ask()
    calls = [item for item in first.output if item.type == "function_call"]
    for call in calls:
        turns.append({"type": "function_call", "call_id": call.call_id, "name": call.name, "arguments": call.arguments})
        turns.append({"type": "function_call_output", "call_id": call.call_id, "output": RESULT})
    return {"calls": [[c.name, json.loads(c.arguments)] for c in calls], "text": ask().output_text}


def embed(job):
    done = client(job).embeddings.create(model=job.model, input=["weather in Oslo", "the weather in Oslo"])
    return {"vectors": [[round(x, 4) for x in one.embedding] for one in done.data], "usage": [done.usage.prompt_tokens, 0]}


def moderate(job):
    done = client(job).moderations.create(model=job.model, input="a scene of violence")
    return {"flagged": done.results[0].flagged}


def image(job):
    done = client(job).images.generate(model=job.model, prompt="a coat in the rain", n=2)
    return {"images": [len(one.b64_json) for one in done.data]}


def speech(job):
    audio = client(job).audio.speech.create(model=job.model, input="bring a coat", voice="alloy", response_format="wav")
    return {"bytes": len(audio.read())}


def transcribe(job):
    sound = io.BytesIO(WAV)
    sound.name = "sound.wav"
    return {"text": client(job).audio.transcriptions.create(model=job.model, file=sound).text}


def models(job):
    return {"models": sorted(model.id for model in client(job).models.list())}


def ask(job, content=QUESTION, **more):
    messages = [MESSAGES[0], {"role": "user", "content": content}]
    return {"model": job.model, "messages": messages, "max_completion_tokens": MAX_OUTPUT, **more}


def sees(job):
    picture = {"type": "image_url", "image_url": {"url": PICTURE, "detail": "low"}}
    return told(client(job).chat.completions.create(**ask(job, [{"type": "text", "text": QUESTION}, picture])))


def parses(job):
    done = client(job).chat.completions.parse(**ask(job), response_format=Place)
    return {"parsed": done.choices[0].message.parsed.model_dump()}


def stream_parses(job):
    with client(job).chat.completions.stream(**ask(job), response_format=Place) as events:
        for _ in events:
            pass
        return {"parsed": events.get_final_completion().choices[0].message.parsed.model_dump()}


def long(job):
    return told(client(job).chat.completions.create(**ask(job, LONG)))


def many(job):
    async def all_at_once():
        async with openai.AsyncOpenAI(base_url=job.base + "/v1", api_key=job.key, max_retries=0, timeout=30) as shared:
            async def one():
                chunks = await shared.chat.completions.create(**ask(job), stream=True)
                return "".join([chunk.choices[0].delta.content or "" async for chunk in chunks if chunk.choices])
            return await asyncio.gather(*(one() for _ in range(AT_ONCE)))
    return {"texts": asyncio.run(all_at_once())}


def retries(job):
    return timed(lambda: told(client(job, 2).chat.completions.create(**ask(job))))


def contents(job):
    for chunk in client(job).chat.completions.create(**ask(job), stream=True):
        if chunk.choices and chunk.choices[0].delta.content:
            yield chunk.choices[0].delta.content


def hangs(job):
    with client(job).chat.completions.create(**ask(job), stream=True) as chunks:
        for chunk in chunks:
            if chunk.choices and chunk.choices[0].delta.content:
                return {"heard": chunk.choices[0].delta.content.strip()}


def respond(job, content=QUESTION, **more):
    fields = {"model": job.model, "instructions": SYSTEM, "input": content, "max_output_tokens": MAX_OUTPUT, "store": False}
    return {**fields, **more}


def response_sees(job):
    content = [{"type": "input_text", "text": QUESTION}, {"type": "input_image", "image_url": PICTURE, "detail": "low"}]
    return response_told(client(job).responses.create(**respond(job, [{"role": "user", "content": content}])))


def response_parses(job):
    return {"parsed": client(job).responses.parse(**respond(job), text_format=Place).output_parsed.model_dump()}


def response_stream_parses(job):
    with client(job).responses.stream(**respond(job), text_format=Place) as events:
        for _ in events:
            pass
        return {"parsed": events.get_final_response().output_parsed.model_dump()}


def response_thinks(job):
    """Thoughts come sealed and go back as they came, as to a provider that keeps nothing."""
    turns = [{"role": "user", "content": QUESTION}]
    def once():
        return client(job).responses.create(**respond(
            job, turns, tools=RESPONSE_TOOLS, reasoning={"effort": "low", "summary": "auto"}, include=["reasoning.encrypted_content"]
        ))
    first = once()
    turns.extend(first.output)
    calls = [item for item in first.output if item.type == "function_call"]
    turns.extend({"type": "function_call_output", "call_id": call.call_id, "output": RESULT} for call in calls)
    return {"calls": [[c.name, json.loads(c.arguments)] for c in calls], "text": once().output_text}


def response_continues(job):
    first = client(job).responses.create(**respond(job, store=True))
    with client(job).responses.stream(**respond(job, "And tomorrow?", store=True), previous_response_id=first.id) as events:
        for _ in events:
            pass
        return {"texts": [first.output_text, events.get_final_response().output_text]}


def response_keeps(job):
    made = client(job).responses.create(**respond(job, store=True))
    kept = client(job).responses
    read = kept.retrieve(made.id)
    asked = [part.text for item in kept.input_items.list(made.id, limit=20) for part in item.content]
    kept.delete(made.id)
    try:
        kept.retrieve(made.id)
        gone = False
    except openai.NotFoundError:
        gone = True
    return {"texts": [made.output_text, read.output_text], "asked": asked, "gone": gone}


def azure_response(job):
    done = azure(job).responses.create(**respond(job))
    return {"text": done.output_text, "stop": done.status, "usage": [done.usage.input_tokens, done.usage.output_tokens]}


def response_contents(job):
    for event in client(job).responses.create(**respond(job), stream=True):
        if event.type in ("error", "response.failed"):
            raise RuntimeError(event.type)
        if event.type == "response.output_text.delta":
            yield event.delta


def response_hangs(job):
    with client(job).responses.create(**respond(job), stream=True) as events:
        for event in events:
            if event.type == "response.output_text.delta":
                return {"heard": event.delta.strip()}


serve({
    "sees": sees, "parses": parses, "stream_parses": stream_parses, "long": long, "many": many, "retries": retries,
    "breaks": lambda job: broken(contents(job)), "hangs": hangs,
    "response_sees": response_sees, "response_parses": response_parses, "response_stream_parses": response_stream_parses,
    "response_thinks": response_thinks, "response_continues": response_continues,
    "response_keeps": response_keeps, "azure_response": azure_response,
    # The SDK raises or yields, as the provider spells its event; Ralex writes what is raised.
    "response_breaks": lambda job: {**broken(response_contents(job)), "kind": "any"}, "response_hangs": response_hangs,
    "plain": plain(client), "stream": stream(client), "tools": tools,
    "tools_stream": lambda job: tools(job, streamed=True),
    "azure_plain": plain(azure), "azure_stream": stream(azure),
    "response": response, "response_stream": response_stream, "response_tools": response_tools,
    "embed": embed, "moderate": moderate, "image": image, "speech": speech, "transcribe": transcribe, "models": models,
})
