#!/usr/bin/env python3
"""Every query of the Grafana dashboard answers, on a real Prometheus that scrapes real servers under a little load.

Grafana itself is not run: the dashboard's JSON is checked for what Grafana expects of it, and its queries are sent to
Prometheus as Grafana would send them. Two replicas with different traffic make sure that shares are summed before they
are divided. Needs Debian's package `prometheus`; without it the JSON alone is checked, and the rest SKIPPED (77).
The programs are those of build/release, of $HALFWAVE_BIN, or of --server and --client.
"""

import argparse
import json
import math
import os
import pathlib
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.parse
import urllib.request

REPO = pathlib.Path(__file__).resolve().parents[3]
DEPLOY = REPO / "deploy"
ZOO = REPO / "model" / "zoo"
SKIPPED = 77

RATE_INTERVAL = "5s"  # for scrapes every second
DEADLINE = 60  # seconds, for anything that is waited for


class Failure(Exception):
    pass


class TooLate(Failure):
    pass


def expect(condition, message):
    if not condition:
        raise Failure(message)


def wait_until(what, probe, seconds=DEADLINE):
    """The first true answer of probe(), asked often; a probe that finds nobody listening yet is asked again."""
    end = time.monotonic() + seconds
    while True:
        try:
            if answer := probe():
                return answer
        except OSError:
            pass
        if time.monotonic() > end:
            raise TooLate(f"not within {seconds} s: {what}")
        time.sleep(0.1)


def http_get(url):
    with urllib.request.urlopen(url, timeout=10) as response:
        return response.read().decode()


# --- what Grafana expects of the files


def queries(dashboard):
    """(panel, target) of each query."""
    return [(panel, target) for panel in dashboard["panels"] for target in panel.get("targets", [])]


def check_structure(dashboard):
    """What is wrong with the dashboard's JSON, one sentence each."""
    problems = []

    def want(condition, problem):
        if not condition:
            problems.append(problem)

    want(dashboard.get("uid") == "halfwave", "the dashboard's uid must stay 'halfwave': links carry it")
    want(isinstance(dashboard.get("schemaVersion"), int), "schemaVersion is not a number")
    want("id" not in dashboard or dashboard["id"] is None, "a provisioned dashboard has no id of its own")
    want(dashboard.get("title") and dashboard.get("time", {}).get("from"), "title or time is missing")
    variables = {variable["name"] for variable in dashboard["templating"]["list"]}
    want(variables == {"datasource", "model"}, f"the variables are {sorted(variables)}")
    panels = dashboard["panels"]
    ids = [panel.get("id") for panel in panels]
    want(len(set(ids)) == len(ids) and all(isinstance(i, int) and i > 0 for i in ids), f"panel ids are not unique: {ids}")
    taken = {}
    for panel in panels:
        title = panel.get("title", "?")
        grid = panel.get("gridPos", {})
        if not all(isinstance(grid.get(key), int) for key in "xywh"):
            problems.append(f"'{title}': gridPos lacks x, y, w or h")
            continue
        want(grid["x"] >= 0 and grid["w"] > 0 and grid["x"] + grid["w"] <= 24 and grid["h"] > 0, f"'{title}' leaves the 24 columns")
        cells = {(x, y) for x in range(grid["x"], grid["x"] + grid["w"]) for y in range(grid["y"], grid["y"] + grid["h"])}
        for other in {taken[cell] for cell in cells if cell in taken}:
            problems.append(f"'{title}' overlaps '{other}'")
        taken.update(dict.fromkeys(cells, title))
        if panel["type"] == "row":
            want(not panel.get("collapsed") and panel.get("panels") == [], f"row '{title}': keep it open, its panels beside it")
            continue
        want(panel["type"] in ("timeseries", "stat", "table"), f"'{title}': panels of type {panel['type']} are not checked here")
        want(len(panel.get("description", "")) > 20, f"'{title}' has no description")
        want("unit" in panel["fieldConfig"]["defaults"], f"'{title}' has no unit")
        want(isinstance(panel["fieldConfig"].get("overrides"), list), f"'{title}' has no list of overrides")
        want(panel.get("targets"), f"'{title}' asks nothing")
        names = [target["refId"] for target in panel["targets"]]
        want(len(set(names)) == len(names), f"'{title}': refIds are not unique")
        for source in [panel, *panel["targets"]]:
            want(source.get("datasource") == {"type": "prometheus", "uid": "${datasource}"}, f"'{title}': not the chosen data source")
        for target in panel["targets"]:
            want(target.get("expr"), f"'{title}' {target['refId']}: no expr")
            want(target.get("instant") != target.get("range"), f"'{title}' {target['refId']}: either instant or range")
            if panel["type"] == "table":
                want(target.get("format") == "table" and target["instant"], f"'{title}' {target['refId']}: not an instant table")
            else:
                want(target.get("legendFormat"), f"'{title}' {target['refId']}: no legend")
    return problems


def check_provisioning():
    """That compose, Grafana's provisioning and Prometheus's configuration speak of the same places."""
    compose = (DEPLOY / "compose.yaml").read_text()
    source = (DEPLOY / "grafana/provisioning/datasources/prometheus.yaml").read_text()
    provider = (DEPLOY / "grafana/provisioning/dashboards/halfwave.yaml").read_text()
    scrape = (DEPLOY / "prometheus/prometheus.yml").read_text()
    folder = re.search(r"^ +path: (\S+)$", provider, re.M).group(1)
    for mount in (f"./grafana/dashboards:{folder}:ro", "./grafana/provisioning:/etc/grafana/provisioning:ro",
                  "./prometheus/prometheus.yml:/etc/prometheus/prometheus.yml:ro", f"HOME_DASHBOARD_PATH: {folder}/halfwave.json"):
        expect(mount in compose, f"deploy/compose.yaml does not say {mount}")
    for service, port in (("halfwave", 8000), ("prometheus", 9090)):
        expect(f"\n  {service}:\n" in compose and f":{port}:{port}\"" in compose, f"compose has no service {service} at port {port}")
    expect("url: http://prometheus:9090\n" in source, "the data source is not the service prometheus")
    expect('targets: ["halfwave:8000"]' in scrape, "Prometheus does not scrape the service halfwave")
    interval = re.search(r"scrape_interval: (\S+)", scrape).group(1)
    expect(f"timeInterval: {interval} " in source, f"the data source's timeInterval is not the scrape_interval, {interval}")
    for image in re.findall(r"image: (\S+/\S+)", compose):
        expect(re.search(r":v?\d+\.\d+\.\d+$", image), f"{image} is not pinned to a version")


def metric_names(expression):
    """Names of metrics in a query, outside of quotes."""
    return set(re.findall(r"\b(?:halfwave|process)_\w+", re.sub(r'"[^"]*"', '""', expression)))


def substitute(expression, model=".*", rate_interval=RATE_INTERVAL):
    """What Grafana does to a query before it sends it."""
    expression = expression.replace("$__rate_interval", rate_interval).replace("$model", model)
    left = re.findall(r"\$\{?[A-Za-z_]\w*", expression)  # $1 is label_replace's
    expect(not left, f"unknown variables {left} in {expression}")
    return expression


# --- what runs


class Program:
    """A child process with its output in a file, ended with the test."""

    def __init__(self, name, command, folder):
        self.name = name
        self.log = pathlib.Path(folder) / f"{name}.log"
        with self.log.open("w") as output:
            self.process = subprocess.Popen([str(part) for part in command], stdout=output, stderr=subprocess.STDOUT)

    def output(self):
        return self.log.read_text()

    def expect_alive(self):
        expect(self.process.poll() is None, f"{self.name} ended:\n{self.output()}")

    def stop(self):
        """Its exit code after SIGTERM."""
        if self.process.poll() is None:
            self.process.terminate()
        try:
            return self.process.wait(DEADLINE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            return f"none within {DEADLINE} s"


class Replica(Program):
    def __init__(self, name, binary, folder):
        super().__init__(name, [binary, "--grpc", "127.0.0.1:0", "--http", "127.0.0.1:0", "--activity-window", "200",
                                "--profile-from-first", "100"], folder)

        def ports():
            self.expect_alive()
            return re.search(r"grpc_port=(\d+) http_port=(\d+)", self.output())

        self.grpc, self.http = (f"127.0.0.1:{port}" for port in wait_until(f"{name} is ready", ports).groups())

    def metrics(self):
        return http_get(f"http://{self.http}/metrics")

    def values(self, metric):
        """Value of each series of the metric, by the text of its labels."""
        return {labels: float(value) for labels, value in re.findall(rf"^{metric}(\{{.*\}}) (\S+)$", self.metrics(), re.M)}


class Prometheus(Program):
    """At a port that was free a moment ago: it cannot choose one that it tells."""

    def __init__(self, binary, promtool, targets, folder):
        text = (DEPLOY / "prometheus/prometheus.yml").read_text()
        for pattern, replacement in ((r"scrape_interval: \S+", "scrape_interval: 1s"), (r"scrape_timeout: \S+", "scrape_timeout: 1s"),
                                     (r"targets: .*", f"targets: {json.dumps(targets)}")):
            text, count = re.subn(pattern, replacement, text)
            expect(count == 1, f"prometheus.yml: {count} times {pattern}, expected once")
        config = pathlib.Path(folder) / "prometheus.yml"
        config.write_text(text)
        run([promtool, "check", "config", config])
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.address = f"127.0.0.1:{probe.getsockname()[1]}"
        super().__init__("prometheus", [binary, f"--config.file={config}", f"--storage.tsdb.path={folder}/data", "--log.level=warn",
                                        f"--web.listen-address={self.address}"], folder)

    def is_ready(self):
        self.expect_alive()
        return http_get(f"http://{self.address}/-/ready")

    def ask(self, path, **parameters):
        try:
            answer = http_get(f"http://{self.address}/api/v1/{path}?{urllib.parse.urlencode(parameters)}")
        except urllib.error.HTTPError as error:
            raise Failure(f"{parameters.get('query', path)}\n  {json.load(error).get('error')}") from error
        return json.loads(answer)["data"]

    def instant(self, expression):
        return self.ask("query", query=expression)["result"]

    def range(self, expression, start):
        return self.ask("query_range", query=expression, start=start, end=time.time(), step=1)["result"]


def run(command, **options):
    done = subprocess.run([str(part) for part in command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          timeout=DEADLINE, check=False, **options)
    expect(done.returncode == 0, f"{' '.join(map(str, command))}: exit code {done.returncode}\n{done.stdout}")
    return done.stdout


class Load(threading.Thread):
    """Traffic until stopped: much of many digits for the first replica, a little of one digit for the second, and requests that fail."""

    def __init__(self, client, replicas):
        super().__init__(daemon=True)
        self.client, self.replicas = client, replicas
        self.stopping = threading.Event()
        self.error = None

    def run(self):
        try:
            while not self.stopping.wait(0.05):
                first, second = self.replicas
                digits = ["predict", ZOO / "digits_heldout.csv", "--scale", "0.0625"]
                run([self.client, *digits, "--server", first.grpc])
                run([self.client, "predict", ZOO / "pictures/digit_7.png", "--server", second.grpc])
                unknown = subprocess.run([self.client, *map(str, digits), "--model", "nosuchmodel", "--server", first.grpc],
                                         capture_output=True, timeout=DEADLINE, check=False)
                expect(unknown.returncode != 0, "a prediction by an unknown model succeeds")
        except Exception as error:  # pylint: disable=broad-except  # told by the main thread
            self.error = error

    def stop(self):
        self.stopping.set()
        self.join()
        if self.error:
            raise Failure(f"load: {self.error}")


# --- the test


def finite(values):
    return [value for value in values if math.isfinite(value)]


def values_of(series):
    pairs = series["values"] if "values" in series else [series["value"]]
    return finite([float(value) for _, value in pairs])


def check_labels(panel, target, result):
    """The legend, or the table's columns, name labels that are there."""
    where = f"'{panel['title']}' {target['refId']}"
    for series in result:
        for label in re.findall(r"\{\{\s*(\w+)\s*\}\}", target.get("legendFormat", "")):
            expect(label in series["metric"], f"{where}: the legend names {label}, the series has {sorted(series['metric'])}")
        if panel["type"] == "table":
            columns = next(t["options"]["renameByName"] for t in panel["transformations"] if t["id"] == "organize")
            value = "Value" if len(panel["targets"]) == 1 else f"Value #{target['refId']}"
            missing = {*series["metric"], value} - set(columns)
            expect(not missing, f"{where}: no names for the columns {sorted(missing)}")


def check_queries(dashboard, prometheus, start, load):
    """Each query of each panel gives at least one series with at least one number, under load. Returns rows for the table."""
    waiting = {(panel["id"], target["refId"]): (panel, target) for panel, target in queries(dashboard)}
    rows = {}

    def all_answer():
        if load.error:
            load.stop()
        for key, (panel, target) in list(waiting.items()):
            expression = substitute(target["expr"])
            result = prometheus.instant(expression) if target["instant"] else prometheus.range(expression, start)
            result = [series for series in result if values_of(series)]
            if result:
                check_labels(panel, target, result)
                rows[key] = (panel["title"], target["refId"], len(result))
                del waiting[key]
        return not waiting

    try:
        wait_until("every query of every panel answers", all_answer)
    except TooLate as late:
        empty = [f"  '{panel['title']}' {target['refId']}: {substitute(target['expr'])}" for panel, target in waiting.values()]
        raise Failure("\n".join([f"{late}; without a number are:", *empty])) from late
    return [rows[key] for key in sorted(rows)]


def query_of(dashboard, title, ref="A", **variables):
    return next(substitute(target["expr"], **variables) for panel, target in queries(dashboard) if (panel["title"], target["refId"]) == (title, ref))


def check_errors_are_zero_before_any(dashboard, prometheus):
    for ref in "AB":
        result = prometheus.instant(query_of(dashboard, "Errors, share of requests", ref))
        expect([values_of(series) for series in result] == [[0.0]], f"errors without traffic: {result}, expected 0")


def check_errors_are_seen(dashboard, prometheus, start):
    """Under load: a rate sees a new series only from its second scrape on."""

    def shares(ref):
        expression = query_of(dashboard, "Errors, share of requests", ref)
        return [value for series in prometheus.range(expression, start) for value in values_of(series)]

    wait_until("failing requests show as errors", lambda: max(shares("A")) > 0)
    expect(max(shares("A")) <= 1, f"the share of errors was {max(shares('A'))}")
    expect(max(shares("B")) == 0, f"an unknown model counts as the server's own error: {max(shares('B'))}")


def check_dead_units(dashboard, prometheus, replicas):
    """The panel shows the replica with the most."""
    layers = re.compile(r'layer="([^"]*)"')
    wanted = {}
    for replica in replicas:
        for labels, value in replica.values("halfwave_layer_dead_units").items():
            layer = layers.search(labels).group(1)
            wanted[layer] = max(wanted.get(layer, 0), value)
    expect(any(wanted.values()), f"no dead units in {wanted}: nothing is tested")

    def same():
        return {series["metric"]["layer"]: values_of(series)[0] for series in prometheus.instant(query_of(dashboard, "Dead and inactive units"))} == wanted

    wait_until(f"the dead units are {wanted}", same, 10)


def check_shares_are_of_sums(dashboard, prometheus, replicas, start):
    """Activity and sparsity over the whole run are sums over sums, not means of the replicas' shares."""
    means_differ = False
    for title, over, under in (("Activity", "halfwave_layer_active_units_total", None),
                               ("Sparsity", "halfwave_layer_zero_outputs_total", "halfwave_layer_outputs_total")):
        counted = []
        for replica in replicas:
            above = replica.values(over)
            if under:
                below = replica.values(under)
            else:
                units = replica.values("halfwave_layer_units")
                below = {labels: samples * units[labels] for labels, samples in replica.values("halfwave_layer_samples_total").items()}
            counted.append({labels: (above[labels], below[labels]) for labels in above})
        wanted = {}
        for labels in counted[0]:
            wanted[re.search(r'layer="([^"]*)"', labels).group(1)] = sum(c[labels][0] for c in counted) / sum(c[labels][1] for c in counted)
            mean = sum(c[labels][0] / c[labels][1] for c in counted) / len(counted)
            means_differ |= abs(mean / wanted[re.search(r'layer="([^"]*)"', labels).group(1)] - 1) > 0.05

        def close(title=title, wanted=wanted):
            window = f"{math.ceil(time.time() - start)}s"
            shown = {series["metric"]["layer"]: values_of(series)[0] for series in prometheus.instant(query_of(dashboard, title, rate_interval=window))}
            return shown.keys() == wanted.keys() and all(math.isclose(shown[layer], wanted[layer], rel_tol=0.01) for layer in wanted)

        wait_until(f"{title} over the run is {wanted}", close, 10)
    expect(means_differ, "the replicas' traffic is too alike: a mean of shares would pass")


def start_prometheus(arguments, targets, folder, started):
    for attempts_left in (2, 1, 0):
        started.append(Prometheus(arguments.prometheus, arguments.promtool, targets, folder))
        try:
            wait_until("Prometheus is ready", started[-1].is_ready)
            return started[-1]
        except Failure:
            if not attempts_left or "address already in use" not in started[-1].output():
                raise
    return None


def check_live(arguments, dashboard, folder):
    started = []
    try:
        replicas = []
        for name in ("first", "second"):
            replicas.append(Replica(name, arguments.server, folder))
            started.append(replicas[-1])
        start = time.time()
        prometheus = start_prometheus(arguments, [replica.http for replica in replicas], folder, started)
        wait_until("both replicas are scraped", lambda: len(prometheus.instant("halfwave_ready == 1")) == 2)
        check_errors_are_zero_before_any(dashboard, prometheus)

        load = Load(arguments.client, replicas)
        load.start()
        try:
            rows = check_queries(dashboard, prometheus, start, load)
            check_errors_are_seen(dashboard, prometheus, start)
        finally:
            load.stop()
        width = max(len(title) for title, _, _ in rows)
        print(f"{'panel':{width}}  query  series")
        for title, ref, count in rows:
            print(f"{title:{width}}  {ref:5}  {count:6}")

        check_dead_units(dashboard, prometheus, replicas)
        check_shares_are_of_sums(dashboard, prometheus, replicas, start)
        names = prometheus.ask("label/model/values", **{"match[]": "halfwave_model_info"})
        expect(names == ["digits"], f"the variable 'model' offers {names}")

        exposed = replicas[0].metrics()
        lint = run([arguments.promtool, "check", "metrics"], input=exposed)
        expect(not lint.strip(), f"promtool check metrics: {lint}")
        types = dict(re.findall(r"^# TYPE (\S+) (\S+)$", exposed, re.M))
        series = {name + suffix for name, kind in types.items() for suffix in (("_bucket", "_sum", "_count") if kind == "histogram" else ("",))}
        for panel, target in queries(dashboard):
            unknown = metric_names(target["expr"]) - series  # "or vector(0)" would hide a misspelt one
            expect(not unknown, f"'{panel['title']}' {target['refId']}: the server has no {sorted(unknown)}")
        for replica in replicas:
            code = replica.stop()
            expect(code == 0, f"{replica.name}: exit code {code} after SIGTERM\n{replica.output()}")
    finally:
        for program in started:
            program.stop()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    programs = pathlib.Path(os.environ.get("HALFWAVE_BIN", REPO / "build/release/bin"))
    parser.add_argument("--server", type=pathlib.Path, default=programs / "halfwave-server")
    parser.add_argument("--client", type=pathlib.Path, default=programs / "halfwave")
    parser.add_argument("--prometheus", default=shutil.which("prometheus"))
    parser.add_argument("--promtool", default=shutil.which("promtool"))
    arguments = parser.parse_args()
    dashboard = json.loads((DEPLOY / "grafana/dashboards/halfwave.json").read_text())
    try:
        problems = check_structure(dashboard)
        expect(not problems, "deploy/grafana/dashboards/halfwave.json:\n  " + "\n  ".join(problems))
        check_provisioning()
        if not arguments.prometheus or not arguments.promtool:
            print("SKIPPED: prometheus or promtool is not installed (Debian: apt-get install prometheus); only the files were checked")
            return SKIPPED
        run([arguments.promtool, "check", "config", DEPLOY / "prometheus/prometheus.yml"])
        with tempfile.TemporaryDirectory() as folder:
            check_live(arguments, dashboard, folder)
    except Failure as failure:
        print(f"FAILED: {failure}", file=sys.stderr)
        return 1
    print(f"ok: {len(queries(dashboard))} queries in {len([p for p in dashboard['panels'] if p['type'] != 'row'])} panels")
    return 0


if __name__ == "__main__":
    sys.exit(main())
