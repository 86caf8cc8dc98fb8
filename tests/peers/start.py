"""Starts one gateway beside Ralex for a benchmark, and ends with its standard input.

`start.py NAME UPSTREAM FOLDER` prints one line of JSON once it answers: where, with which headers, which model to ask
for, its version, and what its configuration does. NAME is `litellm`, `litellm keyed`, `litellm-rs` or
`litellm-rs governed`.
"""

import json
import os
import pathlib
import pwd
import secrets
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

MODEL = "gpt-4o-mini"
KEY = "sk-" + secrets.token_hex(24)
PROCESSES = []


def free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def post(url, body, headers=None):
    request = urllib.request.Request(url, method="POST", data=json.dumps(body).encode())
    for name, value in {"content-type": "application/json", **(headers or {})}.items():
        request.add_header(name, value)
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)


def start(command, environment, log):
    # A database of the caller's is none of theirs.
    inherited = {name: value for name, value in os.environ.items() if name != "DATABASE_URL"}
    PROCESSES.append(subprocess.Popen(
        command, env={**inherited, **environment}, stdin=subprocess.DEVNULL, stdout=log, stderr=log
    ))


def wait(url, headers):
    """Until it answers a call."""
    body = {"model": MODEL, "max_tokens": 16, "messages": [{"role": "user", "content": "hello"}]}
    deadline = time.monotonic() + 120
    while True:
        try:
            return post(url + "/v1/chat/completions", body, headers)
        except (urllib.error.URLError, OSError) as error:
            ended = PROCESSES[-1].poll() is not None
            if ended or time.monotonic() > deadline or isinstance(error, urllib.error.HTTPError):
                detail = error.read().decode()[:500] if isinstance(error, urllib.error.HTTPError) else ""
                raise SystemExit(f"it does not answer: {error} {detail}") from None
            time.sleep(0.2)


def litellm(peers, upstream, folder, log, keyed):
    port = free_port()
    config = folder / "litellm.yaml"
    config.write_text(f"""model_list:
  - model_name: {MODEL}
    litellm_params: {{ model: openai/{MODEL}, api_base: "{upstream}/v1", api_key: sk-upstream }}
litellm_settings: {{ telemetry: false, set_verbose: false }}
general_settings: {{ disable_spend_logs: true{f', master_key: {KEY}' if keyed else ''} }}
""")
    start(
        [peers / "litellm/bin/litellm", "--config", config, "--host", "127.0.0.1", "--port", str(port), "--num_workers", "2"],
        {
            "LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_LOG": "ERROR",
            "LITELLM_DANGEROUSLY_PERMIT_WEAK_OR_UNSET_MASTER_KEY": "true",
        }, log,
    )
    version = next(line.split("==")[1] for line in (peers / "litellm/packages.txt").read_text().split() if line.startswith("litellm=="))
    what = "two workers, a master key checked, no database" if keyed else "two workers, no keys, no database"
    return f"http://127.0.0.1:{port}", {"authorization": f"Bearer {KEY}"}, version, what


RUST = """schema_version: "1.0"
server: {{ host: "127.0.0.1", port: {port}, workers: 2, max_connections: 2000, dev_mode: true, cors: {{ enabled: false }} }}
providers:
  - name: upstream
    provider_type: openai
    api_key: sk-upstream
    base_url: "{upstream}/v1"
    endpoint_access: private_network
    max_concurrent_requests: 2000
    rpm: 100000000
    tpm: 2000000000
    timeout: 30
    max_retries: 1
    models: [{model}]
    enabled: true
router:
  strategy: round_robin
  circuit_breaker: {{ failure_threshold: 5, recovery_timeout: 60, min_requests: 10, success_threshold: 3 }}
  load_balancer: {{ health_check_enabled: false, sticky_sessions: false, session_timeout: 3600 }}
storage:
  database: {{ url: "{database}", max_connections: 10, connection_timeout: 5, ssl: false, enabled: true, auto_migrate: true }}
  redis: {{ url: "redis://localhost:6379", enabled: false, max_connections: 20, connection_timeout: 5, cluster: false }}
  request_ledger: {{ enabled: {governed}, write_failure: continue, retention_days: 30 }}
  vector_db: null
auth: {{ enable_jwt: {governed}, enable_api_key: {governed}, allow_anonymous: {anonymous}, jwt_secret: "{secret}",
  jwt_expiration: 86400, api_key_header: Authorization, rbac: {{ enabled: false, default_role: user, admin_roles: [admin] }} }}
guardrails: {{ enabled: false }}
monitoring:
  metrics: {{ enabled: false, port: 9090, path: /metrics, interval_seconds: 15 }}
  tracing: {{ enabled: false, endpoint: null, service_name: bench, sampling_rate: 0.1, jaeger: null }}
  health: {{ path: /health, detailed: true }}
  logging: null
cache: {{ enabled: false, ttl: 3600, max_size: 1000 }}
pricing: {{ source: "embedded://model_prices_extended", allow_degraded: false, unpriced_model_policy: reject }}
rate_limit: {{ enabled: false, strategy: token_bucket, default_rpm: 1000, default_tpm: 100000 }}
enterprise: {{ enabled: false, sso: null, audit_logging: false }}
"""


class Postgres:
    """A PostgreSQL of the peer's own, with fsync on as it comes."""

    def __init__(self, folder, log):
        self.bin, self.log = self.find(), log
        self.data = folder / "postgres"
        self.data.mkdir()
        self.socket = pathlib.Path(f"/tmp/ralex-peer-{os.getpid()}")
        self.socket.mkdir()
        self.wrapped = []
        if os.geteuid() == 0:
            # It refuses to run as root.
            user = next(u for u in ("postgres", "nobody") if u in {entry.pw_name for entry in pwd.getpwall()})
            for place in (self.data, self.socket):
                os.chown(place, pwd.getpwnam(user).pw_uid, pwd.getpwnam(user).pw_gid)
            self.wrapped = ["setpriv", f"--reuid={user}", "--regid", str(pwd.getpwnam(user).pw_gid), "--clear-groups"]
        self.data.chmod(0o700)
        self.run("initdb", "-D", self.data, "-U", "postgres", "-A", "trust")
        start([*self.wrapped, self.bin / "postgres", "-D", self.data, "-k", self.socket, "-c", "listen_addresses="], {}, log)
        deadline = time.monotonic() + 30
        while subprocess.run([self.bin / "pg_isready", "-q", "-h", self.socket, "-U", "postgres"]).returncode:
            if time.monotonic() > deadline:
                raise SystemExit("the peer's PostgreSQL does not start")
            time.sleep(0.05)
        self.url = f"postgres://postgres@localhost/postgres?host={self.socket}"

    @staticmethod
    def find():
        named = [pathlib.Path(os.environ["RALEX_POSTGRES_BIN"])] if os.environ.get("RALEX_POSTGRES_BIN") else []
        found = [*named, *sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)]
        return next(folder for folder in found if (folder / "initdb").exists())

    def run(self, name, *arguments):
        subprocess.run([*self.wrapped, self.bin / name, *arguments], stdout=self.log, stderr=self.log, check=True, cwd="/tmp")

    def execute(self, statement):
        self.run("psql", "-q", "-h", self.socket, "-U", "postgres", "-c", statement)


def litellm_rs(peers, upstream, folder, log, governed):
    port, database = free_port(), Postgres(folder, log)
    config = folder / "litellm-rs.yaml"
    config.write_text(RUST.format(
        port=port, upstream=upstream, model=MODEL, database=database.url, governed=str(governed).lower(),
        anonymous=str(not governed).lower(), secret="aB3" + secrets.token_hex(24) if governed else "",
    ))
    start([peers / "bin/gateway", "-c", config, "--log-level", "error"], {}, log)
    version = subprocess.run([peers / "bin/gateway", "--version"], capture_output=True, text=True).stdout.split()[-1]
    url = f"http://127.0.0.1:{port}"
    if not governed:
        return url, {}, version, "two workers, anonymous callers, PostgreSQL idle, guardrails off"
    headers = {"x-api-key": govern(url, database)}
    return url, headers, version, "two workers, API key, PostgreSQL, request ledger, budget of the provider, guardrails off"


def govern(url, database):
    """An administrator, a key, and a budget that is never reached."""
    who = {"username": "bench", "password": "Correct-Horse-9-Battery"}
    deadline = time.monotonic() + 60
    while True:
        try:
            post(url + "/auth/register", {**who, "email": "bench@example.com", "full_name": "Bench"})
            break
        except urllib.error.HTTPError:
            raise
        except OSError:
            if PROCESSES[-1].poll() is not None or time.monotonic() > deadline:
                raise SystemExit("litellm-rs does not start") from None
            time.sleep(0.2)
    # It would send a letter to activate the account.
    database.execute("update users set status = 'active', email_verified = true, role = 'admin'")
    shown = {"authorization": "Bearer " + post(url + "/auth/login", who)["data"]["access_token"]}
    key = post(url + "/v1/keys", {"name": "bench"}, shown)["data"]["key"]
    budget = {"provider": "upstream", "provider_name": "upstream", "max_budget": 1000000, "reset_period": "monthly"}
    post(url + "/v1/budget/providers", budget, shown)
    return key


def main():
    name, upstream, folder = sys.argv[1], sys.argv[2], pathlib.Path(sys.argv[3])
    peers = pathlib.Path(os.environ["PEERS"])
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with (folder / "log").open("w") as log:
            make = litellm if name.split()[0] == "litellm" else litellm_rs
            url, headers, version, configuration = make(peers, upstream, folder, log, " " in name)
            wait(url, headers)
            told = {"address": url.removeprefix("http://"), "headers": headers, "model": MODEL}
            print(json.dumps({**told, "version": version, "configuration": configuration}), flush=True)
            sys.stdin.read()
    finally:
        for process in reversed(PROCESSES):
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
        shutil.rmtree(f"/tmp/ralex-peer-{os.getpid()}", ignore_errors=True)


main()
