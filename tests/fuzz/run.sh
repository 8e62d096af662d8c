#!/usr/bin/env bash
# Builds the fuzzers and runs each for a while; ends with an error if one finds something.
#   tests/fuzz/run.sh [SECONDS [FUZZER ...]]     60 seconds each by default; load_model decode_request
# What is found lies in build/fuzz/findings; the inputs that reached new code stay in build/fuzz/corpus.
set -euo pipefail
cd "$(dirname "$0")/../.."

seconds=${1:-60}
shift || true
fuzzers=("$@")
[[ ${#fuzzers[@]} -gt 0 ]] || fuzzers=(load_model decode_request)

command -v clang++-14 >/dev/null && compgen -G '/usr/lib/llvm-14/lib/clang/*/lib/linux/libclang_rt.fuzzer-*.a' >/dev/null ||
  { echo "SKIPPED: the fuzzers need clang-14 and libclang-rt-14-dev"; exit 77; }

mkdir -p build/fuzz/findings
cmake --preset fuzz ${CMAKE_ARGS:-} >build/fuzz/configure.log || { cat build/fuzz/configure.log; exit 1; }
cmake --build --preset fuzz --target write_seeds "${fuzzers[@]/%/_fuzz}"
build/fuzz/bin/write_seeds build/fuzz/seeds

export ASAN_OPTIONS=${ASAN_OPTIONS:-allocator_may_return_null=0:detect_stack_use_after_return=1}
export UBSAN_OPTIONS=${UBSAN_OPTIONS:-print_stacktrace=1}
failed=0
for fuzzer in "${fuzzers[@]}"; do
  printf '\n== %s for %s s\n' "$fuzzer" "$seconds"
  mkdir -p "build/fuzz/corpus/$fuzzer"
  # A model may not take much memory or time, whatever it says; protobuf's own limits leave room under these.
  build/fuzz/bin/"${fuzzer}_fuzz" -max_total_time="$seconds" -max_len=65536 -timeout=20 -rss_limit_mb=2048 \
    -malloc_limit_mb=1024 -print_final_stats=1 -verbosity=${VERBOSITY:-1} \
    -artifact_prefix="build/fuzz/findings/${fuzzer}_" "build/fuzz/corpus/$fuzzer" "build/fuzz/seeds/$fuzzer" \
    >"build/fuzz/$fuzzer.log" 2>&1 || failed=1
  grep -E 'DONE|^stat::|SUMMARY|Test unit written' "build/fuzz/$fuzzer.log" || tail -n 20 "build/fuzz/$fuzzer.log"
done
exit "$failed"
