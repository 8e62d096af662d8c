#!/usr/bin/env python3
"""Reads the objects that are compiled per instruction set and fails on any symbol the linker could share between them.

Usage: isa_objects_test.py OBJECT...
"""
import re
import subprocess
import sys

# Eigen under the name it has in one unit only; the exception tables' reference to the C++ runtime is data.
OWN = re.compile(r"\beigen_(x86_64_v[234]|neon)::")
HARMLESS = {"DW.ref.__gxx_personality_v0"}


def violations(path):
    tables = 0
    lines = subprocess.run(["nm", "--demangle", path], check=True, capture_output=True, text=True).stdout.splitlines()
    for line in lines:
        match = re.match(r"^[0-9a-f ]{16} (\S) (.*)$", line)
        if not match:
            yield f"{path}: cannot read '{line}'"
            continue
        kind, name = match.groups()
        if kind in "VWuvw" and name not in HARMLESS and not OWN.search(name):
            yield f"{path}: '{name}' is weak: the linker may take another unit's"
        if kind in "ABCDRSTG" and not OWN.search(name):
            tables += 1
            if not re.fullmatch(r"halfwave::kernels::k\w+Kernels", name):
                yield f"{path}: '{name}' leaves the unit; only its table may"
    if tables != 1:
        yield f"{path}: {tables} tables leave the unit, expected one"
    sections = subprocess.run(["readelf", "--sections", "--wide", path], check=True, capture_output=True, text=True).stdout
    if ".init_array" in sections or ".ctors" in sections:
        yield f"{path}: something is constructed before the processor was looked at"


def main():
    objects = [part for argument in sys.argv[1:] for part in argument.split(";")]
    if not objects:
        sys.exit("no objects were named")
    found = [text for path in objects for text in violations(path)]
    print("\n".join(found) or f"{len(objects)} objects share nothing")
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
