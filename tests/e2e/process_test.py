#!/usr/bin/env python3
"""The server as a process: exit codes, messages, signals."""
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.error
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from server_process import BIN, ROOT, Server, halfwave  # noqa: E402

ZOO = ROOT / "model/zoo"


def run_server(*arguments, env=None):
    """A start that is expected to fail; its exit code and log."""
    command = [str(BIN / "halfwave-server"), "--grpc", "127.0.0.1:0", "--http", "127.0.0.1:0", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60,
                          env={**os.environ, **(env or {})})
    return done.returncode, done.stderr


class Process(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="halfwave-"))
        self.addCleanup(shutil.rmtree, self.folder)

    def file(self, name, content):
        path = self.folder / name
        path.write_bytes(content)
        return path

    def test_a_digit_is_named_by_a_server_started_with_no_arguments(self):
        with Server() as server:
            for digit in range(10):
                answer = halfwave("predict", ZOO / f"pictures/digit_{digit}.png", "--server", server.grpc, "--top", 1)
                self.assertIn(f" {digit} ", answer)

    def test_sigterm_ends_it_with_zero(self):
        server = Server()
        self.assertEqual(server.stop(), 0)
        self.assertIn("stopping signal=TERM", "".join(server.log))

    def test_it_serves_and_ends_while_nobody_reads_its_log(self):
        command = [str(BIN / "halfwave-server"), "--grpc", "127.0.0.1:0", "--http", "127.0.0.1:0"]
        process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        self.addCleanup(process.kill)
        while "ready " not in (line := process.stderr.readline()):
            pass
        server = "127.0.0.1:" + line.split("grpc_port=")[1].split()[0]
        # Each failure logs a line of more than a kilobyte; the pipe holds 64.
        name = "n" * 2000
        for _ in range(100):
            halfwave("health", name, "--server", server, check=False)
        self.assertIn("READY", halfwave("models", "--server", server))
        process.terminate()
        self.assertEqual(process.wait(timeout=30), 0)
        process.stderr.close()

    def test_idle_http_connections_hinder_neither_probes_nor_the_end(self):
        with Server() as server:
            host, port = server.http.split(":")
            idle = [socket.create_connection((host, int(port))) for _ in range(8)]
            started = time.monotonic()
            self.assertEqual(urllib.request.urlopen(f"http://{server.http}/healthz", timeout=10).status, 200)
            self.assertLess(time.monotonic() - started, 4)
            idle[0].sendall(b"GET / HTTP/1.1\r\nX-Never-Ends: ")
        for connection in idle:
            connection.close()

    def test_a_missing_model_exits_with_two(self):
        code, log = run_server("--model", self.folder / "nothing.onnx")
        self.assertEqual(code, 2)
        self.assertIn("nothing.onnx", log)

    def test_a_file_that_is_no_model_exits_with_two(self):
        code, log = run_server("--model", self.file("text.onnx", b"hello " * 100))
        self.assertEqual(code, 2)
        self.assertIn("not an ONNX model", log)

    def test_a_file_cut_short_exits_with_two(self):
        whole = (ZOO / "digits_cnn.onnx").read_bytes()
        for size in (0, 1, len(whole) // 2, len(whole) - 1):
            code, log = run_server("--model", self.file("cut.onnx", whole[:size]))
            self.assertEqual(code, 2, f"cut to {size} bytes: {log}")
            self.assertIn("cut.onnx", log)

    def test_an_unknown_operator_is_named_with_its_node_and_opset(self):
        whole = (ZOO / "digits_cnn.onnx").read_bytes()
        code, log = run_server("--model", self.file("odd.onnx", whole.replace(b"\x22\x04Relu", b"\x22\x04Rolu")))
        self.assertEqual(code, 2)
        for word in ("'relu1'", "Rolu", "opset 13", "not supported"):
            self.assertIn(word, log)

    def test_a_model_that_does_not_reproduce_its_self_test_is_refused(self):
        whole = bytearray((ZOO / "digits_mlp.onnx").read_bytes())
        place = whole.find(b"fc1.weight") + 200  # within the weights
        whole[place + 3 - place % 4] ^= 0x01
        code, log = run_server("--model", self.file("damaged.onnx", bytes(whole)))
        self.assertEqual(code, 2, log)
        self.assertTrue("self-test" in log or "not an ONNX model" in log or "finite" in log, log)

    def test_a_port_in_use_is_named_and_exits_with_two(self):
        with Server() as server:
            for option, address in (("--grpc", server.grpc), ("--http", server.http)):
                code, log = run_server(option, address)
                self.assertEqual(code, 2, log)
                self.assertIn(address, log)

    def test_a_mistyped_option_exits_with_two(self):
        self.assertEqual(run_server("--modle", "x")[0], 2)

    def test_an_instruction_set_that_is_not_there_exits_with_two_and_names_those_that_are(self):
        code, log = run_server(env={"HALFWAVE_FORCE_ISA": "x86-64-v9"})
        self.assertEqual(code, 2)
        self.assertIn("x86-64-v9", log)
        self.assertIn("reference", log)

    def test_the_kernels_in_use_are_told_and_can_be_forced(self):
        with Server(env={"HALFWAVE_FORCE_ISA": "reference"}) as server:
            self.assertTrue(any("kernels=reference" in line for line in server.log), server.log)
            self.assertIn("97", halfwave("predict", ZOO / "pictures/digit_7.png", "--server", server.grpc))

    def test_more_threads_than_processors_are_cut_with_a_warning_and_it_serves(self):
        with Server("--workers", 3, "--intra-op-threads", 1000) as server:
            capped = [line for line in server.log if "threads_capped" in line]
            self.assertEqual(len(capped), 1, server.log)
            self.assertIn('asked="3 workers, 1000 threads each"', capped[0])
            self.assertRegex(capped[0], 'given="1 worker, [0-9]+ threads? each"')
            self.assertIn("limit=", capped[0])
            answer = halfwave("predict", ZOO / "pictures/digit_7.png", "--server", server.grpc, "--top", 1)
            self.assertIn(" 7 ", answer)
        with Server() as server:
            self.assertFalse([line for line in server.log if "threads_capped" in line], server.log)

    def test_environment_and_file_set_options(self):
        config = self.file("halfwave.toml", b"activity-window = 123\n")
        with Server("--config", config, env={"HALFWAVE_MODEL": str(ZOO / "digits_mlp.onnx")}) as server:
            self.assertIn("digits_mlp", halfwave("models", "--server", server.grpc))
            self.assertIn("123", halfwave("health", "--server", server.grpc))

    def test_http_says_ready_and_not_found(self):
        with Server() as server:
            self.assertEqual(urllib.request.urlopen(f"http://{server.http}/readyz", timeout=10).status, 200)
            with self.assertRaises(urllib.error.HTTPError) as caught:
                urllib.request.urlopen(f"http://{server.http}/nothing", timeout=10)
            self.assertEqual(caught.exception.code, 404)

    def test_a_profile_beside_the_model_is_used_if_it_is_whole_and_of_that_model(self):
        model = shutil.copy(ZOO / "digits_mlp.onnx", self.folder)

        def record(file):
            subprocess.run([BIN / "halfwave-model", "profile", file, "--data", ZOO / "digits_heldout.csv", "--scale",
                            "0.0625", "-o", self.folder / "digits_mlp.profile"], check=True, stdout=subprocess.DEVNULL)

        def reference_samples():
            with Server("--model", model) as server:
                metrics = urllib.request.urlopen(f"http://{server.http}/metrics", timeout=10).read().decode()
            return metrics.split("halfwave_reference_samples{")[1].split()[1], "".join(server.log)

        record(model)
        self.assertEqual(reference_samples()[0], "360")
        self.file("digits_mlp.profile", (self.folder / "digits_mlp.profile").read_bytes()[:5000])
        samples, log = reference_samples()
        self.assertEqual(samples, "0")
        self.assertRegex(log, "profile_refused .*digits_mlp.profile: .*record it again")
        record(ZOO / "digits_cnn.onnx")
        samples, log = reference_samples()
        self.assertEqual(samples, "0")
        self.assertRegex(log, "profile_refused .*SHA-256 [0-9a-f]{64}, this one has [0-9a-f]{64}")

    def test_the_log_has_a_line_per_failure_and_none_per_success(self):
        with Server() as server:
            halfwave("predict", ZOO / "pictures/digit_3.png", "--server", server.grpc)
            halfwave("predict", ZOO / "pictures/digit_3.png", "--server", server.grpc, "--model", "nobody", check=False)
        text = "".join(server.log)
        self.assertIn("request_failed method=ModelMetadata code=NOT_FOUND", text)
        self.assertEqual(text.count("\n"), 5, text)  # loaded, ready, one failure, stopping, stopped


if __name__ == "__main__":
    unittest.main(verbosity=2)
