#!/bin/sh
# Runs every fuzz target of tezos for the given number of seconds (60). A crash ends it with the input's file named.
set -eu

seconds=${1:-60}
root=$(cd "$(dirname "$0")/.." && pwd)

if ! cargo fuzz --version >/dev/null 2>&1; then
	echo "missing: cargo-fuzz; install it with: cargo install --locked cargo-fuzz" >&2
	exit 1
fi
# The sanitizers are nightly flags of rustc. Without a nightly toolchain the targets still run with coverage only.
if rustup toolchain list 2>/dev/null | grep -q '^nightly'; then
	toolchain=+nightly
	sanitizer=address
else
	toolchain=
	sanitizer=none
	export RUSTC_BOOTSTRAP=1
fi
cd "$root/tezos"
# What was found once is kept in fuzz/corpus; fuzz/seeds starts a fresh clone off.
while read -r target seeds; do
	echo "fuzzing $target for $seconds s"
	mkdir -p "fuzz/corpus/$target"
	# shellcheck disable=SC2086 # an empty toolchain must be no argument at all
	cargo $toolchain fuzz run --sanitizer "$sanitizer" "$target" \
		"fuzz/corpus/$target" "fuzz/seeds/$seeds" -- -max_total_time="$seconds"
done <<TARGETS
payload payload
cuts payload
words words
TARGETS
