"""The pictures of the site: the figures of all examples, small, and a sheet with all.

    python docs/figures.py [NAME ...]

Every script of ``examples/`` is run. Its figure becomes ``docs/images/NAME.webp``, what
``docs/moving.py`` makes of its run ``docs/images/NAME-moving.webp``. To look at are
``runs/figures.webp``, every figure at the size at which the site shows it, and
``runs/moving.webp``, the middle of whatever moves.
"""

import contextlib
import io
import runpy
import sys
import tempfile
from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt
from moving import MOVING
from PIL import Image


ROOT = Path(__file__).resolve().parents[1]
IMAGES = ROOT / "docs" / "images"
LARGEST, LARGEST_MOVING = 80_000, 300_000
WIDTH = 720  # of a picture in the text of a page


def small(picture, path):
    """Save a picture as a small WebP, without loss where that is small enough."""
    picture = picture.convert("RGB")
    if picture.width > 2 * WIDTH:
        picture = picture.resize(
            (2 * WIDTH, picture.height * 2 * WIDTH // picture.width)
        )
    picture.save(path, lossless=True, quality=100, method=6)
    quality = 90
    while path.stat().st_size > LARGEST:
        picture.save(path, quality=quality, method=6)
        quality -= 10
    print(f"{path.relative_to(ROOT)}: {path.stat().st_size / 1000:.0f} kB")


def moving(figures, path):
    """Save a sequence of matplotlib figures as a WebP that moves, small enough."""
    frames = []
    for figure in figures:
        buffer = io.BytesIO()
        figure.savefig(buffer, dpi=100)
        plt.close(figure)
        frames.append(Image.open(buffer).convert("RGB"))
    times = [80] * (len(frames) - 1) + [1500]
    options = {"save_all": True, "duration": times, "loop": 0, "method": 6}
    for quality in (70, 50, 30, 15):
        frames[0].save(path, append_images=frames[1:], quality=quality, **options)
        if path.stat().st_size < LARGEST_MOVING:
            break
    print(f"{path.relative_to(ROOT)}: {path.stat().st_size / 1000:.0f} kB")


def sheet(paths, path, columns=3):
    """All pictures, each as wide as the site shows it, in columns."""
    shown = [middle(Image.open(p)).convert("RGB") for p in paths]
    shown = [p.resize((WIDTH, p.height * WIDTH // p.width)) for p in shown]
    rows = [shown[k : k + columns] for k in range(0, len(shown), columns)]
    heights = [max(p.height for p in row) + 20 for row in rows]
    whole = Image.new("RGB", (columns * (WIDTH + 20), sum(heights)), "white")
    for k, row in enumerate(rows):
        for j, picture in enumerate(row):
            whole.paste(picture, (j * (WIDTH + 20), sum(heights[:k])))
    whole.save(path, quality=80)


def middle(picture):
    """A picture, or the frame in the middle of what moves."""
    picture.seek(getattr(picture, "n_frames", 1) // 2)
    return picture


def card(picture, path):
    """What other sites show beside a link to this one: 1200 by 630 pixels."""
    figure = plt.figure(figsize=(6, 3.15), dpi=200)
    figure.text(0.06, 0.74, "wflow", size=30, weight="bold", color="#4051b5")
    figure.text(0.06, 0.6, "Populations that move, in JAX", size=15)
    axes = figure.add_axes((0.03, 0.06, 0.94, 0.48))
    axes.imshow(Image.open(picture).convert("RGB"))
    axes.axis("off")
    buffer = io.BytesIO()
    figure.savefig(buffer)
    plt.close(figure)
    Image.open(buffer).convert("RGB").quantize(64).save(path, optimize=True)
    print(f"{path.relative_to(ROOT)}: {path.stat().st_size / 1000:.0f} kB")


def main(names):
    """Draw the examples that are named, or all; then the sheets."""
    mpl.use("Agg")
    scripts = sorted([*ROOT.glob("examples/*.py"), *ROOT.glob("examples/*/*.py")])
    for script in scripts:
        name = script.stem
        if names and name not in names:
            continue
        with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
            made = runpy.run_path(str(script))
            plt.close("all")
            small(Image.open(f"{name}.png"), IMAGES / f"{name}.webp")
        if name in MOVING:
            moving(MOVING[name](made), IMAGES / f"{name}-moving.webp")
    card(IMAGES / "plane.webp", IMAGES / "card.png")
    pictures = sorted(IMAGES.glob("*.webp"))
    alive = [p for p in pictures if p.stem.endswith("-moving")]
    (ROOT / "runs").mkdir(exist_ok=True)
    sheet([p for p in pictures if p not in alive], ROOT / "runs" / "figures.webp")
    sheet(alive, ROOT / "runs" / "moving.webp")


if __name__ == "__main__":
    main(sys.argv[1:])
