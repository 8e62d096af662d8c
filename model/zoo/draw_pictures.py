"""Draws the pictures under pictures/: digits as a person would draw or photograph them, and held-back rows enlarged.

Called by train_digits.py, which checks that the models read them rightly. Debian: python3-pil python3-numpy.
"""
import math

import numpy as np
from PIL import Image, ImageDraw, ImageFilter


def enlarged(row):
    """64 pixels 0..16 -> 128x128 grey, nearest neighbour."""
    pixels = np.rint(np.asarray(row).reshape(8, 8) * (255 / 16)).astype(np.uint8)
    return Image.fromarray(pixels).resize((128, 128), Image.Resampling.NEAREST)


def strip(pictures):
    """Pictures of the same size side by side at half of it, for the project's README."""
    width, height = (length // 2 for length in pictures[0].size)
    row = Image.new("L", (len(pictures) * (width + 8) - 8, height), 255)
    for i, one in enumerate(pictures):
        row.paste(one.resize((width, height), Image.Resampling.NEAREST), (i * (width + 8), 0))
    return row


def _stroke(image, points, ink, width):
    """A line with round ends and joints."""
    draw = ImageDraw.Draw(image)
    draw.line(points, fill=ink, width=width, joint="curve")
    for x, y in points:
        draw.ellipse((x - width / 2, y - width / 2, x + width / 2, y + width / 2), fill=ink)


def _arc(x, y, rx, ry, start, end, steps=40):
    """Points on an ellipse, angles in degrees, clockwise from the right as the y axis points down."""
    angles = [math.radians(start + (end - start) * i / steps) for i in range(steps + 1)]
    return [(x + rx * math.cos(a), y + ry * math.sin(a)) for a in angles]


def seven():
    """Dark blue pen on a transparent sheet, upright format."""
    image = Image.new("RGBA", (360, 480), (255, 255, 255, 0))
    _stroke(image, [(80, 92), (180, 84), (282, 90), (226, 220), (176, 400)], (24, 28, 84, 255), 34)
    _stroke(image, [(136, 246), (264, 232)], (24, 28, 84, 255), 30)
    return image.resize((180, 240), Image.Resampling.LANCZOS)


def three():
    """Brown ink on paper that is lit from one corner, with the grain of a camera."""
    width, height = 320, 260
    y, x = np.mgrid[0:height, 0:width]
    light = 236 - 44 * (x / width) - 22 * (y / height)
    grain = np.random.default_rng(3).normal(0, 3, (height, width, 3))
    paper = light[:, :, None] * np.array([1.0, 0.97, 0.9]) + grain
    mask = Image.new("L", (2 * width, 2 * height))
    _stroke(mask, _arc(310, 170, 88, 82, -160, 80), 255, 36)
    _stroke(mask, _arc(310, 345, 106, 96, -85, 155), 255, 38)
    mask = mask.resize((width, height), Image.Resampling.LANCZOS).filter(ImageFilter.GaussianBlur(1.2))
    cover = np.asarray(mask, dtype=np.float64)[:, :, None] / 255
    ink = np.array([58.0, 40.0, 34.0]) + 0.1 * grain
    photo = Image.fromarray(np.clip(paper * (1 - cover) + ink * cover, 0, 255).astype(np.uint8))
    return photo.resize((160, 130), Image.Resampling.BOX)


def five():
    """White chalk on a dark board, landscape format, grey."""
    image = Image.new("L", (600, 400), 38)
    _stroke(image, [(372, 66), (252, 70), (240, 180)], 226, 32)
    _stroke(image, [(240, 180)] + _arc(286, 244, 84, 82, -115, 140), 226, 32)
    return image.resize((300, 200), Image.Resampling.LANCZOS)


DRAWN = {
    "seven_dark_on_light_rgba.png": (7, seven),
    "three_photo.ppm": (3, three),
    "five_chalk_grey.png": (5, five),
}
