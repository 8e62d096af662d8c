"""Trains the two Fashion-MNIST perceptrons of the scored set and writes them as ONNX, with the test images they are fed.

    python3 train_fashion.py DATA FOLDER

DATA holds Fashion-MNIST's four IDX files, gzipped as published by Zalando Research. FOLDER gets
fashion_512.onnx, fashion_2048.onnx and fashion_rows.f32 (1,024 test images, 784 floats each). Adam 1e-3, 10 epochs,
batches of 128, no regularisation, seed 1. Debian: python3-torch python3-numpy. Some minutes on two cores.
"""
import sys
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "model" / "zoo"))
import idx  # noqa: E402

SEED, EPOCHS, BATCH, RATE, ROWS = 1, 10, 128, 1e-3, 1024


def read(folder, part):
    images, labels = idx.read(folder, part)
    scaled = images.reshape(-1, 784).astype(np.float32) / np.float32(255)
    return torch.from_numpy(scaled), torch.from_numpy(labels)


def train(hidden, images, labels):
    torch.manual_seed(SEED)
    model = nn.Sequential(nn.Linear(784, hidden), nn.ReLU(), nn.Linear(hidden, hidden), nn.ReLU(),
                          nn.Linear(hidden, 10))
    optimizer = torch.optim.Adam(model.parameters(), lr=RATE)
    for epoch in range(EPOCHS):
        total = 0.0
        for rows in torch.randperm(len(labels)).split(BATCH):
            optimizer.zero_grad()
            loss = F.cross_entropy(model(images[rows]), labels[rows])
            loss.backward()
            optimizer.step()
            total += loss.item() * len(rows)
        print(f"784-{hidden}-{hidden}-10: epoch {epoch + 1} of {EPOCHS}, loss {total / len(labels):.4f}", flush=True)
    return model.eval()


def describe(hidden, model, images, labels):
    """Accuracy, and the share of inputs and units above zero: what there is to skip."""
    with torch.no_grad():
        first = model[1](model[0](images))
        second = model[3](model[2](first))
        right = (model[4](second).argmax(1) == labels).float().mean().item()
    shares = [f"{100 * (x > 0).float().mean().item():.1f} %" for x in (images, first, second)]
    return (f"784-{hidden}-{hidden}-10: accuracy {100 * right:.2f} %; above zero: inputs {shares[0]}, "
            f"first layer {shares[1]}, second {shares[2]}")


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    data, folder = sys.argv[1], Path(sys.argv[2])
    images, labels = read(data, "train")
    test_images, test_labels = read(data, "t10k")
    lines = []
    for hidden in (512, 2048):
        model = train(hidden, images, labels)
        lines.append(describe(hidden, model, test_images, test_labels))
        print(lines[-1], flush=True)
        torch.onnx.export(model, test_images[:1], str(folder / f"fashion_{hidden}.onnx"), opset_version=13,
                          input_names=["x"], output_names=["y"], dynamic_axes={"x": {0: "n"}, "y": {0: "n"}})
    (folder / "fashion_rows.f32").write_bytes(test_images[:ROWS].numpy().tobytes())
    (folder / "fashion.txt").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
