"""What a phase is: fractions, their sampling, and how a label map becomes channels. No networks in here."""

from .codec import PhaseCodec
from .fraction_sampler import PAPER_GROUPS, FractionRequest, FractionSampler
from .fractions import IGNORE_INDEX, perturb_fractions, phase_fractions
from .seeding import sample_generator
from .specks import remove_specks

__all__ = [
    'IGNORE_INDEX',
    'PAPER_GROUPS',
    'FractionRequest',
    'FractionSampler',
    'PhaseCodec',
    'perturb_fractions',
    'phase_fractions',
    'remove_specks',
    'sample_generator',
]
