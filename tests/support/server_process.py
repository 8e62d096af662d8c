"""A real server as a child process, for tests."""
import os
import pathlib
import re
import signal
import subprocess
import sys
import threading

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN = pathlib.Path(os.environ.get("HALFWAVE_BIN", ROOT / "build/release/bin"))
SKIPPED = 77


def skip(reason):
    """Ends the test as skipped, aloud."""
    print(f"SKIPPED: {reason}")
    sys.exit(SKIPPED)


class Server:
    """`with Server("--model", path) as server:` starts on free ports of the loopback address and waits until it is ready.

    Leaving the block sends SIGTERM and checks that the server exits with 0.
    """

    def __init__(self, *arguments, env=None):
        command = [str(BIN / "halfwave-server"), "--grpc", "127.0.0.1:0", "--http", "127.0.0.1:0", *map(str, arguments)]
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env={**os.environ, **(env or {})})
        self.log = []
        # A server that hangs must not hang the test.
        watchdog = threading.Timer(60, self.process.kill)
        watchdog.start()
        for line in self.process.stderr:
            self.log.append(line)
            match = re.search(r" ready .*grpc_port=(\d+) http_port=(\d+)", line)
            if match:
                self.grpc, self.http = (f"127.0.0.1:{port}" for port in match.groups())
                break
        watchdog.cancel()
        if not hasattr(self, "grpc"):
            raise AssertionError(f"the server did not start: {''.join(self.log)}")
        # The pipe must be read, or the server would block on a full one.
        self._reader = threading.Thread(target=lambda: self.log.extend(self.process.stderr), daemon=True)
        self._reader.start()

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(timeout=60)
        self._reader.join(timeout=10)
        return code

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        code = self.stop()
        if kind is None and code != 0:
            raise AssertionError(f"the server exited with {code}: {''.join(self.log)}")


def halfwave(*arguments, check=True):
    """Runs the client program; its standard output."""
    done = subprocess.run([str(BIN / "halfwave"), *map(str, arguments)], capture_output=True, text=True, timeout=60)
    if check and done.returncode != 0:
        raise AssertionError(f"halfwave {arguments} exited with {done.returncode}: {done.stderr}")
    return done.stdout
