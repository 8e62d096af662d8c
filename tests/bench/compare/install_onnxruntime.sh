#!/usr/bin/env bash
# Puts ONNX Runtime's library and the header of its C API into a folder: install_onnxruntime.sh FOLDER
# Pinned; nothing outside the folder is touched. The library comes from the wheel on PyPI, the header, which no wheel
# carries, with a Go module of the same version.
set -euo pipefail

version=1.30.0
forge=github
module=$forge.com/yalue/onnxruntime_go
module_sha256=29a75a378dc4bad765b18d364e643dd33fe8df873556b3d9b1f488d4ccd85966

folder=$1
if [[ -f $folder/$version.installed ]]; then
  echo "ONNX Runtime $version is there."
  exit 0
fi
rm -rf "$folder"
mkdir -p "$folder/download"
folder=$(cd "$folder" && pwd)
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check --no-deps --target "$folder/wheel" "onnxruntime==$version"
ln -s "$(find "$folder/wheel" -name 'libonnxruntime.so.*')" "$folder/libonnxruntime.so"

zip=$folder/download/module.zip
command -v go >/dev/null || { echo "the header comes as a Go module: install golang-go first"; exit 1; }
GOMODCACHE=$folder/download/go GOFLAGS=-modcacherw go mod download "$module@v$version"
cp "$folder/download/go/cache/download/$module/@v/v$version.zip" "$zip"
echo "$module_sha256  $zip" | sha256sum -c --quiet
python3 -m zipfile -e "$zip" "$folder/download/module"
mkdir "$folder/include"
find "$folder/download/module" -name 'onnxruntime*c_api.h' -exec cp {} "$folder/include" \;
rm -rf "$folder/download" "$folder/venv"
touch "$folder/$version.installed"
echo "ONNX Runtime $version: installed in $SECONDS s."
