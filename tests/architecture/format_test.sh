#!/usr/bin/env bash
# Every C++ file is formatted as .clang-format says.
set -euo pipefail
command -v clang-format-14 >/dev/null || { echo "SKIPPED: clang-format-14 is not installed"; exit 77; }
find model server client tests -name '*.h' -o -name '*.cc' | xargs clang-format-14 --dry-run -Werror
