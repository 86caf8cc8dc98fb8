"""Amazon's own client of Bedrock. Ralex takes no calls in this format; this proves that the scripted provider
speaks it truly, since Ralex is tested against that."""

import boto3
from botocore.config import Config

from driver import MAX_OUTPUT, QUESTION, RESULT, SCHEMA, SYSTEM, serve

TURNS = [{"role": "user", "content": [{"text": QUESTION}]}]
TOOLS = {"tools": [{"toolSpec": {"name": "weather", "description": "Now", "inputSchema": {"json": SCHEMA}}}]}


def client(job):
    identity, secret, region = job.key.split(":")
    return boto3.client(
        "bedrock-runtime", endpoint_url=job.base, region_name=region, aws_access_key_id=identity,
        aws_secret_access_key=secret, config=Config(retries={"total_max_attempts": 1}),
    )


def request(job, **more):
    return {"modelId": job.model, "messages": TURNS, "system": [{"text": SYSTEM}], "inferenceConfig": {"maxTokens": MAX_OUTPUT}, **more}


def plain(job):
    done = client(job).converse(**request(job))
    text = "".join(block.get("text", "") for block in done["output"]["message"]["content"])
    return {"text": text, "stop": done["stopReason"], "usage": [done["usage"]["inputTokens"], done["usage"]["outputTokens"]]}


def stream(job):
    events = list(client(job).converse_stream(**request(job))["stream"])
    pieces = [e["contentBlockDelta"]["delta"]["text"] for e in events if "text" in e.get("contentBlockDelta", {}).get("delta", {})]
    usage = next(e["metadata"]["usage"] for e in events if "metadata" in e)
    stop = next(e["messageStop"]["stopReason"] for e in events if "messageStop" in e)
    return {"text": "".join(pieces), "pieces": len(pieces), "stop": stop, "usage": [usage["inputTokens"], usage["outputTokens"]]}


def tools(job):
    message = client(job).converse(**request(job, toolConfig=TOOLS))["output"]["message"]
    calls = [block["toolUse"] for block in message["content"] if "toolUse" in block]
    results = [{"toolResult": {"toolUseId": c["toolUseId"], "content": [{"text": RESULT}]}} for c in calls]
    turns = [*TURNS, message, {"role": "user", "content": results}]
    done = client(job).converse(**request(job, toolConfig=TOOLS, messages=turns))
    return {"calls": [[c["name"], c["input"]] for c in calls], "text": done["output"]["message"]["content"][0]["text"]}


serve({"plain": plain, "stream": stream, "tools": tools})
