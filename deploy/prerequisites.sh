#!/bin/sh
# Makes sure that what the build (and, with `test`, what the tests) need is there.
# On Debian and Ubuntu it installs what is missing; elsewhere it says exactly what to install.
# Silent, and done in a few milliseconds, when nothing is missing.
#
#   deploy/prerequisites.sh build    a C++ compiler, make, pkg-config, libclang, Rust
#   deploy/prerequisites.sh test     the same, strace (fsync faults), Node.js with npm (taquito),
#                                    FUSE 3 (power cuts), libfaketime (clocks), unshare and ip
#                                    (nodes in a network of their own), SoftHSM and
#                                    pkcs11-tool (a key in an HSM)
set -eu

purpose=${1:-build}
root=$(cd "$(dirname "$0")/.." && pwd)
missing=

need() { # need <Debian package> <command>
	command -v "$2" >/dev/null 2>&1 || missing="$missing $1"
}

# bindgen loads libclang at build time, and reads clang's own headers that come with the -dev package.
libclang_found() {
	for file in "${LIBCLANG_PATH:-/nonexistent}"/libclang*.so* /usr/lib/llvm-*/lib/libclang*.so* \
		/usr/lib/*/libclang*.so* /usr/lib/libclang*.so* /usr/lib64/libclang*.so* \
		/usr/lib64/llvm*/lib/libclang*.so* /usr/local/lib/libclang*.so*; do
		case $file in
		*libclang-cpp*) ;;
		*) [ -e "$file" ] && return 0 ;;
		esac
	done
	return 1
}

need g++ g++
need make make
need pkg-config pkg-config
libclang_found || missing="$missing libclang-dev"
if [ "$purpose" = test ]; then
	need strace strace
	need nodejs node
	need npm npm
	need fuse3 fusermount3
	need faketime faketime
	need util-linux unshare
	need iproute2 ip
	need softhsm2 softhsm2-util
	need opensc pkcs11-tool
fi

if [ -n "$missing" ]; then
	if command -v apt-get >/dev/null 2>&1; then
		as_root=
		if [ "$(id -u)" -ne 0 ]; then
			if ! command -v sudo >/dev/null 2>&1; then
				echo "missing:$missing; run as root: apt-get update && apt-get install -y --no-install-recommends$missing" >&2
				exit 1
			fi
			as_root=sudo
		fi
		echo "installing what is missing:$missing"
		$as_root apt-get update -qq
		# Word splitting is meant: one package a word.
		# shellcheck disable=SC2086
		$as_root env DEBIAN_FRONTEND=noninteractive \
			apt-get install -y -qq --no-install-recommends $missing >/dev/null
	else
		echo "missing:$missing (the names are Debian's); install them with this system's package manager, then run this again" >&2
		echo "  Fedora: dnf install gcc-c++ make pkgconf-pkg-config clang-devel strace nodejs npm fuse3 libfaketime util-linux iproute softhsm opensc" >&2
		echo "  Arch:   pacman -S gcc make pkgconf clang strace nodejs npm fuse3 libfaketime util-linux iproute2 softhsm opensc" >&2
		exit 1
	fi
fi

# The distributions' own Rust is too old, so it is named and not installed.
wanted=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' "$root/Cargo.toml" | head -n 1)
if ! command -v cargo >/dev/null 2>&1; then
	echo "missing: Rust $wanted or newer; install it from https://rustup.rs, then run this again" >&2
	exit 1
fi
found=$(rustc --version | cut -d ' ' -f 2)
oldest=$(printf '%s\n%s\n' "$wanted" "$found" | sort -V | head -n 1)
if [ "$oldest" != "$wanted" ]; then
	echo "Rust $found is too old, $wanted or newer is needed: rustup update stable" >&2
	exit 1
fi
