"""Summary of a folder of generated pairs, in a few lines."""

import math
from collections import Counter

import torch
from torch import Tensor

from ..metrics.fractions import fraction_table
from ..pairs.folder import PairFolder
from ..pairs.rows import PairRow

HINT = (
    'Less than half of the pairs are kept. Train the networks longer; guide them to their fractions (--cfg-options and '
    '--sr-cfg-options model.fraction_guidance=1.0), where the configs do not; or try --sampler renoise --steps 50 on '
    'networks trained for minutes. --max-moved and --max-invented let more through.'
)


def folder_summary(folder: PairFolder, support_limit: float | None) -> str:
    """How many pairs there are, how well the fractions were met, what that took, and what training will see.

    Args:
        folder: With at least one pair, as :func:`~mmseg_pfdiff.models.generate.generate_pairs` left it.
        support_limit: Distance from the real fraction vectors beyond which a request was flagged; None for pairs that
            nothing was asked of.

    Returns:
        Text of several lines.
    """
    rows = folder.rows()
    target, measured = (torch.tensor([getattr(row, name) for row in rows]) for name in ('target', 'measured'))
    lines = []
    if support_limit is not None:
        lines.append(fraction_table(target, measured, folder.classes))
        if folder.description['exact']:
            lines += _moved(folder, rows, target)
        beyond = sum(row.measures.get('out_of_support', 0) > 0 for row in rows)
        if math.isfinite(support_limit):
            lines.append(
                f'Requests farther than {100 * support_limit:.2f} points from all real tiles (out_of_support in '
                f'pairs.csv): {beyond}.'
            )
        wanted = (folder.description.get('fractions') or {}).get('target_mean')
        if wanted:
            lines.append(
                _shares('Mean wanted', folder.classes, [wanted.get(name, math.nan) for name in folder.classes])
            )
            lines.append(
                _shares('Mean asked for; it nears the one wanted with the number', folder.classes, target.mean(0))
            )
    return '\n'.join([*lines, *_kept(folder, rows, measured)])


def _moved(folder: PairFolder, rows: list[PairRow], target: Tensor) -> list[str]:
    """Of pairs whose rows tell of it: measures may have been taken out of the table since."""
    names = [*(f'plain_{name}' for name in folder.classes), 'moved']
    known = [n for n, row in enumerate(rows) if all(name in row.measures for name in names)]
    if not known:
        return []
    values = torch.tensor([[rows[n].measures[name] for name in names] for n in known])
    target, plain, moved = target[known], values[:, :-1], 100 * values[:, -1]
    return [
        'What the networks drew, before pixels were moved to meet the fractions:',
        fraction_table(target, plain, folder.classes),
        f'Pixels moved: {moved.mean():.2f} % on the mean, {moved.max():.2f} % at most.',
    ]


def _kept(folder: PairFolder, rows: list[PairRow], measured: Tensor) -> list[str]:
    """The fractions that training will see: a filter on pairs may take more of the rare phases than of others."""
    kept = torch.tensor([row.kept for row in rows])
    all_of, kept_of = (Counter(row.group for row in part) for part in (rows, [row for row in rows if row.kept]))
    groups = ', '.join(f'{name} {kept_of[name]} of {number}' for name, number in all_of.items())
    height, width = folder.description['size']
    lines = [_shares('Class shares of all pairs', folder.classes, measured.mean(0))]
    if kept.any() and not kept.all():
        lines.append(_shares('Class shares of the kept pairs', folder.classes, measured[kept].mean(0)))
    lines += [HINT] if kept.double().mean() < 0.5 else []
    number = int(kept.sum())
    return [
        *lines,
        f'{folder.root} holds {len(rows)} pairs of {height}x{width}, {number} of them kept for training ({groups}).',
    ]


def _shares(what: str, classes: tuple[str, ...], shares) -> str:
    known = [(name, float(share)) for name, share in zip(classes, shares, strict=True) if not math.isnan(share)]
    return f'{what}: {", ".join(f"{name} {100 * share:.2f} %" for name, share in known)}.'
