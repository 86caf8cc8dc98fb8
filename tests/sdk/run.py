"""Starts the stack once, and runs the suites against it: Python, Node, and clients of SCIM."""

import os
import pathlib
import subprocess
import sys
import unittest

import scim
import test_sdk
from stack import Stack

HERE = pathlib.Path(__file__).resolve().parent


def python_suite(stack, module, name):
    module.STACK = stack
    suite = unittest.defaultTestLoader.loadTestsFromModule(module)
    done = unittest.TextTestRunner(verbosity=1).run(suite)
    failed = len(done.failures) + len(done.errors)
    print(f"{name}: {done.testsRun - failed} passed, {failed} failed", flush=True)
    return failed == 0


def node_suite(stack):
    done = subprocess.run(
        ["node", "--test", "--test-reporter=tap", "sdk.test.mjs"],
        cwd=HERE, env={**os.environ, **stack.environment()}, capture_output=True, text=True,
    )
    counts = {
        words[1]: int(words[2])
        for words in (line.split() for line in done.stdout.splitlines() if line.startswith("# "))
        if len(words) == 3 and words[2].isdigit()
    }
    if done.returncode:
        print(done.stdout, done.stderr, sep="\n")
    print(f"sdk, node: {counts.get('pass', 0)} passed, {counts.get('fail', 0)} failed", flush=True)
    return done.returncode == 0 and counts.get("pass", 0) > 0


def main():
    with Stack() as stack:
        good = [
            python_suite(stack, test_sdk, "sdk, python"),
            node_suite(stack),
            python_suite(stack, scim, "scim"),
        ]
        if not all(good):
            # Raised inside the stack, so that its log is kept.
            raise SystemExit(1)


sys.exit(main())
