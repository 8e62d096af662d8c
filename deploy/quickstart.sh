#!/usr/bin/env bash
# From a bare Debian 12 to predictions of a trained network: installs what is missing, builds, serves the built-in digits
# model, predicts, shows what its units do, and says what to open.
#   deploy/quickstart.sh           leaves the server running until Ctrl-C
#   deploy/quickstart.sh --once    stops it and exits 0
# HALFWAVE_GRPC and HALFWAVE_HTTP choose other addresses than 0.0.0.0:8001 and 0.0.0.0:8000.
set -euo pipefail
cd "$(dirname "$0")/.."

case ${1-} in
  "") once=false ;;
  --once) once=true ;;
  *) echo "usage: deploy/quickstart.sh [--once]" >&2; exit 2 ;;
esac
export HALFWAVE_GRPC=${HALFWAVE_GRPC:-0.0.0.0:8001} HALFWAVE_HTTP=${HALFWAVE_HTTP:-0.0.0.0:8000}
export HALFWAVE_SERVER=localhost:${HALFWAVE_GRPC##*:}
http_port=${HALFWAVE_HTTP##*:}
bin=build/release/bin
zoo=model/zoo

if [[ -t 1 && -z ${NO_COLOR-} ]]; then bold=$'\e[1m' plain=$'\e[0m'; else bold='' plain=''; fi
step() { printf '\n%s%s%s\n' "$bold" "$*" "$plain"; }
show() { printf '$ %s\n' "$*"; "$@"; }

step "1. What the build needs"
deploy/packages/install.sh deploy/packages/build.txt

step "2. Build (a few minutes the first time)"
mkdir -p build
cmake --preset release -DHALFWAVE_BUILD_TESTS=OFF >build/configure.log || { cat build/configure.log; exit 1; }
cmake --build --preset release --target halfwave-server halfwave

step "3. Serve the built-in digits model"
log=build/quickstart.log
echo "\$ $bin/halfwave-server    (log: $log)"
"$bin/halfwave-server" 2>"$log" &
server=$!
trap 'kill "$server" 2>/dev/null && wait "$server" || true' EXIT
ready=false
for _ in $(seq 100); do
  kill -0 "$server" 2>/dev/null || break
  if "$bin/halfwave" models --deadline 0.5 >/dev/null 2>&1; then ready=true; break; fi
  sleep 0.1
done
$ready || { cat "$log" >&2; echo "The server did not start; its log is above." >&2; exit 1; }
show "$bin/halfwave" models

step "4. Predict: a digit from the data set, and one drawn in dark ink on a transparent sheet"
show "$bin/halfwave" predict "$zoo/pictures/digit_7.png" "$zoo/pictures/seven_dark_on_light_rgba.png" --top 3

step "5. The 360 digits held back from training"
show "$bin/halfwave" predict "$zoo/digits_heldout.csv" --scale 0.0625

step "6. Dead units"
echo "A unit is called dead only after a full window of 10,000 samples without activity. The same 360 digits, 28 times"
echo "over, fill one; for a demonstration, since repeated samples are no new evidence."
for _ in $(seq 28); do "$bin/halfwave" predict "$zoo/digits_heldout.csv" --scale 0.0625 --json >/dev/null; done
show "$bin/halfwave" health

step "7. The same for Prometheus, at http://localhost:$http_port/metrics"
exec 3<>"/dev/tcp/localhost/$http_port"
printf 'GET /metrics HTTP/1.0\r\n\r\n' >&3
grep -E '^halfwave_(layer_dead_units|requests_total\{code="OK",method="ModelInfer"|compute_seconds_(sum|count))' <&3
exec 3>&-

if $once; then
  step "Done. Without --once the server goes on running."
  exit 0
fi
step "The server runs; Ctrl-C ends it."
cat <<END
  predictions   $bin/halfwave predict FILE...        PNG, PGM/PPM, CSV or .npy
  dead units    $bin/halfwave health
  your model    $bin/halfwave-server --model FILE.onnx
  metrics       http://localhost:$http_port/metrics
  dashboards    docker compose -f deploy/compose.yaml up    (Prometheus and Grafana)
END
wait "$server"
