#!/usr/bin/env bash
# Builds the image from the Dockerfile, as a user would, and serves from it: the built-in model predicts, the health
# check tells alive from dead, nothing runs as root, a folder of models is served, SIGTERM ends with exit code 0.
# Uses docker when a daemon answers, else buildah, which needs root but no daemon. The base image comes from a registry, or
# from ../shared/tools/base-image.sh beside the checkout. Where that is not to be had: SKIPPED, exit code 77.
# The build compiles everything from scratch: some three minutes on two cores. Leaves nothing behind.
set -euo pipefail
cd "$(dirname "$0")/../../.."

base=docker.io/library/debian:bookworm-slim
tag=halfwave-container-test-$$
scratch=$(mktemp -d)
chmod 755 "$scratch"  # the container's user reads from it

skip() { echo "SKIPPED: $*"; exit 77; }
fail() {
  echo "FAILED: $*"
  [[ ! -s $scratch/log ]] || { echo "--- the end of its output"; tail -n 40 "$scratch/log"; }
  exit 1
}
say() { echo "ok: $*"; }

# --- docker

docker_has_base() { docker image inspect "$base" || timeout 120 docker pull "$base"; }
docker_build() { docker build --tag "$tag" .; }
docker_image_user() { docker image inspect --format '{{.Config.User}}' "$tag"; }
docker_image_size() { docker image inspect --format '{{.Size}}' "$tag"; }
# start FOLDER ARGUMENT...: serves in the background, with FOLDER as /mounted; sets container, grpc, http. stop sets code.
docker_start() {
  local folder=$1; shift
  container=$(docker run --detach --volume "$folder:/mounted:ro" --publish 127.0.0.1::8000 --publish 127.0.0.1::8001 "$tag" "$@")
  containers+=("$container")
  http=$(docker port "$container" 8000/tcp | head -n 1) && http=${http##*:}
  grpc=localhost:8001
}
docker_output() { docker logs "$container" >"$scratch/log" 2>&1; }
docker_run_in() { docker exec "$container" "$@"; }
docker_uid() { docker exec "$container" stat -c %u /proc/1; }
docker_stop() { docker kill --signal TERM "$container" >/dev/null && code=$(timeout 60 docker wait "$container"); }
docker_clean() {
  for container in "${containers[@]}"; do docker rm --force "$container"; done
  docker rmi --force "$tag"
}

# --- buildah. A chroot is no network or process namespace: ports are chosen by the server, and the server is seen in /proc.

buildah_has_base() {
  buildah inspect --type image "$base" ||
    { [[ -x ../shared/tools/base-image.sh ]] && ../shared/tools/base-image.sh; } ||
    timeout 120 buildah pull "$base"
}
buildah_build() { buildah bud --isolation chroot --network host --pull-never --format docker --tag "$tag" .; }
buildah_image_user() { buildah inspect --type image --format '{{.Docker.Config.User}}' "$tag"; }
buildah_image_size() { buildah images --json "$tag" | sed -n 's/.*"size": *"\(.*\)".*/\1/p'; }
buildah_start() {
  folder=$1; shift
  container=$(buildah from --pull-never "$tag")
  containers+=("$container")
  local entrypoint
  entrypoint=$(buildah inspect --type image --format '{{range .Docker.Config.Entrypoint}}{{.}} {{end}}' "$tag")
  # shellcheck disable=SC2086  # words
  buildah run --isolation chroot --network host --volume "$folder:/mounted:ro" "$container" -- \
    $entrypoint "$@" --grpc 127.0.0.1:0 --http 127.0.0.1:0 >"$scratch/log" 2>&1 &
  runner=$!
  runners+=("$runner")
  until_true 30 "the server logs its ports" buildah_ports
}
buildah_ports() {
  kill -0 "$runner" || fail "the server ended"
  http=$(sed -n 's/.* http_port=\([0-9]*\).*/\1/p' "$scratch/log")
  grpc=127.0.0.1:$(sed -n 's/.* grpc_port=\([0-9]*\).*/\1/p' "$scratch/log")
  [[ $http ]]
}
buildah_output() { true; }
buildah_run_in() {
  buildah run --isolation chroot --network host --volume "$folder:/mounted:ro" "$container" -- "$@"
}
# The server's process: the descendant of PID that runs halfwave-server. (A bare return would, in a trap, be another code.)
buildah_server() {
  local child found
  [[ $(cat "/proc/$1/comm" 2>/dev/null) != halfwave-server ]] || { echo "$1"; return 0; }
  for child in $(cat "/proc/$1/task/"*/children 2>/dev/null); do
    found=$(buildah_server "$child") && { echo "$found"; return 0; }
  done
  return 1
}
buildah_uid() { awk '$1 == "Uid:" { print $2 }' "/proc/$(buildah_server "$runner")/status"; }
buildah_stop() {
  kill -TERM "$(buildah_server "$runner")"
  code=0
  wait "$runner" || code=$?
  runners=()
}
buildah_clean() {
  local server
  for runner in "${runners[@]}"; do
    if server=$(buildah_server "$runner"); then kill -KILL "$server"; fi
    wait "$runner"
  done
  for container in "${containers[@]}"; do buildah rm "$container"; done
  buildah rmi "$tag"
}

# --- the test

# until_true SECONDS WHAT COMMAND...
until_true() {
  local end=$((SECONDS + $1)) what=$2
  shift 2
  until "$@" 2>/dev/null; do
    ((SECONDS < end)) || { "${engine}_output"; fail "not within the time allowed: $what"; }
    sleep 0.1
  done
}
ready() {
  local line
  exec 3<>"/dev/tcp/127.0.0.1/$http" || return 1
  printf 'GET /readyz HTTP/1.0\r\n\r\n' >&3
  read -r line <&3
  exec 3>&-
  [[ $line == *" 200 "* ]]
}
clean() {
  set +e
  "${engine}_clean" >/dev/null 2>&1
  rm -rf "$scratch"
}

engine=none containers=() runners=()
none_clean() { true; }
trap clean EXIT
if command -v docker >/dev/null && docker info >/dev/null 2>&1; then
  engine=docker
elif command -v buildah >/dev/null && container=$(buildah from scratch 2>"$scratch/log"); then
  buildah rm "$container" >/dev/null
  engine=buildah
else
  skip "no docker daemon answers, and buildah is missing or cannot work here. $(tail -n 1 "$scratch/log" 2>/dev/null || true)"
fi
"${engine}_has_base" >"$scratch/log" 2>&1 || skip "$base is not here and cannot be fetched: $(tail -n 1 "$scratch/log")"

began=$SECONDS
"${engine}_build" >"$scratch/log" 2>&1 || fail "the image does not build"
say "built with $engine in $((SECONDS - began)) s, $("${engine}_image_size") with its base"

user=$("${engine}_image_user")
[[ $user =~ ^[1-9][0-9]*(:[1-9][0-9]*)?$ ]] || fail "the image's user is '$user', expected a number other than 0"

"${engine}_start" "$PWD/model/zoo/pictures"
until_true 30 "/readyz answers 200" ready
say "serves the built-in model"

answer=$("${engine}_run_in" halfwave predict /mounted/digit_7.png --top 1 --server "$grpc") || fail "predict fails: $answer"
grep -Eq '^ *7 +[0-9.]+ %' <<<"$answer" || fail "a picture of a 7 is answered with: $answer"
say "predicts a 7 from its picture"

uid=$("${engine}_uid")
[[ $uid == "${user%%:*}" ]] || fail "the server's uid is '$uid', the image's user $user"
say "runs as uid $uid"

missing=$("${engine}_run_in" ldd /usr/local/bin/halfwave-server /usr/local/bin/halfwave | grep 'not found' || true)
[[ ! $missing ]] || fail "libraries are missing: $missing"
# Each runtime package owns a library that the programs load; else it is not needed.
loaded=$("${engine}_run_in" sh -c 'ldd /usr/local/bin/halfwave* | grep -o "/lib[^ ]*" | sort -u | xargs -n 1 readlink -f')
sed 's/#.*//' deploy/packages/runtime.txt | grep . >"$scratch/packages"
while read -r package <&4; do
  "${engine}_run_in" dpkg -L "$package" </dev/null | sed 's|^/usr||' >"$scratch/files"
  grep -Fxq "${loaded//\/usr\/lib/\/lib}" "$scratch/files" || fail "deploy/packages/runtime.txt: $package is not needed"
done 4<"$scratch/packages"
say "$(wc -l <"$scratch/packages") runtime packages, each of them needed"

# The image's own health check, as the engine would call it; with the port, which a chroot cannot leave at its default.
if [[ $engine == docker ]]; then
  until_true 60 "the health check succeeds" \
    eval '[[ $(docker inspect --format "{{.State.Health.Status}}" "$container") == healthy ]]'
else
  check=$(buildah inspect --type image --format '{{range .Docker.Config.Healthcheck.Test}}{{.}} {{end}}' "$tag")
  [[ $check == "CMD halfwave "* ]] || fail "the health check is '$check'"
  # shellcheck disable=SC2086  # words
  buildah_run_in ${check#CMD } --server "$grpc" >/dev/null || fail "the health check fails on a server that serves"
  # shellcheck disable=SC2086
  ! buildah_run_in ${check#CMD } --server 127.0.0.1:1 >/dev/null 2>&1 || fail "the health check succeeds without a server"
fi
say "the health check tells a server that serves"

"${engine}_stop"
"${engine}_output"
[[ $code == 0 ]] || fail "exit code $code after SIGTERM"
say "SIGTERM ends it with exit code 0"

mkdir "$scratch/models"
cp model/zoo/digits_mlp.onnx "$scratch/models/"
chmod -R a+rX "$scratch/models"
"${engine}_start" "$scratch/models" --model /mounted
until_true 30 "/readyz answers 200 with a folder of models" ready
models=$("${engine}_run_in" halfwave models --server "$grpc") || fail "models fails: $models"
[[ $models == *digits_mlp* ]] || fail "halfwave models does not name digits_mlp: $models"
"${engine}_stop"
[[ $code == 0 ]] || fail "exit code $code after SIGTERM"
say "serves a folder of models"
