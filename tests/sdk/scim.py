"""Two clients of SCIM that others wrote, each of which probes a server for the RFCs: scim2 and scim-sanity."""

import json
import os
import pathlib
import subprocess
import sys
import unittest

STACK = None
BIN = pathlib.Path(sys.executable).parent


class Scim(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        STACK.org("PUT", "/scim", {"enabled": True})
        cls.token = STACK.org("POST", "/scim/tokens", {"name": "peers"})["token"]
        cls.url = f"{STACK.url}/scim/v2/default"

    def test_scim2_finds_nothing_to_object_to(self):
        done = subprocess.run(
            [BIN / "scim2", "--url", self.url, "test", "-v"], capture_output=True, text=True, timeout=300,
            env={**os.environ, "SCIM_CLI_HEADERS": f"Authorization: Bearer {self.token}"},
        )
        heads = [line.split()[0] for line in done.stdout.splitlines() if line[:1].isupper()]
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertGreater(heads.count("SUCCESS"), 100, done.stdout)
        self.assertFalse({"ERROR", "CRITICAL"} & set(heads), done.stdout)

    def test_scim_sanity_finds_nothing_to_object_to(self):
        done = subprocess.run(
            [BIN / "scim-sanity", "probe", self.url, "--token", self.token, "--i-accept-side-effects", "--json-output"],
            capture_output=True, text=True, timeout=300,
        )
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        told = json.loads(done.stdout)
        summary = told["summary"]
        self.assertEqual((told["mode"], told["issues"]), ("strict", []))
        self.assertEqual((summary["failed"], summary["errors"], summary["warnings"]), (0, 0, 0), summary)
        self.assertGreater(summary["passed"], 25)
