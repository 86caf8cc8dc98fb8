"""A real model behind Ralex: llama.cpp's server, whose own counts must be the ones that Ralex tells and charges."""

import pathlib
import socket
import subprocess
from decimal import Decimal

from gateway import INPUT_PRICE, OUTPUT_PRICE
from sdks import Driver

DRIVERS = pathlib.Path(__file__).resolve().parent.parent / "drivers"
KEY = "sk-llama"
SCENARIOS = ["chat", "chat stream", "messages", "messages stream", "responses", "responses stream"]


class Llama:
    def __init__(self, tools, log):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        python = tools / "llama" / "bin" / "python"
        self.process = subprocess.Popen(
            [python, DRIVERS / "llama_server.py", str(port), KEY], stdout=subprocess.PIPE, stderr=log, text=True
        )
        self.url = f"http://127.0.0.1:{port}"
        for line in self.process.stdout:
            if line.startswith("ready"):
                return
        raise SystemExit(f"llama.cpp's server ended with {self.process.wait()}")

    def end(self):
        self.process.kill()
        self.process.wait()


def run(gateway, tools, log):
    """Yields each check with what is wrong with it."""
    llama = Llama(tools, log)
    driver = Driver([str(tools / "sdk" / "bin" / "python"), str(DRIVERS / "llama_py.py")], log)
    try:
        gateway.org("POST", "/providers", {"slug": "llama", "kind": "llama_cpp", "base_url": llama.url})
        gateway.org("POST", "/secrets", {"name": "llama key", "provider": "llama", "value": KEY})
        for scenario in SCENARIOS:
            yield scenario, check(gateway, driver, llama, scenario)
    finally:
        driver.end()
        llama.end()


def check(gateway, driver, llama, scenario):
    straight = driver.do(scenario, llama.url, KEY, "smollm2")
    if "error" in straight:
        return [f"straight at llama.cpp: {straight['error']}"]
    name = f"llama-{scenario.replace(' ', '-')}"
    gateway.org("POST", "/models", {**gateway.model(name, "llama"), "upstream_model": "smollm2", "context_window": 4096, "max_output": 512})
    token = gateway.new_token(name)["token"]
    result = driver.do(scenario, gateway.url, token, name)
    if "error" in result:
        return [str(result["error"])]
    wrong = [f"{key} is {result.get(key)!r}, straight {value!r}" for key, value in straight.items() if result.get(key) != value]
    calls = gateway.calls_of(name, 1)
    tokens = straight["usage"]
    cost = (Decimal(INPUT_PRICE) * tokens[0] + Decimal(OUTPUT_PRICE) * tokens[1]) / 1_000_000
    if [(c["input_tokens"], c["output_tokens"], Decimal(c["cost"]), c["estimated"]) for c in calls] != [(*tokens, cost, False)]:
        wrong.append(f"recorded is {calls}, llama.cpp counted {tokens}")
    if not straight["text"].strip():
        wrong.append("the model said nothing")
    return wrong
