# Quorate's own commands. `make dev` is the first one to try.
#
# Every target builds the same selection (`--workspace --all-targets`) with the same profile and the
# same flags: another selection may unify cargo features differently, and that compiles RocksDB a
# second time. The same goes for RUSTFLAGS in the environment: leave it unset.

# Outside the checkout, so that a fresh clone and `git clean` both keep the compiled RocksDB.
CACHE ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/quorate
CARGO_TARGET_DIR ?= $(CACHE)/target
export CARGO_TARGET_DIR

SELECTION := --workspace --all-targets --locked
QUORATE := $(CARGO_TARGET_DIR)/debug/quorate
CARGO_DENY_VERSION := 0.20.2
CARGO_DENY := $(CACHE)/tools/bin/cargo-deny
# How long `make fuzz` gives each fuzz target.
FUZZ_SECONDS ?= 60
# What could not run on this machine: `make test` shows and counts it.
SKIPS := $(CARGO_TARGET_DIR)/skips

# The fault suite. What it finds lies in the target folder: results, histories of failures, the page.
CHAOS := $(CARGO_TARGET_DIR)/debug/quorate-chaos
CHAOS_OUT := $(CARGO_TARGET_DIR)/chaos
FOUND := $(addprefix $(CHAOS_OUT)/,simulation.json mutants.json run.json)
SEED ?= 1
COUNT ?= 200
# How many seeds each mutant gets.
SEEDS ?= 100
FOR ?= 1h

.PHONY: help dev demo build test lint fuzz audit tools chaos chaos-sim chaos-mutants chaos-long
.DEFAULT_GOAL := help

help:
	@echo 'make dev    three real nodes on this machine, and the story of what they promise'
	@echo '            (ARGS is passed on: make dev ARGS="--signer-port 7000 --keys p256"; ARGS=--hsm'
	@echo '            keeps the keys in SoftHSM tokens)'
	@echo 'make demo   the same story, then exit 0 or 1'
	@echo 'make test   every test: unit, property, crash, end to end, documentation, and the fault suite'
	@echo 'make lint   format, clippy, documentation, licences and banned crates'
	@echo 'make fuzz   the fuzz targets of tezos, FUZZ_SECONDS each (60)'
	@echo 'make audit  known vulnerabilities (needs the RustSec database from the network)'
	@echo
	@echo 'make chaos          the fault suite: simulation, mutants, three real nodes; then one page'
	@echo 'make chaos-sim      SEED=1 COUNT=200: simulates that many schedules from that seed on'
	@echo 'make chaos-mutants  SEEDS=100: faults built into the signer; each must be noticed'
	@echo 'make chaos-long     FOR=2h: real nodes with new seeds, until one of them breaks a promise'

dev: build
	@exec $(QUORATE) dev $(ARGS)

demo: build
	@exec $(QUORATE) dev --demo $(ARGS)

build:
	@deploy/prerequisites.sh $(if $(findstring --hsm,$(ARGS)),test,build)
	@$(say_rocksdb)
	@cargo build $(SELECTION)

# `--all-targets` leaves documentation tests out, so they are a second run over the same artefacts.
# All of them always run: a failure in one must not hide one in the next.
test:
	@deploy/prerequisites.sh test
	@$(say_rocksdb)
	@rm -f $(SKIPS) $(FOUND)
	@status=0; export QUORATE_SKIPS=$(SKIPS) QUORATE_CHAOS_OUT=$(CHAOS_OUT); \
	cargo test $(SELECTION) --no-fail-fast || status=1; \
	cargo test --workspace --doc --locked --no-fail-fast || status=1; \
	$(faults); \
	exit $$status

# The fault suite as in `make test`.
chaos: build
	@deploy/prerequisites.sh test
	@rm -f $(SKIPS) $(FOUND)
	@status=0; export QUORATE_SKIPS=$(SKIPS) QUORATE_CHAOS_OUT=$(CHAOS_OUT); \
	$(faults); \
	exit $$status

chaos-sim: build
	@$(CHAOS) sim --seed $(SEED) --count $(COUNT) --coverage

chaos-mutants:
	@deploy/prerequisites.sh build
	@$(say_rocksdb)
	@QUORATE_CHAOS_OUT=$(CHAOS_OUT) QUORATE_MUTANT_SEEDS=$(SEEDS) $(MUTANTS)

chaos-long: build
	@deploy/prerequisites.sh test
	@rm -f $(FOUND)
	@status=0; export QUORATE_CHAOS_OUT=$(CHAOS_OUT); \
	$(CHAOS) long $(FOR) || status=1; \
	$(PAGE) || status=1; \
	exit $$status

# The mutants are compiled into this one test and nothing else.
MUTANTS := cargo test --workspace --locked --features chaos/mutants --test mutants
# Real nodes run under a chosen seed, so that a run in one place is the run in another; chaos-long draws new ones.
REAL := $(CHAOS) run --seed 11
SIMULATED := $(CHAOS) sim --seed 1 --count 200 --results $(CHAOS_OUT)/simulation.json
PAGE := $(CHAOS) report --merged $(CHAOS_OUT)/results.json --out $(CHAOS_OUT)/index.html \
	$$(ls $(FOUND) 2>/dev/null)

# `-D warnings` goes behind `--` and into RUSTDOCFLAGS: in RUSTFLAGS it would rebuild everything.
lint: tools
	@deploy/prerequisites.sh build
	@$(say_rocksdb)
	cargo fmt --all --check
	cargo clippy $(SELECTION) -- -D warnings
	RUSTDOCFLAGS='-D warnings' cargo doc --workspace --no-deps --locked
	$(CARGO_DENY) --workspace --locked check licenses bans sources

fuzz:
	@deploy/fuzz.sh $(FUZZ_SECONDS)

audit: tools
	$(CARGO_DENY) --workspace --locked check advisories

tools: $(CARGO_DENY)

# Its own target folder, thrown away: it shares no artefact with the workspace.
$(CARGO_DENY):
	@deploy/prerequisites.sh build
	@echo 'cargo-deny $(CARGO_DENY_VERSION) is compiled once, about 5 minutes on 2 cores'
	@CARGO_TARGET_DIR=$(CACHE)/tools/target cargo install --locked --quiet --root $(CACHE)/tools \
		--version $(CARGO_DENY_VERSION) cargo-deny
	@rm -rf $(CACHE)/tools/target
	@touch $@

# The fault suite, inside a recipe that has a variable `status`. The mutants come first: compiling with another
# feature leaves other programs behind under the same names, and what runs after them must be what is released.
define faults
QUORATE_MUTANT_SEEDS=10 $(MUTANTS) || status=1; \
cargo build $(SELECTION) && $(SIMULATED) || status=1; \
cargo build $(SELECTION) && $(REAL) || status=1; \
$(PAGE) || status=1; \
if [ -s $(SKIPS) ]; then cat $(SKIPS); echo "$$(wc -l < $(SKIPS)) skipped"; fi
endef

define say_rocksdb
ls $(CARGO_TARGET_DIR)/debug/build/librocksdb-sys-*/out/librocksdb.a >/dev/null 2>&1 || \
	echo 'RocksDB compiles once, 10-16 minutes on 2 cores, into $(CARGO_TARGET_DIR)'
endef
