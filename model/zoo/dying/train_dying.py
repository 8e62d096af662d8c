"""Dying ReLUs, made real: one architecture, one data set and one bad recipe, trained with five activations.

    python3 train_dying.py
    python3 train_dying.py --wide 512 4 FILE     # ReLU alone, the first seed: so many hidden units and layers

Writes runs.csv (each activation from five seeds, whatever came of it; a run whose weights are not finite has no
counts), one network of each kind (the first seed whose weights are finite; of ReLU also the first that answers one
class only), and the twins: the same architecture with sigmoid and with tanh under an ordinary recipe. Debian:
python3-torch python3-sklearn python3-onnx python3-numpy python3-pil. Takes half a minute.
"""
import argparse
import csv
import sys
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional as F

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
import export  # noqa: E402
from train_digits import METADATA, split  # noqa: E402

WIDTH, HIDDEN = 64, 4
SEEDS = range(5)
BATCH, EPOCHS, MOMENTUM = 32, 20, 0.9
BAD_RATE, BAD_BIAS = 0.05, -0.4
ORDINARY_RATE = 0.01
ACTIVATIONS = {"relu": nn.ReLU, "leaky_relu": nn.LeakyReLU, "prelu": nn.PReLU, "elu": nn.ELU, "selu": nn.SELU}
TWINS = {"sigmoid": nn.Sigmoid, "tanh": nn.Tanh}


def perceptron(activation, width=WIDTH, hidden=HIDDEN):
    sizes, named = [64] + [width] * hidden, {}
    for i in range(hidden):
        named[f"fc{i + 1}"] = nn.Linear(sizes[i], sizes[i + 1])
        named[f"act{i + 1}"] = activation()
    return nn.Sequential(export.layers(**named, **{f"fc{hidden + 1}": nn.Linear(width, 10)}))


def linears(model):
    return [module for module in model if isinstance(module, nn.Linear)]


def start_badly(model):
    """He's weights, as one should, and biases that push every unit down, as one should not."""
    for layer in linears(model):
        nn.init.kaiming_normal_(layer.weight)
        nn.init.constant_(layer.bias, BAD_BIAS)


def train(model, rows, labels, rate):
    """Keeps the model of the last step, whatever it is."""
    optimizer = torch.optim.SGD(model.parameters(), lr=rate, momentum=MOMENTUM)
    for _ in range(EPOCHS):
        for batch in torch.randperm(len(labels)).split(BATCH):
            optimizer.zero_grad()
            F.cross_entropy(model(rows[batch]), labels[batch]).backward()
            optimizer.step()
    return model.eval()


def silent_units(model, rows):
    """Per hidden layer: units whose pre-activation is above zero on none of the rows."""
    counts = []
    with torch.no_grad():
        for module in model:
            if not isinstance(module, nn.Linear):
                counts.append(int((~(rows > 0).any(0)).sum()))
            rows = module(rows)
    return counts


def gradients(model, rows, labels):
    """The norm of the loss's gradient by the weights of each layer, as a share of the last layer's."""
    model.zero_grad()
    F.cross_entropy(model(rows), labels).backward()
    norms = [float(layer.weight.grad.norm()) for layer in linears(model)]
    return ", ".join(f"{norm / norms[-1]:.2g}" for norm in norms)


def start_and_train(activation, seed, rows, labels, held, **sizes):
    """The model of the last step, and how many units the held-back rows left silent before the first."""
    torch.manual_seed(seed)
    model = perceptron(activation, **sizes)
    start_badly(model)
    before = sum(silent_units(model, held))
    return train(model, rows, labels, BAD_RATE), before


def write_wide(width, hidden, path, rows, labels, held, held_labels):
    model, _ = start_and_train(nn.ReLU, SEEDS[0], rows, labels, held, width=width, hidden=hidden)
    export.describe(path.stem, model, held, held_labels)
    export.write(path, model, "probabilities", held[:3], METADATA | {"layout": "flat"})


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--wide", nargs=3, metavar=("WIDTH", "HIDDEN", "FILE"))
    options = parser.parse_args()
    torch.set_num_threads(1)  # the network is too small for more
    pixels, held, labels, held_labels = split()
    rows, held = (torch.as_tensor(values / 16, dtype=torch.float32) for values in (pixels, held))
    labels, held_labels = torch.as_tensor(labels), torch.as_tensor(held_labels)
    if options.wide:
        width, hidden, path = options.wide
        return write_wide(int(width), int(hidden), Path(path), rows, labels, held, held_labels)
    metadata = METADATA | {"layout": "flat"}
    with open(HERE / "runs.csv", "w", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(["activation", "seed", "outcome", "right", "of", "classes_answered",
                        "silent_before", *(f"silent{i + 1}" for i in range(HIDDEN))])
        for name, activation in ACTIVATIONS.items():
            written = set()
            for seed in SEEDS:
                model, before = start_and_train(activation, seed, rows, labels, held)
                if not all(bool(torch.isfinite(values).all()) for values in model.parameters()):
                    table.writerow([name, seed, "diverged"] + [""] * 3 + [before] + [""] * HIDDEN)
                    print(f"{name}, seed {seed}: diverged, its weights are not finite")
                    continue
                with torch.no_grad():
                    answers = model(held).argmax(1)
                right, classes = int((answers == held_labels).sum()), len(answers.unique())
                silent = silent_units(model, held)
                outcome = "collapsed" if classes == 1 else "learned"
                table.writerow([name, seed, outcome, right, len(held), classes, before, *silent])
                print(f"{name}, seed {seed}: {outcome}, {right} of {len(held)} right, silent {before} before, "
                      f"{silent} after")
                file_name = f"{name}_collapsed" if name == "relu" and classes == 1 else name
                if file_name not in written:
                    written.add(file_name)
                    export.write(HERE / f"{file_name}.onnx", model, "probabilities", held[:3], metadata)
    for name, activation in TWINS.items():
        torch.manual_seed(SEEDS[0])
        model = perceptron(activation)
        print(f"{name}: gradient by layer before training {gradients(model, rows, labels)}")
        train(model, rows, labels, ORDINARY_RATE)
        print(f"  after {gradients(model, rows, labels)}")
        with torch.no_grad():
            print(f"  {int((model(held).argmax(1) == held_labels).sum())} of {len(held)} right")
        export.write(HERE / f"{name}.onnx", model, "probabilities", held[:3], metadata)


if __name__ == "__main__":
    main()
