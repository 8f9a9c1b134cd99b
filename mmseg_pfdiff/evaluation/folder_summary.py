"""What a folder of generated pairs holds, in a few lines."""

import math

import torch

from ..datasets import PairFolder
from .fraction_error import fraction_table


def folder_summary(folder: PairFolder, support_limit: float | None) -> str:
    """How many pairs there are, how well the fractions were met, and what that took.

    Args:
        folder: With at least one pair, as :func:`~mmseg_pfdiff.generators.generation.generate_pairs` left it.
        support_limit: Distance from the real fraction vectors beyond which a request was flagged; None for pairs that
            nothing was asked of.

    Returns:
        Text of several lines.
    """
    rows = folder.rows()
    kept, (height, width) = sum(row.kept for row in rows), folder.description['size']
    held = f'{folder.root} holds {len(rows)} pairs of {height}x{width}, {kept} of them kept for training.'
    target, measured = (torch.tensor([getattr(row, name) for row in rows]) for name in ('target', 'measured'))
    if support_limit is None:
        shares = zip(folder.classes, (100 * measured.mean(0)).tolist(), strict=True)
        return f'Mean fractions: {", ".join(f"{name} {share:.2f} %" for name, share in shares)}.\n{held}'
    plain = torch.tensor([[row.measures[f'plain_{name}'] for name in folder.classes] for row in rows])
    moved = 100 * torch.tensor([row.measures['moved'] for row in rows])
    beyond = sum(row.measures.get('out_of_support', 0) > 0 for row in rows)
    support = (
        f'{beyond} pairs asked for fractions farther than {100 * support_limit:.2f} points from all real tiles '
        '(out_of_support in pairs.csv).'
    )
    return '\n'.join([
        fraction_table(target, measured, folder.classes),
        'What the networks drew, before pixels were moved to meet the fractions:',
        fraction_table(target, plain, folder.classes),
        f'Pixels moved: {moved.mean():.2f} % on the mean, {moved.max():.2f} % at most.',
        *([support] if math.isfinite(support_limit) else []),
        held,
    ])  # fmt: skip
