#!/usr/bin/env python3
"""Reads every #include line and fails on an arrow that the design does not have.

Usage: includes_test.py [PROJECT_ROOT]
"""
import pathlib
import re
import sys

# Each folder that holds code, and the folders of ours it may include. The generated version header counts as "server".
MAY_USE = {
    "model/base": [],
    "model/data": ["model/base"],
    "model/tensor": ["model/base"],
    "model/kernels/isa": [],
    "model/kernels": ["model/base", "model/tensor", "model/kernels/isa"],
    "model/layers": ["model/base", "model/tensor", "model/kernels", "model/kernels/isa"],
    "model/graph": ["model/base"],
    "model/onnx": ["model/base", "model/graph"],
    "model/activity": ["model/base"],
    "model/engine": ["model/base", "model/tensor", "model/kernels", "model/kernels/isa", "model/layers", "model/graph", "model/activity"],
    "model/zoo": [],
    "model/analysis": ["model/base", "model/data", "model/tensor", "model/graph", "model/activity", "model/engine", "model/onnx"],
    "model/tools": ["model/base", "model/data", "model/kernels", "model/analysis"],
    "server/log": [],
    "server/batching": ["model/base"],
    "server/http": [],
    "server/metrics": ["model/base", "model/activity", "server/version.h"],
    "server/repository": ["model/base", "model/data", "model/analysis", "model/engine", "model/onnx", "model/activity", "model/zoo",
                          "server/batching", "server/metrics", "server/log"],
    "server/rpc": ["proto", "model/base", "model/graph", "model/activity", "server/repository", "server/metrics", "server/log", "server/version.h"],
    "server": ["proto", "model/base", "model/kernels", "server/http", "server/log", "server/metrics", "server/repository", "server/rpc",
               "server/version.h"],
    "client": ["proto", "model/data"],
}

# Libraries that only certain folders may see.
ONLY_IN = {
    "Eigen/": ["model/kernels", "model/kernels/isa", "model/analysis"],
    "onnx/": ["model/onnx"],
    "prometheus/": ["server/metrics"],
    "spdlog/": ["server/log"],
    "httplib.h": ["server/http"],
    "CLI/": ["server", "client", "model/tools"],
    "grpc": ["server/rpc", "server", "client"],
    "stb/": ["client"],
}

INCLUDE = re.compile(r'^\s*#\s*include\s*[<"]([^>"]+)[>"]')


def violations(root):
    files = 0
    for top in ("model", "server", "client"):
        for path in sorted((root / top).rglob("*")):
            if path.suffix not in (".h", ".cc"):
                continue
            files += 1
            folder = path.parent.relative_to(root).as_posix()
            if folder.startswith("client"):
                folder = "client"
            if folder not in MAY_USE:
                yield f"{folder}: a folder with code that the table in {__file__} does not know"
                continue
            for number, line in enumerate(path.read_text().splitlines(), 1):
                match = INCLUDE.match(line)
                if match:
                    yield from check(root, path, folder, number, match.group(1))
    if files < 30:
        yield f"only {files} files were read under {root}"


def check(root, path, folder, number, include):
    where = f"{path.relative_to(root)}:{number} includes {include}"
    parent = include.rsplit("/", 1)[0] if "/" in include else ""
    if include.split("/")[0] in ("model", "server", "client", "proto", "tests"):
        ours = "client" if parent.startswith("client") else parent
        if ours != folder and ours not in MAY_USE[folder] and include not in MAY_USE[folder]:
            yield f"{where}: {folder} may use {', '.join(MAY_USE[folder]) or 'nothing of ours'}"
    for library, folders in ONLY_IN.items():
        if include.startswith(library) and folder not in folders:
            yield f"{where}: only {', '.join(folders)} may see that library"


def main():
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ".").resolve()
    found = list(violations(root))
    print("\n".join(found) or "every #include follows the design")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
