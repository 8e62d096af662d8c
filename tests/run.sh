#!/usr/bin/env bash
# Installs what is missing, builds, and runs every test; ends in ctest's summary.
#   tests/run.sh [--all] [ctest options]     e.g. tests/run.sh -R Scheduler
# --all adds the long ones: the unit and integration tests under the address, undefined-behaviour and thread sanitizers,
# the engine's on an emulated aarch64, and clang-tidy.
set -euo pipefail
cd "$(dirname "$0")/.."

all=false
if [[ ${1-} == --all ]]; then all=true; shift; fi
step() { printf '\n== %s\n' "$*"; }

step "Packages"
deploy/packages/install.sh deploy/packages/build.txt tests/packages.txt

step "Python clients, and frameworks that export models"
tests/support/venv.sh build/venv tests/requirements.txt
tests/support/venv.sh build/venv-keras tests/producers/requirements-keras.txt
tests/support/venv.sh build/venv-sklearn tests/producers/requirements-sklearn.txt

step "Build"
mkdir -p build
cmake --preset release -DHALFWAVE_BUILD_TESTS=ON >build/configure.log || { cat build/configure.log; exit 1; }
cmake --build --preset release

if $all; then
  # gRPC as Debian builds it hides its locks from the thread sanitizer, so what uses it is left out there.
  for run in 'asan unit|integration|conformance' 'tsan unit'; do
    preset=${run%% *}
    step "Tests under $preset"
    cmake --preset "$preset" >build/configure.log || { cat build/configure.log; exit 1; }
    cmake --build --preset "$preset"
    ctest --preset "$preset" -L "${run#* }"
  done
  step "clang-tidy"
  echo clang-tidy-14 >build/tidy.txt
  deploy/packages/install.sh build/tidy.txt
  git ls-files '*.cc' | grep -v '^tests/' | xargs -P "$(nproc)" -n 4 clang-tidy-14 -p build/release --quiet
fi

step "Kernels on aarch64, emulated"
# shellcheck disable=SC2046
tests/aarch64/run.sh $($all && echo isa_test kernels_test engine_test) || [[ $? == 77 ]]  # 77: says why it skips

step "Fuzzers"
tests/fuzz/run.sh "$($all && echo 3600 || echo 60)" || [[ $? == 77 ]]  # 77: says why it skips

step "Tests"
ctest --preset release "$@"
