# What people type. Each target does all of its own set-up.

SHELL := /bin/bash
CARGO ?= cargo

.PHONY: help demo test lint unit story receivers kafka browser api evidence release bench versus growth soak load fuzz

help: ## what there is to make
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{ printf "  make %-9s %s\n", $$1, $$2 }'

demo: ## asking, agreeing, a session through a real shop, break-glass, the customer's view; stays up in a terminal
	@tools/setup build
	@$(CARGO) build --quiet --bin locum --example storefront --example demo
	@target/debug/examples/demo

test: ## everything that must hold: style, unit, integration, browser and API tests
	@tools/setup build browser receivers api
	@$(MAKE) --no-print-directory lint unit story receivers browser api

lint:
	$(CARGO) fmt --check
	$(CARGO) clippy --quiet --all-targets -- -D warnings

unit:
	$(CARGO) build --quiet --bin locum --examples
	$(CARGO) test --quiet --lib --test it
	target/debug/locum policy test config/policy

# The demo, with nobody to browse it: each of its steps must hold.
story:
	target/debug/examples/demo </dev/null >/dev/null

receivers:
	tests/receivers/run.sh

kafka: ## the Kafka sink against librdkafka's own mock cluster; builds librdkafka
	@tools/setup build
	tests/receivers/run.sh kafka

browser:
	tests/browser/run.sh

api:
	tests/api/run.sh

evidence: ## 100 kills -9 each and 100 losses of power under load, failing disks, set clocks: what became of every request; every bit of a journal flipped: printed
	@tools/setup build
	$(CARGO) build --quiet --bin locum
	LOCUM_KILLS=100 $(CARGO) test --quiet --test it faults::kills -- --nocapture
	$(CARGO) test --quiet --test it faults:: -- --nocapture --skip faults::kills
	LOCUM_EVIDENCE=complete $(CARGO) test --quiet --profile fast --lib tree::tests::evidence -- --nocapture

release: ## target/release/locum as it is to be shipped: built, trained under load, and built again for what it was seen to do; half an hour
	tools/release

# What is measured: what `make release` built, or where that is older than the code, a plain build.
target/release/locum: Cargo.toml Cargo.lock $(shell find src config -type f)
	@tools/setup build
	$(CARGO) build --quiet --release --bin locum
	@touch $@

bench: ## what each stage of a request costs: time by criterion, instructions by callgrind
	@tools/setup build bench
	$(CARGO) bench --quiet --profile fast --bench stages
	benches/instructions.sh

versus: ## how to measure Locum beside other proxies
	@echo "make release (or cargo build --release), then give a side-by-side measurement the command benches/versus.sh PORT UPSTREAM DIR"

growth: target/release/locum ## what a request costs by live sessions, policy rows, upstream hosts; writes docs/performance/growth.svg; minutes
	@tools/setup build bench
	$(CARGO) build --quiet --example seed
	benches/growth.py

soak: target/release/locum ## twenty minutes of mixed load, every answer looked at; then kill -9, full disks and revocations under full load
	@tools/setup build bench
	$(CARGO) build --quiet --example seed
	benches/soak.py
	benches/faults.py

load: target/release/locum ## memory of large bodies, 10,000 idle connections, 1,000 WebSockets; prints a table
	@tools/setup build
	$(CARGO) build --quiet --example load
	ulimit -n $$(ulimit -Hn) && target/debug/examples/load target/release/locum

fuzz: ## a minute on each fuzz target
	@tools/setup fuzz
	@for target in fuzz/fuzz_targets/*.rs; do name=$$(basename $$target .rs); [ $$name = pieces ] || fuzz/run $$name 60 || exit 1; done
