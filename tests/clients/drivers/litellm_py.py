"""LiteLLM as a client: OpenAI's, Anthropic's and Google's formats behind one function."""

import json

import litellm

from driver import MAX_OUTPUT, PIXEL, QUESTION, RESULT, SCHEMA, SYSTEM, serve

MESSAGES = [{"role": "system", "content": SYSTEM}, {"role": "user", "content": QUESTION}]
TOOLS = [{"type": "function", "function": {"name": "weather", "description": "Now", "parameters": SCHEMA}}]


def ask(of, job, **more):
    base = {"openai": f"{job.base}/v1", "anthropic": job.base, "gemini": f"{job.base}/v1beta"}[of]
    return litellm.completion(**{
        "model": f"{of}/{job.model}", "api_base": base, "api_key": job.key, "messages": MESSAGES,
        "max_tokens": MAX_OUTPUT, "num_retries": 0, "timeout": 30, **more,
    })


def plain(of):
    def run(job):
        done = ask(of, job)
        return {
            "text": done.choices[0].message.content, "stop": done.choices[0].finish_reason,
            "usage": [done.usage.prompt_tokens, done.usage.completion_tokens],
        }
    return run


def stream(of):
    def run(job):
        chunks = list(ask(of, job, stream=True))
        pieces = [c.choices[0].delta.content for c in chunks if c.choices[0].delta.content]
        return {"text": "".join(pieces), "pieces": len(pieces)}
    return run


def tools(of):
    def run(job):
        first = ask(of, job, tools=TOOLS).choices[0].message
        calls = [[c.function.name, json.loads(c.function.arguments)] for c in first.tool_calls]
        turns = [first.model_dump(include={"role", "content", "tool_calls"})]
        turns += [{"role": "tool", "tool_call_id": c.id, "content": RESULT} for c in first.tool_calls]
        return {"calls": calls, "text": ask(of, job, tools=TOOLS, messages=MESSAGES + turns).choices[0].message.content}
    return run


FORM = {
    "type": "object", "properties": {"city": {"type": "string"}, "degrees": {"type": "integer"}}, "required": ["city", "degrees"],
    "additionalProperties": False,
}


def parses(of):
    form = {"type": "json_schema", "json_schema": {"name": "place", "schema": FORM, "strict": True}}
    return lambda job: {"parsed": json.loads(ask(of, job, response_format=form).choices[0].message.content)}


def sees(of):
    picture = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PIXEL}"}}
    turns = [{"role": "user", "content": [{"type": "text", "text": QUESTION}, picture]}]
    return lambda job: {"text": ask(of, job, messages=turns).choices[0].message.content}


serve({
    f"{of}_{scenario.__name__}": scenario(of)
    for of in ("openai", "anthropic", "gemini") for scenario in (plain, stream, tools, parses, sees)
})
