"""What a folder of generated pairs holds, in a few lines."""

import torch

from ..datasets import PairFolder
from .fraction_error import fraction_table


def folder_summary(folder: PairFolder, support_limit: float) -> str:
    """How many pairs there are, how well the fractions were met, and what that took.

    Args:
        folder: With at least one pair, as :func:`~mmseg_pfdiff.generators.generation.generate_pairs` left it.
        support_limit: Distance from the real fraction vectors beyond which a request was flagged.

    Returns:
        Text of several lines.
    """
    rows = folder.rows()
    target, measured = (torch.tensor([getattr(row, name) for row in rows]) for name in ('target', 'measured'))
    plain = torch.tensor([[row.measures[f'plain_{name}'] for name in folder.classes] for row in rows])
    moved = 100 * torch.tensor([row.measures['moved'] for row in rows])
    beyond = sum(row.measures.get('out_of_support', 0) > 0 for row in rows)
    kept, (height, width) = sum(row.kept for row in rows), folder.description['size']
    return '\n'.join([
        fraction_table(target, measured, folder.classes),
        'What the networks drew, before pixels were moved to meet the fractions:',
        fraction_table(target, plain, folder.classes),
        f'Pixels moved: {moved.mean():.2f} % on the mean, {moved.max():.2f} % at most.',
        f'{beyond} pairs asked for fractions farther than {100 * support_limit:.2f} points from all real tiles '
        '(out_of_support in pairs.csv).',
        f'{folder.root} holds {len(rows)} pairs of {height}x{width}, {kept} of them kept for training.',
    ])  # fmt: skip
