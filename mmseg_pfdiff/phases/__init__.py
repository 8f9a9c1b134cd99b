"""What a phase is: fractions, their sampling, and how a label map becomes channels. No networks in here."""

from .codec import PhaseCodec
from .fraction_planner import FractionPlanner
from .fraction_sampler import PAPER_GROUPS, FractionRequest, FractionSampler
from .fraction_support import FractionSupport, support_distance, support_limit
from .fractions import IGNORE_INDEX, check_fractions, perturb_fractions, phase_fractions
from .requested_fractions import RequestedFractions, parse_shares
from .seeding import sample_generator
from .specks import remove_specks

__all__ = [
    'IGNORE_INDEX',
    'PAPER_GROUPS',
    'FractionPlanner',
    'FractionRequest',
    'FractionSampler',
    'FractionSupport',
    'PhaseCodec',
    'RequestedFractions',
    'check_fractions',
    'parse_shares',
    'perturb_fractions',
    'phase_fractions',
    'remove_specks',
    'sample_generator',
    'support_distance',
    'support_limit',
]
