"""Comparing ways of adding synthetic pairs: a plan, its runs, and an honest table."""

from .plan import Plan
from .plan_file import read_plan

__all__ = ['Plan', 'read_plan']
