#!/usr/bin/env bash
# Builds test programs for aarch64 with Debian's cross-compiler and runs them under qemu-user.
#   tests/aarch64/run.sh [PROGRAM ...]     isa_test by default: the kernels of NEON and the reference, every test
# Exit code 77: skipped, and why.
set -euo pipefail
cd "$(dirname "$0")/../.."

programs=("$@")
[[ ${#programs[@]} -gt 0 ]] || programs=(isa_test)

if [[ $(uname -m) == aarch64 ]]; then
  echo "SKIPPED: this machine is an aarch64 itself: its own build has the tests of NEON"
  exit 77
fi
deploy/packages/install.sh tests/aarch64/packages.txt
mkdir -p build/aarch64
tests/aarch64/libraries.sh build/aarch64-libraries
cmake --preset aarch64 ${CMAKE_ARGS:-} >build/aarch64/configure.log || { cat build/aarch64/configure.log; exit 1; }
cmake --build --preset aarch64 --target "${programs[@]}"
# The objects that are compiled per instruction set are looked at as well.
ctest --preset aarch64 -j "$(nproc)" -R "^($(IFS='|'; echo "${programs[*]}"))\.|^architecture\.isa_objects$"
