"""Draws runs.csv as runs.png: accuracy and silent units of every run. Debian: python3-matplotlib."""
import csv
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot as plt  # noqa: E402

HERE = Path(__file__).resolve().parent
NAMES = {"relu": "ReLU", "leaky_relu": "LeakyReLU", "prelu": "PReLU", "elu": "ELU", "selu": "SELU"}
COLOURS = {"learned": "#1b7f4b", "collapsed": "#c8452d"}


def main():
    with open(HERE / "runs.csv") as file:
        runs = list(csv.DictReader(file))
    layers = [name for name in runs[0] if name.startswith("silent") and name[-1].isdigit()]
    figure, (accuracy, silent) = plt.subplots(1, 2, figsize=(9, 3.6))
    for run in runs:
        x = list(NAMES).index(run["activation"]) + (int(run["seed"]) - 2) * 0.14
        if run["outcome"] == "diverged":
            for axes in (accuracy, silent):
                axes.plot(x, 0, "x", color="#555555", markersize=7, clip_on=False)
            continue
        style = {"color": COLOURS[run["outcome"]], "markersize": 6, "linestyle": "none", "marker": "o"}
        accuracy.plot(x, 100 * int(run["right"]) / int(run["of"]), **style)
        silent.plot(x, sum(int(run[layer]) for layer in layers), **style)
    for axes in (accuracy, silent):
        axes.set_xticks(range(len(NAMES)), NAMES.values())
        axes.grid(axis="y", color="#dddddd")
        axes.set_axisbelow(True)
        axes.spines[["top", "right"]].set_visible(False)
    accuracy.set_title("Held-back digits named rightly, %", loc="left", fontsize=10)
    accuracy.set_ylim(0, 100)
    silent.set_title(f"Units never active on them, of {64 * len(layers)}", loc="left", fontsize=10)
    silent.set_ylim(0, 64 * len(layers))
    marks = [plt.Line2D([], [], linestyle="none", marker=marker, color=colour, label=label) for marker, colour, label in
             (("o", COLOURS["learned"], "learned"), ("o", COLOURS["collapsed"], "answers one class only"),
              ("x", "#555555", "diverged: no finite weights"))]
    figure.legend(handles=marks, loc="lower center", ncol=3, frameon=False, fontsize=9)
    figure.tight_layout(rect=(0, 0.08, 1, 1))
    figure.savefig(HERE / "runs.png", dpi=90)


if __name__ == "__main__":
    main()
