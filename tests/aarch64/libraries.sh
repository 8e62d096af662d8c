#!/usr/bin/env bash
# Lays the libraries that the build needs into a folder, as Debian 12 has them for arm64. Nothing changes on this machine
# and nobody needs to be root: apt keeps a state of its own there, and packages are unpacked, not installed.
#   tests/aarch64/libraries.sh FOLDER
set -euo pipefail
cd "$(dirname "$0")/../.."

# Programs come from this machine, and so do the libraries of C and C++, with the cross-compiler.
programs='cmake|g\+\+|ninja-build|pkg-config|protobuf-compiler.*'
of_the_compiler='^(libc6|libc-dev|libgcc|libstdc\+\+|linux-libc|gcc-)'
wanted=$(sed 's/#.*//' deploy/packages/build.txt | tr -s ' \t' '\n' | grep -vxE "|$programs"; echo libgtest-dev; echo libgmock-dev)

mkdir -p "$1"
folder=$(realpath "$1")
[[ $(cat "$folder/wanted" 2>/dev/null) != "$wanted" ]] || exit 0

echo "Unpacking Debian's arm64 libraries in $1"
rm -rf "${folder:?}"/*
apt=$folder/apt
mkdir -p "$apt"/{state/lists,cache/archives}/partial
: >"$apt/status"
cat >"$apt/conf" <<END
APT::Architecture "arm64";
#clear APT::Architectures;
APT::Architectures { "arm64"; };
APT::Sandbox::User "";
Acquire::Languages "none";
Dir::State "$apt/state";
Dir::State::status "$apt/status";
Dir::Cache "$apt/cache";
# What others hang on an update is about this machine.
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
END
apt-get -qq -c "$apt/conf" update
mapfile -t packages <<<"$wanted"
apt-get -qq -c "$apt/conf" install -y --no-install-recommends --download-only "${packages[@]}" >"$apt/log"
for package in "$apt"/cache/archives/*.deb; do
  [[ $(basename "$package") =~ $of_the_compiler ]] || dpkg-deb -x "$package" "$folder"
done
rm -r "$apt"

# CMake expects gRPC's generators beside its libraries.
mkdir -p "$folder/usr/bin"
ln -sf /usr/bin/grpc_*_plugin "$folder/usr/bin"
echo "$wanted" >"$folder/wanted"
