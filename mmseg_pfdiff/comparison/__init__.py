"""Comparison: ways of adding synthetic pairs, compared by a plan, the tasks that follow from it, and their statistics.

May import all rooms; only the tools import it.
"""

from .plan import Plan
from .plan_file import read_plan

__all__ = ['Plan', 'read_plan']
