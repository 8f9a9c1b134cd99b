"""Reports: tables, plots and pages of what was measured.

May import all rooms up to `engine`.
"""
