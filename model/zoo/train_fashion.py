"""Trains fashion_cnn on Fashion-MNIST's 60,000 training images and writes fashion_cnn.onnx.

    python3 train_fashion.py FOLDER

FOLDER holds Fashion-MNIST's four IDX files, gzipped as published by Zalando Research. Debian:
python3-torch python3-onnx python3-numpy. Takes some ten minutes on two cores.
"""
import json
import sys
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

import export
import idx

HERE = Path(__file__).resolve().parent
SEED = 2024
BATCH = 128
EPOCHS = 10
RATE = 2e-3
SCALE = "0.00392156863"
LABELS = ["T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"]
METADATA = {
    "labels": json.dumps(LABELS), "layout": "NCHW", "domain": json.dumps({export.INPUT: [0, 1]}),
    "input.width": "28", "input.height": "28", "input.channels": "1", "input.scale": SCALE, "input.mean": "0",
    "input.std": "1", "input.polarity": "light-on-dark", "input.fit": "pad",
}


def cnn():
    return nn.Sequential(export.layers(
        conv1=nn.Conv2d(1, 32, 3, padding=1), relu1=nn.ReLU(), pool1=nn.MaxPool2d(2),
        conv2=nn.Conv2d(32, 64, 3, padding=1), relu2=nn.ReLU(), pool2=nn.MaxPool2d(2),
        flatten=nn.Flatten(), fc1=nn.Linear(64 * 7 * 7, 128), relu3=nn.ReLU(), fc2=nn.Linear(128, 10)))


def tensors(images, labels):
    scaled = images.astype(np.float32) * np.float32(SCALE)
    return torch.from_numpy(scaled)[:, None], torch.from_numpy(labels)


def augment(image):
    """Each image mirrored or not, the whole batch shifted by at most a pixel."""
    mirrored = torch.rand(len(image), 1, 1, 1) < 0.5
    image = torch.where(mirrored, image.flip(3), image)
    y, x = torch.randint(0, 3, (2,)).tolist()
    return F.pad(image, (1, 1, 1, 1))[:, :, y:y + 28, x:x + 28]


def blobs():
    """Three made-up images for the self-test, so that the data set's own stay where they are."""
    coarse = torch.rand(3, 1, 5, 5, generator=torch.Generator().manual_seed(SEED))
    return (F.interpolate(coarse, size=28, mode="bilinear", align_corners=True) * 256).round() / 256


def train(model, images, labels):
    optimizer = torch.optim.AdamW(model.parameters(), lr=RATE, weight_decay=0.05)
    steps = len(labels) // BATCH
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, epochs=EPOCHS, steps_per_epoch=steps)
    for epoch in range(EPOCHS):
        order = torch.randperm(len(labels))[:steps * BATCH].view(steps, BATCH)
        total = 0.0
        for rows in order:
            optimizer.zero_grad()
            loss = F.cross_entropy(model(augment(images[rows])), labels[rows])
            loss.backward()
            optimizer.step()
            schedule.step()
            total += loss.item()
        print(f"epoch {epoch + 1} of {EPOCHS}: loss {total / steps:.4f}", flush=True)
    return model.eval()


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    torch.manual_seed(SEED)
    torch.set_num_threads(2)
    images, labels = tensors(*idx.read(sys.argv[1], "train"))
    model = train(cnn(), images, labels)
    images, labels = tensors(*idx.read(sys.argv[1], "t10k"))
    export.describe("fashion_cnn", model, images, labels)
    export.write(HERE / "fashion_cnn.onnx", model, "probabilities", blobs(), METADATA)


if __name__ == "__main__":
    main()
