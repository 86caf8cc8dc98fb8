"""Google's Python SDK."""

from google import genai
from google.genai import types

from driver import MAX_OUTPUT, QUESTION, RESULT, SCHEMA, SYSTEM, serve

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


serve({
    "plain": plain, "stream": stream, "tools": tools, "tools_stream": lambda job: tools(job, streamed=True),
    "count": count, "embed": embed,
})
