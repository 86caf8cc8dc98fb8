"""Runs clients against Ralex: `main.py sdks clis llama matrix`, or some of these. See `run`, which installs them."""

import argparse
import fnmatch
import json
import os
import pathlib
import sys
import time

import clis
import llama
import matrix
import sdks
from expected import EXPECTED
from gateway import AMAZON_KEY, Gateway

HERE = pathlib.Path(__file__).resolve().parent


class Report:
    """What was run, and how it went; nothing that exists is left out without its reason."""

    def __init__(self, only):
        self.only, self.results, self.used = only, [], set()

    def wants(self, name):
        return not self.only or any(fnmatch.fnmatch(name, pattern) or pattern in name for pattern in self.only)

    def expected(self, name):
        for pattern, reason in EXPECTED.items():
            if fnmatch.fnmatchcase(name, pattern):
                self.used.add(pattern)
                return reason
        return None

    def add(self, client, name, wrong, seconds=None):
        """`wrong` is empty when all is well, a list of what is not, or None where it could not be run."""
        key = f"{client}: {name}"
        reason = self.expected(key)
        if wrong is None:
            state = "not run" if reason else "failed"
            wrong = ["there is no such provider in this Ralex"]
        elif wrong:
            state = "as expected" if reason else "failed"
        else:
            state = "better than expected" if reason else "passed"
        result = {"client": client, "check": name, "state": state, "reason": reason, "wrong": wrong, "seconds": seconds}
        self.results.append(result)
        if state in ("failed", "better than expected"):
            print(f"  {state}: {key}: {(wrong or [reason])[0]}", flush=True)

    def count(self, *states):
        return sum(result["state"] in states for result in self.results)

    def tell(self, client):
        mine = [result for result in self.results if result["client"] == client]
        passed = sum(result["state"] == "passed" for result in mine)
        print(f"  {client}: {passed} of {len(mine)} checks passed", flush=True)

    def end(self, folder):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "report.json").write_text(json.dumps(self.results, indent=1))
        for result in self.results:
            if result["state"] in ("as expected", "not run"):
                print(f"  {result['state']}: {result['client']}: {result['check']}: {result['reason']}")
        bad = self.count("failed", "better than expected")
        print(
            f"clients: {self.count('passed')} passed, {bad} failed, {self.count('as expected')} refused as expected, "
            f"{self.count('not run')} not run; {folder / 'report.json'}"
        )
        return bad == 0 and self.count("passed") > 0


def run_boto(gateway, report, tools, log):
    """Ralex's way to Bedrock is tested against the scripted one; Amazon's own client proves that this one is true."""
    name, amazon = "boto3, straight", gateway.behind["converse"]
    if not report.wants(name):
        return
    identity, secret, _, region = AMAZON_KEY.split(":")
    driver = sdks.Driver([str(tools / "sdk" / "bin" / "python"), str(HERE.parent / "drivers" / "bedrock_py.py")], log)
    for scenario in sdks.BASIC:
        amazon.script("boto", sdks.TOOL if scenario == "tools" else sdks.PLAIN)
        result = driver.do(scenario, amazon.url, f"{identity}:{secret}:{region}", "boto")
        report.add(name, scenario, sdks.expectation(scenario, result))
    refused = driver.do("plain", amazon.url, f"{identity}:wrong:{region}", "boto")
    report.add(name, "a wrong signature", [] if "error" in refused else [f"it was taken: {refused}"])
    driver.end()
    report.tell(name)


def run_sdks(gateway, report, tools, log, thorough):
    run_boto(gateway, report, tools, log)
    for sdk in sdks.SDKS:
        if not report.wants(sdk.name):
            continue
        kind, *rest = sdk.runs
        if kind == "node":
            command = ["node", str(tools / "node-sdk" / rest[0]), *rest[1:]]
        else:
            command = [str(tools / kind.split(":")[1] / "bin" / "python"), str(HERE.parent / "drivers" / rest[0])]
        driver = sdks.Driver(command, log)
        for scenario, wire, behind in sdks.checks(sdk, thorough):
            for other, wrong in sdks.run_scenario(gateway, driver, sdk, scenario, wire, behind):
                report.add(sdk.name, f"{scenario} to {other}", wrong)
        for wire, scenarios in sdk.speaks.items():
            if wire not in gateway.absent:
                for name, wrong in sdks.run_refusals(gateway, driver, sdk, wire, scenarios[0]):
                    report.add(sdk.name, f"{name}, {wire}", wrong)
        driver.end()
        report.tell(sdk.name)


def run_clis(gateway, report, tools):
    for cli in clis.CLIS:
        if not report.wants(cli.name):
            continue
        for check in cli.checks:
            begun = time.monotonic()
            wrong = clis.run_check(gateway, tools, cli, check)
            report.add(cli.name, check.name, wrong, round(time.monotonic() - begun, 1))
        report.tell(cli.name)


def run_matrix(gateway, report, write):
    results = list(matrix.run(gateway))
    for caller, provider, feature, outcome, detail in results:
        report.add("matrix", f"{feature}, {caller} to {provider}", [detail] if outcome == "wrong" else [])
    text = matrix.page(results)
    if write:
        matrix.PAGE.write_text(text)
    report.add("matrix", "its page is fresh", matrix.differs(text))
    report.tell("matrix")


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("groups", nargs="+", choices=["sdks", "clis", "llama", "matrix"])
    arguments.add_argument("--only", action="append", default=[], help="a client's name, or a part of it")
    arguments.add_argument("--write", action="store_true", help="write the page of the matrix anew")
    arguments.add_argument("--thorough", action="store_true", help="all that the SDKs do, with every format behind")
    told = arguments.parse_args()
    tools = pathlib.Path(os.environ["CLIENT_TOOLS"])
    folder = pathlib.Path(os.environ["CLIENT_REPORT"])
    os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
    report = Report(told.only)
    with Gateway() as gateway:
        if "sdks" in told.groups:
            run_sdks(gateway, report, tools, gateway.log, told.thorough)
        if "clis" in told.groups:
            run_clis(gateway, report, tools)
        if "llama" in told.groups:
            for scenario, wrong in llama.run(gateway, tools, gateway.log):
                report.add("llama.cpp", scenario, wrong)
            report.tell("llama.cpp")
        if "matrix" in told.groups:
            run_matrix(gateway, report, told.write)
        if not report.end(folder):
            # Raised inside the stack, so that its log is kept.
            raise SystemExit(1)


sys.exit(main())
