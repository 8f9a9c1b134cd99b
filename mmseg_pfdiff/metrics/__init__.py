"""Metrics: of segmentors, and of generated pairs beside real tiles.

May import all rooms up to `checkpoints`.
"""

from .distances import frechet_distance, kid
from .fractions import PhaseFractionError, PhaseFractionMetric, fraction_errors, fraction_table
from .segmentation import MicrographIoUMetric

__all__ = [
    'MicrographIoUMetric',
    'PhaseFractionError',
    'PhaseFractionMetric',
    'fraction_errors',
    'fraction_table',
    'frechet_distance',
    'kid',
]
