"""Phases: their fractions, their codes in the channels of a pair, exact counts, and descriptors of label maps.

Neither networks nor files; imports nothing of the package but its commons.
"""

from .codec import PhaseCodec
from .components import remove_specks
from .fractions import check_fractions, perturb_fractions, phase_fractions
from .labels import IGNORE_INDEX, reduce_labels
from .seeding import sample_generator

__all__ = [
    'IGNORE_INDEX',
    'PhaseCodec',
    'check_fractions',
    'perturb_fractions',
    'phase_fractions',
    'reduce_labels',
    'remove_specks',
    'sample_generator',
]
