#!/usr/bin/env python3
"""halfwave-model as a process: exit codes, both streams, and the files of the zoo."""
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from server_process import BIN, ROOT  # noqa: E402

ZOO = sorted((ROOT / "model/zoo").glob("*.onnx"))


def run(*arguments, **environment):
    command = [str(BIN / "halfwave-model"), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, env=os.environ | environment)


class ModelTool(unittest.TestCase):
    def test_every_model_of_the_zoo_is_inspected_without_a_warning(self):
        self.assertGreaterEqual(len(ZOO), 5)
        for path in ZOO:
            with self.subTest(path.name):
                text = run("inspect", path)
                self.assertEqual((text.returncode, text.stderr), (0, ""))
                self.assertIn("Findings: 0 warnings", text.stdout)
                document = json.loads(run("inspect", path, "--json").stdout)
                self.assertTrue(document["servable"])
                self.assertIn(document["sha256"], text.stdout)
                self.assertIn(f"{document['totals']['multiply_adds']:,.0f}", text.stdout)
                for finding in document["findings"]:
                    self.assertIn(f"({finding['id']})", text.stdout)
                    self.assertEqual(finding["level"], "note")

    def test_dot_is_one_connected_graph_and_graphviz_takes_it(self):
        for path in ZOO:
            for more in ([], ["--as-in-file"]):
                with self.subTest(path.name, more=more):
                    dot = run("inspect", path, "--dot", *more).stdout
                    nodes = set(re.findall(r"^  (n\d+) \[", dot, re.M))
                    read = {end for edge in re.findall(r"(n\d+) -> (n\d+);", dot) for end in edge}
                    self.assertEqual(nodes, read)
                    if shutil.which("dot"):
                        drawn = subprocess.run(["dot", "-Tsvg"], input=dot, capture_output=True, text=True, timeout=60)
                        self.assertEqual((drawn.returncode, drawn.stderr), (0, ""))

    def test_a_file_that_cannot_be_served_exits_with_two_and_says_why(self):
        for file in ("/no/such/file.onnx", ROOT / "README.md", ROOT):
            with self.subTest(str(file)):
                done = run("inspect", file)
                self.assertEqual(done.returncode, 2)
                self.assertIn(str(file), done.stderr)
                self.assertEqual(json.loads(run("inspect", file, "--json").stdout)["servable"], False)

    def test_bench_measures_every_batch_it_is_asked_for_on_the_instruction_set_that_is_forced(self):
        for path in ZOO:
            with self.subTest(path.name):
                done = run("bench", "--batch", "1,3", "--seconds", "0.01", path, "--json",
                           HALFWAVE_FORCE_ISA="reference")
                self.assertEqual((done.returncode, done.stderr), (0, ""))
                document = json.loads(done.stdout)
                self.assertEqual(document["instruction_set"], "reference")
                self.assertEqual([batch["rows"] for batch in document["batches"]], [1, 3])
        self.assertIn("GFLOP/s", run("bench", ZOO[0], "--seconds", "0.01").stdout)

    def test_an_instruction_set_that_is_not_there_exits_with_two_and_lists_what_is(self):
        for command in ("bench", "inspect"):
            done = run(command, ZOO[0], HALFWAVE_FORCE_ISA="x86-64-v9")
            self.assertEqual((done.returncode, done.stdout), (2, ""))
            self.assertIn("HALFWAVE_FORCE_ISA", done.stderr)
            self.assertIn("reference", done.stderr)

    def test_wrong_use_exits_with_two(self):
        for arguments in ([], ["inspect"], ["inspect", ZOO[0], "--json", "--dot"], ["inspect", ZOO[0], "--as-in-file"],
                          ["frobnicate"], ["bench"], ["bench", ZOO[0], "--batch", "0"],
                          ["bench", ZOO[0], "--seconds", "0"], ["bench", "/no/such/file.onnx"]):
            with self.subTest(str(arguments)):
                done = run(*arguments)
                self.assertEqual((done.returncode, done.stdout), (2, ""))
                self.assertNotEqual(done.stderr, "")

    def test_version_and_help(self):
        self.assertRegex(run("--version").stdout, r"^halfwave-model \d+\.\d+\.\d+\n$")
        self.assertIn("inspect", run("--help").stdout)
        self.assertIn("--as-in-file", run("inspect", "--help").stdout)


if __name__ == "__main__":
    unittest.main()
