#!/usr/bin/env bash
# Halfwave against ONNX Runtime, side by side in one process; compare/README.md tells how to read the table.
#   tests/bench/compare.sh [--quick] [--json FILE] [--models a,b] [--batches 1,8] [--threads 2] [--scored]
#   tests/bench/compare.sh --counting | --load
# Installs ONNX Runtime into build/ and trains, once, the perceptrons that are fed real images.
set -euo pipefail
cd "$(dirname "$0")/../.."

data=${HALFWAVE_FASHION_MNIST:-../shared/data/fashion-mnist}
trained=build/compare
step() { printf '\n== %s\n' "$*"; }

step "ONNX Runtime"
tests/bench/compare/install_onnxruntime.sh build/onnxruntime

step "Trained networks"
mkdir -p "$trained"
if [[ -f $trained/fashion.txt ]]; then
  cat "$trained/fashion.txt"
elif [[ ! -d $data ]]; then
  echo "SKIPPED: no Fashion-MNIST in $data (HALFWAVE_FASHION_MNIST says where else)"
elif ! /usr/bin/python3 -c 'import torch, numpy' 2>/dev/null; then
  echo "SKIPPED: needs Debian's python3-torch"
else
  /usr/bin/python3 tests/bench/compare/train_fashion.py "$data" "$trained"
fi

step "Build"
mkdir -p build
cmake --preset release -DHALFWAVE_BUILD_TESTS=ON -DHALFWAVE_ONNXRUNTIME_HEADERS="$PWD/build/onnxruntime/include" \
  >build/configure.log || { cat build/configure.log; exit 1; }
cmake --build --preset release --target compare

step "Comparison"
build/release/bin/compare --onnxruntime build/onnxruntime/libonnxruntime.so --trained "$trained" "$@"
