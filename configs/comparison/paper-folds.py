# The same on five folds, in which each micrograph is tested once.
_base_ = './paper.py'
data = dict(_delete_=True, **{f'fold{n}': f'data/metaldam-fold{n}' for n in range(5)})
