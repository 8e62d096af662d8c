"""Reads the gzipped IDX files that MNIST and Fashion-MNIST come in. Needs python3-numpy; nothing to run here."""
import gzip

import numpy as np


def read(folder, part):
    """("train" or "t10k") -> images (n, 28, 28) of uint8, labels (n,) of int64."""
    with gzip.open(f"{folder}/{part}-images-idx3-ubyte.gz") as file:
        images = np.frombuffer(file.read(), np.uint8, offset=16).reshape(-1, 28, 28)
    with gzip.open(f"{folder}/{part}-labels-idx1-ubyte.gz") as file:
        labels = np.frombuffer(file.read(), np.uint8, offset=8).astype(np.int64)
    return images, labels
