"""Requests: the phase fractions that pairs are drawn for, from a mixture, a table or a mean to be met.

May import `phases`.
"""

from .base import FractionRequest, RequestSource, Unconditional, build_requests, check_requests, number_of_pairs
from .given import GivenFractions
from .sampler import PAPER_GROUPS, FractionSampler
from .support import FractionSupport, support_distance, support_limit
from .table import RequestedFractions, parse_shares
from .target_mean import FractionPlanner

__all__ = [
    'PAPER_GROUPS',
    'FractionPlanner',
    'FractionRequest',
    'FractionSampler',
    'FractionSupport',
    'GivenFractions',
    'RequestSource',
    'RequestedFractions',
    'Unconditional',
    'build_requests',
    'check_requests',
    'number_of_pairs',
    'parse_shares',
    'support_distance',
    'support_limit',
]
