# What one does with this repository. `make help` lists it; CONTRIBUTING is docs/src/contributing.md.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.ONESHELL:
.NOTPARALLEL:
.DEFAULT_GOAL := help

TARGET := $(abspath $(or $(CARGO_TARGET_DIR),target))
# Ours before the machine's where the machine's is too old (Node), after it everywhere else.
export PATH := $(TARGET)/tools/bin:$(PATH):$(TARGET)/tools/venv/bin
# Queries are checked against .sqlx, so that a build needs no database; `make test` proves that .sqlx is fresh.
export SQLX_OFFLINE := true

.PHONY: help run test check console docs bench bench-access bench-usage bench-audit bench-peers torture drill clean tools sqlx test-rust test-console test-sdk test-clients test-browser

help: ## list what can be made
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/\1\t\2/' | expand -t 15

run: ## build everything and start Ralex on http://127.0.0.1:8080
	@tools/setup run
	tools/console
	echo "· server: compiling (some minutes the first time)"
	cargo build --release -p ralex
	export RALEX_POSTGRES_BIN=$${RALEX_POSTGRES_BIN:-$$(tools/setup postgres-bin)}
	exec $(TARGET)/release/ralex serve

console: ## build the console into console/dist
	@tools/setup node
	tools/console

check: ## format, clippy, licences, docs: what needs no database
	@tools/setup wheels
	echo "· format"
	cargo fmt --all --check
	cargo fmt --all --check --manifest-path console/Cargo.toml
	cargo fmt --check --manifest-path tools/bindgen/Cargo.toml
	echo "· clippy: server"
	cargo clippy --quiet --workspace --all-targets -- -D warnings
	echo "· clippy: console"
	cargo clippy --quiet --all-targets --manifest-path console/Cargo.toml --target-dir $(TARGET)/console -- -D warnings
	echo "· dependencies"
	for manifest in Cargo.toml console/Cargo.toml tools/bindgen/Cargo.toml; do
	  cargo-deny --locked --log-level error --config deny.toml --manifest-path $$manifest check bans licenses sources
	done
	echo "· docs"
	tools/docs

docs: ## build the book into docs/book
	@tools/setup wheels
	tools/docs

test: ## everything that must pass: check, and all suites on a real PostgreSQL
	@tools/setup test
	$(MAKE) --no-print-directory check
	echo "· queries"
	tools/sqlx check
	$(MAKE) --no-print-directory test-console console test-rust test-sdk test-browser
	echo "All passed."

test-rust: ## unit and integration tests of the server
	@echo "· server: compiling the tests"
	# A debug build reads the console from this folder, and looks for it while it compiles.
	mkdir -p console/dist
	cargo build --workspace --all-targets
	export RALEX_BIN=$(TARGET)/debug/ralex
	# What measures is no test, and has a target of its own.
	cargo nextest run --workspace

test-console: ## unit tests of the console
	@echo "· console: tests"
	cargo nextest run --no-tests pass --manifest-path console/Cargo.toml --target-dir $(TARGET)/console

test-sdk: ## SDKs for Python and Node against the real binary
	@tools/setup test
	tests/sdk/run
	tests/clients/run sdks matrix

test-clients: ## SDKs, coding agents and a real model, against the real binary (installs 2.5 GB)
	@tools/setup test
	cargo build -p ralex -p ralex-tests --bins
	tests/clients/run sdks matrix clis llama --thorough

test-browser: ## a headless Chromium through the console, with screenshots in target/screenshots
	@tools/setup test
	tests/browser/run

bench: ## added latency and throughput of a governed call, holds and audit events a second, what rate limits cost
	@tools/setup run
	cargo build --release -p ralex -p ralex-tests --bins
	export RALEX_POSTGRES_BIN=$${RALEX_POSTGRES_BIN:-$$(tools/setup postgres-bin)}
	$(TARGET)/release/bench --peers tests/peers

bench-access: ## how long decisions take among 30,000 bindings, also while rights are read anew, beside casbin
	@tools/setup run
	export DATABASE_URL="$$(tests/postgres start)"
	cargo bench --package ralex-access --bench decisions -- --out $(TARGET)/bench-access.json

bench-usage: ## how long questions about usage take over ten million calls (10 GB of disk, 10 minutes)
	@tools/setup run
	cargo build --release -p ralex -p ralex-tests --bins
	export RALEX_POSTGRES_BIN=$${RALEX_POSTGRES_BIN:-$$(tools/setup postgres-bin)}
	$(TARGET)/release/bench --usage 10000000 --out $(TARGET)/bench-usage.json

bench-audit: ## how long searches of fifty million audit events take (45 GB of disk, half an hour)
	@tools/setup run
	cargo build --release -p ralex -p ralex-tests --bins
	export RALEX_POSTGRES_BIN=$${RALEX_POSTGRES_BIN:-$$(tools/setup postgres-bin)}
	$(TARGET)/release/bench --audit 50000000 --out $(TARGET)/bench-audit.json

bench-peers: ## install LiteLLM and litellm-rs, so that bench measures them beside Ralex
	@tools/setup run
	tools/setup wheels
	tests/peers/setup

torture: ## kill Ralex under load, again and again, and check its books
	@tools/setup run
	cargo build --release -p ralex -p ralex-tests --bins
	export RALEX_POSTGRES_BIN=$${RALEX_POSTGRES_BIN:-$$(tools/setup postgres-bin)}
	$(TARGET)/release/torture

drill: ## race on small budgets on 1, 2 and 3 nodes while they and PostgreSQL are killed (10 minutes; DRILL='--kills 1000 …' for one of its own)
	@tools/setup run
	cargo build --release -p ralex -p ralex-tests --bins
	export RALEX_POSTGRES_BIN=$${RALEX_POSTGRES_BIN:-$$(tools/setup postgres-bin)}
	if [ -n "$(DRILL)" ]; then exec $(TARGET)/release/drill $(DRILL); fi
	for nodes in 1 2 3; do
	  $(TARGET)/release/drill --nodes $$nodes --out $(TARGET)/drill-$$nodes.json
	done

sqlx: ## write .sqlx anew after a query or migration changed
	@tools/sqlx write

tools: ## install what building, testing and the docs need
	@tools/setup test

clean: ## remove everything that was built, and no data
	@tests/postgres stop || true
	rm -rf target console/dist docs/book tools/node_modules tests/sdk/node_modules tests/browser/node_modules
	[ -z "$${CARGO_TARGET_DIR:-}" ] || rm -rf "$$CARGO_TARGET_DIR"
