"""The SDKs of OpenAI and Anthropic, asking so that a model answers the same each time."""

import anthropic
import openai

from driver import serve

QUESTION = "Write one sentence about the sea."
TOKENS = 24


def client(job):
    return openai.OpenAI(base_url=job.base + "/v1", api_key=job.key, max_retries=0, timeout=120)


def ask(job, **more):
    return client(job).chat.completions.create(
        model=job.model, messages=[{"role": "user", "content": QUESTION}], max_completion_tokens=TOKENS, temperature=0, **more
    )


def chat(job):
    done = ask(job)
    return {
        "text": done.choices[0].message.content, "stop": done.choices[0].finish_reason,
        "usage": [done.usage.prompt_tokens, done.usage.completion_tokens],
    }


def chat_stream(job):
    chunks = list(ask(job, stream=True, stream_options={"include_usage": True}))
    pieces = [c.choices[0].delta.content for c in chunks if c.choices and c.choices[0].delta.content]
    stops = [c.choices[0].finish_reason for c in chunks if c.choices and c.choices[0].finish_reason]
    usage = next(c.usage for c in reversed(chunks) if c.usage)
    return {"text": "".join(pieces), "stop": stops[-1], "usage": [usage.prompt_tokens, usage.completion_tokens]}


def said(done):
    text = "".join(block.text for block in done.content if block.type == "text")
    return {"text": text, "stop": done.stop_reason, "usage": [done.usage.input_tokens, done.usage.output_tokens]}


def question(job):
    # Anthropic's SDK has no temperature any more.
    sober = {"temperature": 0}
    return {"model": job.model, "messages": [{"role": "user", "content": QUESTION}], "max_tokens": TOKENS, "extra_body": sober}


def messages(job):
    return said(anthropic.Anthropic(base_url=job.base, api_key=job.key, max_retries=0, timeout=120).messages.create(**question(job)))


def messages_stream(job):
    with anthropic.Anthropic(base_url=job.base, api_key=job.key, max_retries=0, timeout=120).messages.stream(**question(job)) as events:
        return said(events.get_final_message())


def responded(done):
    return {"text": done.output_text, "usage": [done.usage.input_tokens, done.usage.output_tokens]}


def request(job):
    return {"model": job.model, "input": QUESTION, "max_output_tokens": TOKENS, "temperature": 0}


def responses(job):
    return responded(client(job).responses.create(**request(job)))


def responses_stream(job):
    # llama.cpp leaves out what the SDK needs to put a response together; its last event has it whole.
    events = list(client(job).responses.create(**request(job), stream=True))
    pieces = [event.delta for event in events if event.type == "response.output_text.delta"]
    done = events[-1].response
    return {"text": "".join(pieces), "usage": [done.usage.input_tokens, done.usage.output_tokens]}


serve({
    "chat": chat, "chat stream": chat_stream, "messages": messages, "messages stream": messages_stream,
    "responses": responses, "responses stream": responses_stream,
})
