"""Draws docs/pipeline.svg, the picture of the chain: `python docs/pipeline.py`.

The micrographs are drawn ones of the demo's data set, with their own label maps; the pairs are cut from
docs/fraction_grid.png, which the demo's generators drew.
"""

import base64
from pathlib import Path

import numpy as np
from PIL import Image

from mmseg_pfdiff.data import MetalDAMDataset
from mmseg_pfdiff.data.demo import draw_image, draw_label
from mmseg_pfdiff.data.png import encode_picture

DOCS = Path(__file__).parent
WIDTH, HEIGHT = 1000, 320
INK, ACCENT, MUTED = '#263238', '#3f51b5', '#607d8b'
COLOURS = MetalDAMDataset.METAINFO['palette']
RELEASE_CLASSES = np.array([0, 1, 2, 255, 3])  # precipitates become ignored, shown in grey
PAIRS = ((928, 680), (332, 724), (630, 190))  # top and left corner of images in the grid, masks below them
PAIR_SIZE, MASK_BELOW = (128, 63), 132


def picture(pixels: np.ndarray, x: float, y: float, width: float, height: float) -> str:
    """A picture as an SVG element with a thin frame, embedded: micrographs as JPEG, label maps as PNG."""
    kind = 'PNG' if pixels.ndim == 3 else 'JPEG'
    data = base64.b64encode(encode_picture(Image.fromarray(pixels), kind)).decode()
    box = f'x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}"'
    image = f'<image {box} preserveAspectRatio="none" href="data:image/{kind.lower()};base64,{data}"/>'
    return f'{image}<rect {box} fill="none" stroke="{INK}" stroke-width="0.8"/>'


def text(words: str, x: float, y: float, size: int = 13, colour: str = INK, weight: str = 'normal') -> str:
    """A centred line of text."""
    style = f'font-size="{size}" fill="{colour}" font-weight="{weight}"'
    return f'<text x="{x:g}" y="{y:g}" text-anchor="middle" {style}>{words}</text>'


def box(x: float, y: float, width: float, height: float, title: str, *lines: str) -> str:
    """A step of the chain: a rounded box with a title and lines below it."""
    parts = [
        f'<rect x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" rx="8" fill="#e8eaf6" stroke="{ACCENT}"/>',
        text(title, x + width / 2, y + 24, 14, ACCENT, 'bold'),
    ]
    parts += [text(line, x + width / 2, y + 43 + 17 * n, 12) for n, line in enumerate(lines)]
    return ''.join(parts)


def arrow(path: str) -> str:
    """An arrow along an SVG path."""
    return f'<path d="{path}" fill="none" stroke="{MUTED}" stroke-width="2" marker-end="url(#head)"/>'


def coloured(label: np.ndarray) -> np.ndarray:
    """A label map of the release in the colours of the classes, (H, W, 3) uint8."""
    table = np.full((256, 3), 190, np.uint8)
    table[: len(COLOURS)] = COLOURS
    return table[RELEASE_CLASSES[label]]


def request(x: float, y: float) -> str:
    """Bars of the phase fractions asked for."""
    phases = zip((0.30, 0.50, 0.15, 0.05), COLOURS, ('matrix', 'austenite', 'MA', 'defect'), strict=True)
    parts = [text('fractions asked for', x + 72, y - 8, 12)]
    for n, (share, colour, name) in enumerate(phases):
        top = y + 15 * n
        parts.append(
            f'<text x="{x + 56}" y="{top + 10}" text-anchor="end" font-size="11" fill="{INK}">{name}</text>'
            f'<rect x="{x + 62}" y="{top + 1}" width="{110 * share:g}" height="10" fill="rgb{tuple(colour)}"/>'
        )
    return ''.join(parts)


def micrograph(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """A drawn micrograph and its label map, (H, W) uint8 each."""
    rng = np.random.default_rng([0, seed])
    label = draw_label(rng, (204, 280), with_defect=True)
    return draw_image(rng, label), label


def main() -> None:
    """Writes docs/pipeline.svg."""
    (image, label), (other, predicted) = (micrograph(seed) for seed in (3, 7))
    grid = np.asarray(Image.open(DOCS / 'fraction_grid.png').convert('RGB'))
    parts = [
        text('Annotated micrographs', 90, 28, 14, INK, 'bold'),
        picture(image, 20, 42, 140, 102),
        picture(coloured(label), 20, 150, 140, 102),
        text('cut into 256x256 tiles', 90, 272, 12),
        arrow('M 168 147 H 206'),
        request(222, 34),
        arrow('M 297 98 V 110'),
        box(214, 116, 166, 62, 'Generator', 'draws image and mask'),
        arrow('M 297 178 V 194'),
        box(214, 200, 166, 52, 'Super-resolution', 'twice the side'),
        arrow('M 386 226 H 404 V 147 H 424'),
        text('Synthetic pairs', 512, 28, 14, INK, 'bold'),
    ]
    for n, (top, left) in enumerate(PAIRS):
        x, y = 434 + 54 * n, 42
        drawn, mask = (grid[row : row + PAIR_SIZE[0], left : left + PAIR_SIZE[1]] for row in (top, top + MASK_BELOW))
        parts += [picture(drawn[..., 0], x, y, 50, 102), picture(mask, x, 150, 50, 102)]
    parts += [
        text('masks with exactly these fractions', 512, 272, 12),
        arrow('M 602 147 H 626'),
        box(634, 112, 150, 72, 'Mix and train', '1 real : r synthetic', 'U-Net, MA-Net, ...'),
        arrow('M 90 280 V 302 H 709 V 192'),
        text('real tiles', 660, 297, 11, MUTED),
        arrow('M 790 147 H 826'),
        text('Phase maps', 908, 28, 14, INK, 'bold'),
        picture(other, 836, 42, 144, 102),
        picture(coloured(predicted), 836, 150, 144, 102),
        text('of whole micrographs', 908, 272, 12),
    ]
    head = (
        '<defs><marker id="head" viewBox="0 0 10 10" refX="8" refY="5" markerWidth="7" markerHeight="7" orient="auto">'
        f'<path d="M 0 0 L 10 5 L 0 10 z" fill="{MUTED}"/></marker></defs>'
        f'<rect width="{WIDTH}" height="{HEIGHT}" rx="10" fill="#ffffff"/>'
    )
    svg = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
        f'font-family="Roboto, Helvetica, Arial, sans-serif">{head}{"".join(parts)}</svg>\n'
    )
    (DOCS / 'pipeline.svg').write_text(svg)


if __name__ == '__main__':
    main()
