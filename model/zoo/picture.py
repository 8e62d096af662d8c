"""From an arbitrary picture to the 8x8 pixels that the digits models take.

This is the reference for what `halfwave.input.fit` = "ink" and `halfwave.input.polarity` = "light-on-dark" mean:

1. transparency is laid over white, colour becomes grey (ITU-R 601 luma);
2. the background is the median of the picture's border; if it is light, the picture is inverted;
3. contrast is stretched: background to 0, the brightest pixel to 255;
4. the ink is every pixel above INK; its bounding box is widened, about its centre, to a square;
5. the square is averaged by area down to 8x8; what lies outside the picture counts as background.

A picture that has exactly the model's size is used as it is. The client does the same, and a little more for pictures
that are not made with care: it finds the polarity from the picture's own range instead of 127.5, and takes out light that
falls off evenly before step 3. Debian: python3-numpy python3-pil.
"""
import numpy as np
from PIL import Image

INK = 64


def grey_light_on_dark(image):
    """PIL image -> float array (H, W), background 0, ink up to 255."""
    rgba = image.convert("RGBA")
    paper = Image.new("RGBA", rgba.size, "white")
    grey = np.asarray(Image.alpha_composite(paper, rgba).convert("L"), dtype=np.float64)
    border = np.concatenate([grey[0], grey[-1], grey[1:-1, 0], grey[1:-1, -1]])
    background = np.median(border)
    if background > 127.5:
        grey, background = 255.0 - grey, 255.0 - background
    ink = grey.max() - background
    return np.clip((grey - background) * (255.0 / ink), 0.0, 255.0) if ink > 0 else np.zeros_like(grey)


def _overlap(start, step, cells, length):
    """Matrix (cells, length): the share of cell i = [start + i*step, start + (i+1)*step) that pixel j covers."""
    low = start + step * np.arange(cells)[:, None]
    pixel = np.arange(length)[None, :]
    return np.clip(np.minimum(low + step, pixel + 1) - np.maximum(low, pixel), 0.0, None) / step


def fit_ink(grey, size=8):
    """Light-on-dark array (H, W), 0..255 -> (size, size): the ink's bounding box, aspect kept, centred."""
    rows, columns = np.nonzero((grey > INK).any(axis=1))[0], np.nonzero((grey > INK).any(axis=0))[0]
    if rows.size == 0:
        return np.zeros((size, size))
    top, bottom, left, right = rows[0], rows[-1] + 1, columns[0], columns[-1] + 1
    side = max(bottom - top, right - left)
    y, x = (top + bottom - side) / 2, (left + right - side) / 2
    return _overlap(y, side / size, size, grey.shape[0]) @ grey @ _overlap(x, side / size, size, grey.shape[1]).T


def to_pixels(image, size=8):
    """PIL image -> (size, size) pixels 0..255, as a digits model's client sends them (before the scale)."""
    if image.size == (size, size):
        return np.asarray(image.convert("L"), dtype=np.float64)
    return fit_ink(grey_light_on_dark(image), size)
