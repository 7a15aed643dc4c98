# What a person wants to do with this project. CI calls the same targets.
#
#   make run            start everything on this machine, and rehearse the main job   (ONCE=1: stop after the rehearsal)
#   make test           every test but the long ones
#   make test-long      the long ones: clusters, fail-overs, replicas killed under load, large groups
#   make test-profiles  the use cases over each kind of tenant that the simulated Platform knows; PROFILES="modern hostile": these only
#   make torture        kill everything while the Platform fails, as a seed has it, and compare in the end; SEED=n SEEDS=k for
#                       k seeds from n on (a random one, and 1), STORE=embedded|redis|both, PROFILE=heritage: over another kind of
#                       tenant, TENANTS=2: two tenants of one deployment side by side   (docs/reliability.md)
#   make test-rules     the alert rules of deploy/prometheus, by Prometheus' own tool; a part of make test
#   make check-dashboards  Grafana's own definitions (from the Python registry) read the dashboards of deploy/grafana
#   make conformance    outside judges of SCIM (scim2-tester, from the Python registry) against a fresh all-in-one
#   make compose-up     build the images and start docker-compose.yml with the engine that DOCKER_HOST names; STACK=scale,observe (or
#                       real, default) adds to it, from then on   (docs/deploying.md)
#   make compose-test   the same beside it, with containers killed under the simulated Entra, then with two of each behind a balancer;
#                       STACK=default or STACK=scale: one of them; PROFILE=release: as deployed
#   make kubernetes     check deploy/kubernetes against Kubernetes's own schemas (kubernetes-validate, from the Python registry)
#   make fuzz           random input for the SCIM language, and for what the gateway reads of strangers: bodies, credentials,
#                       requests for tokens; FUZZ_SECONDS=60 for each target   (FUZZ_TARGETS: which)
#   make bench          micro-benchmarks of the SCIM language, then the system against a floor and a small directory against a
#                       large one, and what is delivered, in some minutes; BENCH_USERS=1000000 for the whole; BENCH_CHANGES,
#                       BENCH_BURST: how much is delivered; BENCH_ARGS for `load bench --help`
#   make advisories     known faults of dependencies, where the advisory database can be reached   (deny.toml: what is ignored, and why)
#   make docs           write the tables of docs/configuration.md anew, from the settings themselves
#   make lint           formatting, clippy, dependency rules, documentation
#   make install-tools  what the targets above need and the Rust toolchain does not bring

CARGO ?= cargo
ONCE ?=
# Further arguments for all-in-one; of one that is given twice the later counts. Such as
# ARGS="--data-dir ./tenant --platform-url https://tenant.delinea.app --platform-client-id gateway@tenant"
ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help run test lint fmt install-tools

help:
	@sed -n 's/^#   //p' Makefile

run:
	$(CARGO) build --locked --package all-in-one
	./target/debug/all-in-one --rehearse 50 --data-dir ./data $(if $(filter-out 0,$(ONCE)),--once) $(ARGS)

# The binaries come first: some tests start them as processes of their own, to kill them.
test: install-test-packages test-rules
	$(CARGO) build --locked --workspace --bins
	@if $(CARGO) nextest --version >/dev/null 2>&1; then \
		$(CARGO) nextest run --locked --workspace; \
	else \
		echo "make: cargo-nextest is not installed; using cargo test, which is slower"; \
		$(CARGO) test --locked --workspace --lib --bins --tests -- --skip long::; \
	fi
	$(CARGO) test --locked --doc --package scim

# Each rule fires when it should and does not when it should not; and configuration and rules are what Prometheus takes. Debian's
# knows no Kubernetes, so that prometheus.kubernetes.yml is left to a test of tests/tests/e2e/observability.
.PHONY: test-rules
test-rules: install-test-packages
	promtool check config deploy/prometheus/prometheus.yml deploy/prometheus/prometheus.hosts.yml
	promtool test rules deploy/prometheus/tests/*.yml

# The modules named `long`. They end after twenty minutes, done or not (nextest: .config/nextest.toml).
.PHONY: test-long
test-long: install-test-packages
	$(CARGO) build --locked --workspace --bins
	@if $(CARGO) nextest --version >/dev/null 2>&1; then \
		$(CARGO) nextest run --locked --workspace --profile long; \
	else \
		$(CARGO) test --locked --workspace --lib --bins --tests --no-run && \
		timeout --foreground 20m $(CARGO) test --locked --workspace --lib --bins --tests -- long:: --test-threads 1; \
	fi
	$(MAKE) --no-print-directory test-profiles

# A part of test-long. Each profile ends after ten minutes, done or not.
PROFILES ?=

.PHONY: test-profiles
test-profiles:
	CARGO="$(CARGO)" ./scripts/use-cases-over-profiles.sh $(PROFILES)

# The folder of what failed is told. Of what went well nothing is left, unless ARGS=--keep.
SEED ?=
SEEDS ?= 1
STORE ?= both
TENANTS ?=

.PHONY: torture
torture: install-test-packages
	$(CARGO) build --locked --workspace --bins
	./target/debug/torture $(if $(SEED),--seed $(SEED)) --seeds $(SEEDS) --store $(STORE) $(if $(PROFILE),--profile $(PROFILE)) $(if $(TENANTS),--tenants $(TENANTS)) $(ARGS)

# Chromium opens the simulated Platform's page as a person would; the Redis store is tested on real servers (7.0 or newer);
# certificates come from Pebble; Prometheus scrapes the services by the project's own rules, and its promtool tests these.
.PHONY: install-test-packages
install-test-packages:
	@command -v redis-server >/dev/null 2>&1 && command -v redis-cli >/dev/null 2>&1 || { \
		echo "make: installing redis-server, which tests start on ports of their own (its service is not needed)"; \
		sudo=$$([ "$$(id -u)" = 0 ] || echo sudo); \
		$$sudo apt-get update -q && $$sudo apt-get install -y -q --no-install-recommends redis-server; \
	}
	@ls /usr/lib/*/faketime/libfaketimeMT.so.1 >/dev/null 2>&1 || { \
		echo "make: installing libfaketime, which sets the clock of a process that is tested"; \
		sudo=$$([ "$$(id -u)" = 0 ] || echo sudo); \
		$$sudo apt-get update -q && $$sudo apt-get install -y -q --no-install-recommends libfaketime; \
	}
	@command -v pebble >/dev/null 2>&1 && command -v pebble-challtestsrv >/dev/null 2>&1 || { \
		echo "make: installing pebble, the authority that issues certificates to tests"; \
		sudo=$$([ "$$(id -u)" = 0 ] || echo sudo); \
		$$sudo apt-get update -q && $$sudo apt-get install -y -q --no-install-recommends pebble; \
	}
	@command -v prometheus >/dev/null 2>&1 && command -v promtool >/dev/null 2>&1 || { \
		echo "make: installing prometheus, which tests start on ports of their own (its service is not needed)"; \
		sudo=$$([ "$$(id -u)" = 0 ] || echo sudo); \
		$$sudo apt-get update -q && $$sudo apt-get install -y -q --no-install-recommends prometheus; \
	}
	@command -v chromium >/dev/null 2>&1 || command -v chromium-browser >/dev/null 2>&1 || command -v google-chrome >/dev/null 2>&1 || { \
		echo "make: installing chromium, which a test opens a page with"; \
		sudo=$$([ "$$(id -u)" = 0 ] || echo sudo); \
		$$sudo apt-get update -q && $$sudo apt-get install -y -q --no-install-recommends chromium; \
	}

.PHONY: check-dashboards
check-dashboards:
	./scripts/check-dashboards.sh

.PHONY: conformance
conformance:
	CARGO=$(CARGO) ./scripts/conformance.sh

# A person of 2021 has docker-compose, one of today `docker compose`.
COMPOSE ?= $(shell docker compose version >/dev/null 2>&1 && echo docker compose || echo docker-compose)

STACK ?=

.PHONY: compose-up compose-test
compose-up:
	@set -eu; \
		chosen() { files=$$(sed -n 's/^COMPOSE_FILE=//p' .env 2>/dev/null || true); echo "$${files:-docker-compose.yml}"; }; \
		was=$$(chosen); \
		./scripts/compose-env.sh .env $(STACK); \
		$(COMPOSE) --profile entra build; \
		if [ "$$was" != "$$(chosen)" ]; then \
			echo "make: another choice: what ran by the last one is taken down; its data stays"; \
			COMPOSE_FILE=$$was $(COMPOSE) --profile simulated down --remove-orphans; \
		fi; \
		$(COMPOSE) up -d --remove-orphans; \
		at() { found=$$($(COMPOSE) port "$$2" "$$3" 2>/dev/null) && [ -n "$$found" ] && echo "$$1  http://$$found$$4"; }; \
		at "SCIM base URL     " balancer 8080 /scim/v2 || at "SCIM base URL     " gateway 8080 /scim/v2; \
		echo "bearer token        SCIM_TOKEN in .env"; \
		at "simulated Platform" platform-simulator 8090 /_sim || true; \
		at "Grafana           " grafana 3000 "  (admin, GRAFANA_PASSWORD in .env)" || true

compose-test:
	STACK="$(STACK)" ./scripts/compose-test.sh

.PHONY: kubernetes
kubernetes:
	./scripts/kubernetes.sh

# On the stable toolchain: without a sanitizer, which Rust without `unsafe` has little need of. What is found stays in
# target/fuzz; an input that breaks a target belongs into its folder's seeds, and a test, once it is understood.
FUZZ_TARGETS ?= filter path patch canonicalize bulk body credential token_request tenants_file
FUZZ_SECONDS ?= 60

.PHONY: fuzz
fuzz: install-fuzz
	@for target in $(FUZZ_TARGETS); do \
		echo "make: fuzzing $$target for $(FUZZ_SECONDS) s"; \
		mkdir -p target/fuzz/corpus/$$target target/fuzz/found; \
		folder=$$(dirname $$(dirname $$(ls */fuzz/targets/$$target.rs))); \
		(cd $$folder && $(CARGO) fuzz run --fuzz-dir . --sanitizer none --target-dir ../../target/fuzz $$target \
			../../target/fuzz/corpus/$$target seeds/$$target -- -dict=$$(ls *.dict) -artifact_prefix=../../target/fuzz/found/ \
			-max_total_time=$(FUZZ_SECONDS) -timeout=5 -rss_limit_mb=1024 -max_len=8192 -print_final_stats=1 -verbosity=0) || exit 1; \
	done

.PHONY: install-fuzz
install-fuzz:
	@command -v g++ >/dev/null 2>&1 || { \
		echo "make: installing g++, which libFuzzer is built with"; \
		sudo=$$([ "$$(id -u)" = 0 ] || echo sudo); \
		$$sudo apt-get update -q && $$sudo apt-get install -y -q --no-install-recommends g++; \
	}
	@$(CARGO) fuzz --version >/dev/null 2>&1 || { \
		echo "make: installing cargo-fuzz, which runs fuzz targets"; \
		$(CARGO) install cargo-fuzz --version 0.13.2 --locked; \
	}

# Of the system only ratios within a run mean anything. The tables are in target/bench.
BENCH_USERS ?= 20000
# Changes of each kind whose deliveries are timed; users created at once where the Platform takes five calls a second.
BENCH_CHANGES ?= 1000
BENCH_BURST ?= 40
# Users of the directory whose comparison with the Platform is measured.
DRIFT_USERS ?= 100000
BENCH_ARGS ?=

.PHONY: bench bench-language bench-system bench-drift
bench: bench-language bench-system bench-drift

bench-language:
	$(CARGO) bench --locked --package scim $(ARGS)

bench-system: install-test-packages
	$(CARGO) build --locked --release --bins --package gateway --package identity-service --package delinea-adapter \
		--package platform-simulator --package load-generator
	./target/release/load bench --users $(BENCH_USERS) --changes $(BENCH_CHANGES) --burst $(BENCH_BURST) $(BENCH_ARGS)

# What a comparison of so many users with the Platform costs, in calls, memory and time; programs of the dev profile.
bench-drift: install-test-packages install-tools
	$(CARGO) build --locked --workspace --bins
	DRIFT_USERS=$(DRIFT_USERS) $(CARGO) nextest run --locked --profile long --no-capture -E 'test(drift::long)'

lint: install-tools
	$(CARGO) fmt --all --check
	$(CARGO) fmt --manifest-path scim/fuzz/Cargo.toml --check
	$(CARGO) fmt --manifest-path gateway/fuzz/Cargo.toml --check
	$(CARGO) fmt --manifest-path service-runtime/fuzz/Cargo.toml --check
	$(CARGO) clippy --locked --workspace --all-targets -- -D warnings
	$(CARGO) deny --log-level error check bans licenses sources
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --locked --workspace --no-deps --document-private-items --quiet

fmt:
	$(CARGO) fmt --all
	$(CARGO) fmt --manifest-path scim/fuzz/Cargo.toml
	$(CARGO) fmt --manifest-path gateway/fuzz/Cargo.toml
	$(CARGO) fmt --manifest-path service-runtime/fuzz/Cargo.toml

# `make test` says where a table is not what the settings say.
.PHONY: docs
docs:
	UPDATE_DOCS=1 $(CARGO) test --locked --package all-in-one --test documented every_setting_is_documented_as_it_is

# Not a part of `lint`: the database is fetched, and what it says changes without any change of ours.
.PHONY: advisories
advisories: install-tools
	$(CARGO) deny --log-level error check advisories

install-tools:
	@$(CARGO) deny --version >/dev/null 2>&1 || { \
		echo "make: installing cargo-deny, which checks dependencies"; \
		$(CARGO) install cargo-deny --version 0.20.2 --locked --no-default-features; \
	}
