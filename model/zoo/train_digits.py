"""Trains digits_cnn and digits_mlp on the UCI digits that scikit-learn carries, and writes every file of theirs.

    python3 train_digits.py [--mnist FOLDER]

Debian: python3-torch python3-sklearn python3-onnx python3-numpy python3-pil. Takes some three minutes. With
--mnist (a folder with MNIST's two t10k IDX files) it also reports how the models do on MNIST's test images, each put
through picture.py as a user's drawing would be; MNIST is never trained on.
"""
import argparse
import json
import math
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn
from torch.nn import functional as F

import draw_pictures
import export
import idx
import picture

HERE = Path(__file__).resolve().parent
SEED = 2024
BATCH = 128
EPOCHS = 800
PLAIN = 0.25  # the share of every batch that is not augmented
SCALE = "0.00392156863"  # 1/255; the file's own 16 stands for 255
METADATA = {
    "labels": json.dumps([str(digit) for digit in range(10)]), "domain": json.dumps({export.INPUT: [0, 1]}),
    "input.width": "8", "input.height": "8", "input.channels": "1", "input.scale": SCALE, "input.mean": "0",
    "input.std": "1", "input.polarity": "light-on-dark", "input.fit": "ink",
}


def cnn():
    return nn.Sequential(export.layers(
        conv1=nn.Conv2d(1, 24, 3, padding=1), relu1=nn.ReLU(), pool1=nn.MaxPool2d(2),
        conv2=nn.Conv2d(24, 48, 3, padding=1), relu2=nn.ReLU(), pool2=nn.MaxPool2d(2),
        flatten=nn.Flatten(), fc1=nn.Linear(48 * 2 * 2, 64), relu3=nn.ReLU(), fc2=nn.Linear(64, 10)))


def mlp():
    return nn.Sequential(export.layers(
        fc1=nn.Linear(64, 64), relu1=nn.ReLU(), fc2=nn.Linear(64, 64), relu2=nn.ReLU(), fc3=nn.Linear(64, 10)))


def split():
    """1437 rows to train on, 360 held back; pixels in the file's own units, 0..16."""
    digits = load_digits()
    return train_test_split(digits.data, digits.target, test_size=360, stratify=digits.target, random_state=0)


def uniform(n, low, high):
    return torch.empty(n, 1, 1, 1).uniform_(low, high)


def resample(image, matrix, offset, warp=0.0):
    grid = F.affine_grid(torch.cat([matrix, offset[:, :, None]], dim=2), image.shape, align_corners=False)
    return F.grid_sample(image, grid + warp, align_corners=False)


def fit_ink(image, threshold):
    """picture.fit_ink for a batch on a fine grid: the ink's bounding box becomes the whole (square) picture."""
    n, size = image.shape[0], image.shape[2]
    centres = (torch.arange(size) + 0.5) * 2 / size - 1

    def extent(lines):
        low = torch.where(lines, centres, torch.tensor(2.0)).amin(1) - 1 / size
        high = torch.where(lines, centres, torch.tensor(-2.0)).amax(1) + 1 / size
        return (low + high) / 2, (high - low) / 2

    ink = image[:, 0] > threshold
    x, half_width = extent(ink.any(1))
    y, half_height = extent(ink.any(2))
    half = torch.maximum(half_width, half_height).clamp(min=0.1)
    return resample(image, torch.eye(2) * half[:, None, None], torch.stack([x, y], 1))


def augment(image):
    """What users draw: other pens, other hands, other framing. (n, 1, 8, 8) in 0..1 -> the same."""
    n = image.shape[0]
    fine = F.interpolate(image, scale_factor=4, mode="bicubic", align_corners=False).clamp(0, 1)
    # The pen: a soft threshold on the smooth picture thins (high) or thickens (low) the stroke.
    pen = torch.sigmoid(uniform(n, 6, 25) * (fine - uniform(n, 0.25, 0.8)))
    fine = torch.where(uniform(n, 0, 1) < 0.75, pen, fine)
    # The hand: rotation, shear, scale with its own aspect, shift, and a smooth warp.
    angle, shear = uniform(n, -math.radians(18), math.radians(18)).flatten(), uniform(n, -0.35, 0.35).flatten()
    scale, aspect = uniform(n, 0.7, 1.15).flatten(), uniform(n, -0.1, 0.5).flatten().exp()
    cos, sin = angle.cos(), angle.sin()
    turn = torch.stack([torch.stack([cos, -sin], 1), torch.stack([sin, cos], 1)], 1)
    skew = torch.stack([torch.stack([torch.ones(n), shear], 1), torch.stack([torch.zeros(n), torch.ones(n)], 1)], 1)
    size = torch.diag_embed(torch.stack([1 / (scale * aspect), aspect / scale], 1))
    warp = F.interpolate(torch.randn(n, 2, 4, 4) * 0.1, size=32, mode="bicubic", align_corners=True)
    framed = uniform(n, 0, 1) < 0.8
    # Pictures that are framed anew are first made smaller, so that no ink is lost at the border.
    zoom = torch.where(framed.flatten(), 1.5 * scale, torch.ones(n))[:, None, None]
    shift = torch.where(framed.flatten()[:, None], torch.zeros(n, 2), torch.empty(n, 2).uniform_(-0.25, 0.25))
    fine = resample(fine, turn @ skew @ size * zoom, shift, warp.permute(0, 2, 3, 1))
    fine = torch.where(framed, fit_ink(fine, 0.25), fine)
    coarse = F.avg_pool2d(fine, 4)
    # The picture: contrast, a background that is not quite dark, blur, noise.
    blurred = F.avg_pool2d(F.pad(coarse, (1, 1, 1, 1)), 3, stride=1)
    coarse = torch.lerp(coarse, blurred, uniform(n, 0, 0.5) * (uniform(n, 0, 1) < 0.3))
    coarse = coarse * uniform(n, 0.6, 1.3) + uniform(n, 0, 0.08) * (uniform(n, 0, 1) < 0.3)
    return (coarse + torch.randn_like(coarse) * uniform(n, 0, 0.06)).clamp(0, 1)


def rows_of(model, pixels):
    """Pixels (n, 64) in 0..1 -> what the model takes."""
    rows = torch.as_tensor(pixels, dtype=torch.float32)
    return rows if isinstance(model[0], nn.Linear) else rows.view(-1, 1, 8, 8)


def train(model, pixels, labels):
    """pixels (n, 64) in 0..1; keeps the model of the last step, whatever its accuracy."""
    rate, steps = 3e-3, len(labels) // BATCH
    optimizer = torch.optim.AdamW(model.parameters(), lr=rate, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, epochs=EPOCHS, steps_per_epoch=steps, pct_start=0.1)
    images, labels = torch.as_tensor(pixels, dtype=torch.float32).view(-1, 1, 8, 8), torch.as_tensor(labels)
    plain = int(BATCH * PLAIN)
    for _ in range(EPOCHS):
        for rows in torch.randperm(len(labels))[:steps * BATCH].view(steps, BATCH):
            image = torch.cat([images[rows[:plain]], augment(images[rows[plain:]])])
            optimizer.zero_grad()
            F.cross_entropy(model(rows_of(model, image.flatten(1))), labels[rows], label_smoothing=0.02).backward()
            optimizer.step()
            schedule.step()
    return model.eval()


def write_models(name, model, layout, held, labels):
    inputs = rows_of(model, held / 16)
    export.describe(name, model, inputs, labels)
    metadata = METADATA | {"layout": layout}
    export.write(HERE / f"{name}.onnx", model, "probabilities", inputs[:3], metadata)
    export.write(HERE / f"{name}_logits.onnx", model, "logits", inputs[:3], metadata)
    np.savetxt(HERE / f"{name}_logits.csv", export.exact(model, inputs), fmt="%.9g", delimiter=",", comments="",
               header=",".join(f"l{i}" for i in range(10)))


def read_picture(model, image):
    """The digit that the model sees in a PIL image, and its probability."""
    pixels = picture.to_pixels(image).reshape(1, 64) * float(SCALE)
    return torch.softmax(torch.from_numpy(export.exact(model, rows_of(model, pixels)))[0], 0).max(0)


def write_pictures(models, held, labels):
    """The drawn ones, and per digit the held-back row that both models are surest of."""
    folder = HERE / "pictures"
    folder.mkdir(exist_ok=True)
    pictures = {name: (digit, draw()) for name, (digit, draw) in draw_pictures.DRAWN.items()}
    sure = np.min([torch.softmax(torch.from_numpy(export.exact(model, rows_of(model, held / 16))), 1).numpy()
                   for model in models.values()], axis=0)
    for digit in range(10):
        clearest = np.where(labels == digit, sure[:, digit], 0).argmax()
        pictures[f"digit_{digit}.png"] = digit, draw_pictures.enlarged(held[clearest])
    draw_pictures.strip([pictures[f"digit_{digit}.png"][1] for digit in range(10)]).save(folder / "digits.png")
    for name, (digit, image) in sorted(pictures.items()):
        image.save(folder / name)
        with Image.open(folder / name) as saved:
            seen = {title: read_picture(model, saved) for title, model in models.items()}
        print(f"  {name}:", ", ".join(f"{title} {s.indices} ({s.values:.3f})" for title, s in seen.items()))
        if seen["digits_cnn"].indices != digit:
            raise SystemExit(f"{name} should read {digit}")


def report_mnist(folder, models):
    images, labels = idx.read(folder, "t10k")
    pixels = np.stack([picture.fit_ink(image.astype(np.float64)) for image in images]).reshape(-1, 64) * float(SCALE)
    for name, model in models.items():
        right = int((export.exact(model, rows_of(model, pixels)).argmax(1) == labels).sum())
        print(f"MNIST's test images, fitted to 8x8, {name}: {right} of {len(labels)} right")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mnist", metavar="FOLDER")
    options = parser.parse_args()
    torch.set_num_threads(1)  # the kernels are too small for more
    pixels, held, labels, held_labels = split()
    np.savetxt(HERE / "digits_heldout.csv", np.column_stack([held_labels, held]), fmt="%d", delimiter=",", comments="",
               header="label," + ",".join(f"p{i}" for i in range(64)))
    models = {}
    for name, layout, build in (("digits_cnn", "NCHW", cnn), ("digits_mlp", "flat", mlp)):
        torch.manual_seed(SEED)
        models[name] = train(build(), pixels / 16, labels)
        write_models(name, models[name], layout, held, held_labels)
    write_pictures(models, held, held_labels)
    if options.mnist:
        report_mnist(options.mnist, models)


if __name__ == "__main__":
    main()
