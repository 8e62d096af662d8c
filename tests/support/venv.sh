#!/usr/bin/env bash
# Makes a Python environment, unless it is there: venv.sh FOLDER REQUIREMENTS
# Without the network it says so and ends well: what needs the environment skips.
set -euo pipefail

venv=$1 requirements=$2
if cmp -s "$requirements" "$venv/installed.txt"; then
  echo "$venv is there."
elif python3 -m venv "$venv" && "$venv/bin/pip" install -q --disable-pip-version-check -r "$requirements"; then
  cp "$requirements" "$venv/installed.txt"
  echo "$venv: installed in $SECONDS s."
else
  rm -rf "$venv"
  echo "$venv could not be installed; the tests that need it will be skipped."
fi
