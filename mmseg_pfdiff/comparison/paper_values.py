"""Values that the paper printed, to stand beside what is measured (256x256; its test micrographs are not named)."""

from typing import NamedTuple


class Printed(NamedTuple):
    """A cell of Table 3, percent: 'only highest metrics were reported'."""

    miou: float
    accuracy: float


SEGMENTORS = ('unet', 'unetplusplus', 'linknet', 'manet')
BASIC, SEG_GUIDED, PF_DIFFSEG, GAN = 'Basic aug.', 'SegGuidedDiff', 'PF-DiffSeg', 'DCGAN+Pix2PixHD'
TABLE_3 = {
    BASIC: (Printed(66.18, 85.01), Printed(66.77, 84.79), Printed(65.28, 84.93), Printed(66.79, 84.20)),
    SEG_GUIDED: (
        Printed(65.53, 76.97),
        Printed(68.58, 85.23),
        Printed(67.12, 84.89),
        Printed(67.08, 85.01),
    ),
    PF_DIFFSEG: (
        Printed(69.17, 86.13),
        Printed(70.13, 86.38),
        Printed(70.47, 86.39),
        Printed(69.49, 86.20),
    ),
}
# Mean IoU and IoU of austenite, matrix and martensite/austenite on its validation micrographs A and B, percent.
TABLE_4 = {
    GAN: {'A': (63.8, 73.9, 48.2, 67.2), 'B': (54.1, 69.2, 50.7, 42.6)},
    PF_DIFFSEG: {'A': (76.0, 86.4, 64.6, 77.2), 'B': (74.4, 90.2, 76.1, 56.9)},
}
# Seconds a pair and mean IoU.
TABLE_5 = {SEG_GUIDED: (2.41, 68.58), PF_DIFFSEG: (2.01, 70.42)}


def table_3(method: str | None, segmentor: str) -> Printed | None:
    """The paper's score of a method, by its name there, with a segmentor; None where it has none."""
    row = TABLE_3.get(method or '')
    known = [n for n, name in enumerate(SEGMENTORS) if segmentor == name or segmentor.startswith(f'{name}_')]
    return row[known[0]] if row and known else None
