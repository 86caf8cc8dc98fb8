"""A running Ralex with a scripted provider behind it, set up through the public API alone."""

import json
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import threading
import urllib.error
import urllib.request

EMAIL = "owner@example.test"
PASSWORD = "correct horse battery staple"
KEY = "sk-upstream-canary"

# US dollars per million tokens; the tests compute costs from them.
INPUT_PRICE, OUTPUT_PRICE = "3", "15"


class Refused(Exception):
    """An answer that is not 2xx."""


def start(command, environment, log):
    """Starts a program and waits for the address in its line `ready http://…`."""
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=log, text=True, env={**os.environ, **environment}
    )
    for line in process.stdout:
        if line.startswith("ready "):
            # Whatever else it prints must not fill the pipe.
            threading.Thread(target=process.stdout.read, daemon=True).start()
            return process, line.split()[1].rstrip("/")
    raise SystemExit(f"{command[0]} ended before it was ready: exit code {process.wait()}")


class Stack:
    # Further settings of the server.
    settings = {}

    def __enter__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="ralex-sdk-"))
        # The built-in PostgreSQL runs as another user when the tests run as root.
        self.folder.chmod(0o755)
        self.log = (self.folder / "log").open("w")
        self.processes = []
        self.upstream = self.run([os.environ["UPSTREAM_BIN"], "--listen", "127.0.0.1:0"], {})
        self.url = self.run(
            [os.environ["RALEX_BIN"], "serve"],
            {
                "RALEX_LISTEN": "127.0.0.1:0",
                "RALEX_DATA_DIR": str(self.folder / "data"),
                "RALEX_ADMIN_EMAIL": EMAIL,
                "RALEX_ADMIN_PASSWORD": PASSWORD,
                "RALEX_EGRESS_ALLOW": "127.0.0.0/8",
                "DATABASE_URL": "",
                **self.settings,
            },
        )
        self.admin = None
        self.provision()
        return self

    def run(self, command, environment):
        process, url = start(command, environment, self.log)
        self.processes.append(process)
        return url

    def __exit__(self, kind, *_):
        for process in reversed(self.processes):
            process.send_signal(signal.SIGINT)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
        self.log.close()
        if kind is None:
            shutil.rmtree(self.folder, ignore_errors=True)
        else:
            print(f"The server's log is {self.folder / 'log'}")

    def call(self, method, path, body=None, headers=None):
        """One request to the control plane."""
        request = urllib.request.Request(
            self.url + path, method=method, data=None if body is None else json.dumps(body).encode()
        )
        request.add_header("Content-Type", "application/json")
        if self.admin:
            request.add_header("Authorization", f"Bearer {self.admin}")
        for name, value in (headers or {}).items():
            request.add_header(name, value)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                self.cookie = answer.headers.get("Set-Cookie")
                text = answer.read()
                return json.loads(text) if text else None
        except urllib.error.HTTPError as error:
            raise Refused(f"{method} {path}: {error.code} {error.read().decode()}") from None

    def org(self, method, path, body=None):
        return self.call(method, f"/api/v1/orgs/default{path}", body)

    def provision(self):
        self.call("POST", "/api/v1/auth/login", {"email": EMAIL, "password": PASSWORD})
        cookie = self.cookie.split(";")[0]
        self.admin = self.call("POST", "/api/v1/me/tokens", {"name": "sdk tests"}, {"Cookie": cookie})["token"]
        self.org("POST", "/teams", {"slug": "sdk", "name": "SDK tests"})
        for slug, kind, base in (
            ("up-openai", "openai_compatible", self.upstream + "/v1"),
            ("up-anthropic", "anthropic", self.upstream),
            # Keeps files and answers batches; a kind of its own is known to.
            ("up-batches", "openai", self.upstream + "/v1"),
            ("up-simulated", "simulated", None),
        ):
            self.org("POST", "/providers", {"slug": slug, "kind": kind, **({"base_url": base} if base else {})})
            if base:
                self.org("POST", "/secrets", {"name": f"{slug} key", "provider": slug, "value": KEY})
            self.org("POST", "/models", self.model(slug.removeprefix("up-") + "-model", slug))
        self.token = self.new_token("sdk")["token"]

        # A token whose budget is smaller than the worst case of any call.
        poor = self.new_token("poor")
        self.poor = poor["token"]
        self.org("POST", "/budgets", self.budget(poor["id"], "0.000000001"))
        # A token whose spend is compared with what its calls said.
        counted = self.new_token("counted")
        self.counted, self.counted_id = counted["token"], counted["id"]
        self.org("POST", "/budgets", self.budget(counted["id"], "100"))

    def model(self, name, provider):
        return {
            "name": name,
            "provider": provider,
            "upstream_model": name,
            "input_price": INPUT_PRICE,
            "output_price": OUTPUT_PRICE,
            "context_window": 100000,
            "max_output": 4096,
        }

    def budget(self, token, limit):
        return {"scope": f"token:{token}", "period": "month", "limit": limit, "hard": True}

    def new_token(self, name):
        return self.org("POST", "/tokens", {"name": name, "team": "sdk"})

    def environment(self):
        """What the Node suite needs to know."""
        return {
            "RALEX_URL": self.url,
            "RALEX_TOKEN": self.token,
            "RALEX_POOR_TOKEN": self.poor,
            "UPSTREAM_URL": self.upstream,
        }
