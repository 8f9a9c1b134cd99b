"""Metrics of segmentation and of generated pairs, and pictures of them."""

from .fraction_error import PhaseFractionError, fraction_errors, fraction_table
from .image_distances import frechet_distance, kid
from .micrograph_iou import MicrographIoUMetric
from .pair_grid import pair_grid
from .phase_fraction_metric import PhaseFractionMetric

__all__ = [
    'MicrographIoUMetric',
    'PhaseFractionError',
    'PhaseFractionMetric',
    'fraction_errors',
    'fraction_table',
    'frechet_distance',
    'kid',
    'pair_grid',
]
