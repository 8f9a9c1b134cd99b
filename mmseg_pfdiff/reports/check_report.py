"""The report of a check of pairs: Markdown for people, JSON for programs."""

import math
from pathlib import Path

from ..files import remove_leftovers, write_atomically
from ..json_files import without_nan, write_json
from ..metrics.agreement import LOSS_FACTOR, QUANTILE, mean_class_iou
from ..metrics.distances import KINDS
from ..metrics.memorisation import COPY_RATIO, NearestTiles
from ..metrics.pair_filter import PairCheck, disagrees
from ..texts import markdown_text, shown
from .tables import markdown_lines

NAMES = {
    'pairs': 'pairs',
    'val': 'real tiles, validation micrographs',
    'test': 'real tiles, test micrographs',
    'train': 'training tiles',
    'disguised': 'disguised training tiles (must be found)',
}
NO_DISGUISED = 'disguised training tiles (none: this self-test needs larger micrographs)'


def check_tables(check: PairCheck, classes: tuple[str, ...]) -> dict[str, list[dict]]:
    """The numbers of a check.

    Args:
        check: What was found.
        classes: K names.

    Returns:
        Name of the table -> rows, each column -> value; only of what was checked.
    """
    tables = {}
    if check.nearest:
        tables['copies'] = [
            _copy_row(who, kind, by_kind[kind]) for who, by_kind in check.nearest.items() for kind in KINDS
        ]
    if check.limits is not None:
        tables['agreement'] = [_agreement_row(check, who, classes) for who in check.agreement]
    if check.distances:
        tables['distances'] = [
            dict(
                compared=f'{NAMES.get(start, start)} with {NAMES[end]}',
                of=kind,
                counts='{} / {}'.format(*kernel.counts),
                **{'KID x 1000': 1000 * kernel.mean, 'deviation x 1000': 1000 * kernel.std},
                subsets=f'{kernel.subsets} of {kernel.subset_size}',
                Frechet=frechet,
            )
            for (start, end), by_kind in check.distances.items()
            for kind, (kernel, frechet) in by_kind.items()
        ]
    return tables


def _copy_row(who: str, kind: str, tiles: NearestTiles) -> dict:
    number = len(tiles.ratio)
    return {
        'set': NAMES[who] if number else NO_DISGUISED,
        'of': kind,
        'number': number,
        'nearest, median': tiles.nearest.median().item(),
        'ratio, least': tiles.ratio.min().item() if number else math.nan,
        'ratio, median': tiles.ratio.median().item(),
        'copies': int(tiles.copies.sum()),
        'copies %': 100 * tiles.copies.double().mean().item(),
    }


def copied_pairs(check: PairCheck) -> list[dict]:
    """The pairs that count as copies, each with its kind, the tile it copies, and the ratio of distances."""
    return [
        dict(index=row.index, of=kind, tile=check.tiles[tiles.tile[n]], ratio=tiles.ratio[n].item())
        for kind, tiles in check.nearest['pairs'].items()
        for n, row in enumerate(check.rows)
        if tiles.copies[n]
    ]


def copy_rule(check: PairCheck) -> str:
    """A sentence on what counts as a copy."""
    return (
        f'Distance to the nearest of {len(check.tiles)} training tiles over that to the second nearest, over the '
        f'eight symmetries and shifts up to an eighth of the side; a ratio below {COPY_RATIO:.3f} counts as a copy.'
    )


def _agreement_row(check: PairCheck, who: str, classes: tuple[str, ...]) -> dict:
    iou = check.agreement[who]
    means = iou.nanmean(1)
    by_class = dict(zip(classes, (100 * mean_class_iou([iou])).tolist(), strict=True))
    return {
        'set': NAMES[who],
        'number': len(iou),
        'mean IoU %': 100 * means.nanmean().item(),
        **{f'{name} %': value for name, value in by_class.items()},
        'below the limit %': 100 * (means < check.limits.mean_iou).double().mean().item(),
        'pixels that disagree %': 100 * check.disagreeing[who],
    }


def markdown_report(check: PairCheck, classes: tuple[str, ...], notes: list[str]) -> str:
    """The report for people.

    Args:
        check: What was found.
        classes: K names.
        notes: Lines to end with, e.g. what was done to the pairs.

    Returns:
        Markdown.
    """
    tables = check_tables(check, classes)
    parts = [f'# Check of {len(check.rows)} pairs']
    if 'copies' in tables:
        parts += [
            '## Copies of training tiles',
            copy_rule(check),
            _markdown(tables['copies']),
        ]
    if 'agreement' in tables:
        losses = ', '.join(
            f'{markdown_text(name)} {loss:.3f}' for name, loss in zip(classes, check.limits.class_loss, strict=True)
        )
        parts += [
            '## Agreement of image and mask',
            'IoU of the mask and what a segmentor trained on real tiles reads in the image, mean over those that hold '
            f'the class. The limit, mean IoU {100 * check.limits.mean_iou:.1f} %, is what {100 * QUANTILE:.0f} % of '
            f'{check.limits.tiles} real held-out tiles stay below. A pixel disagrees where its loss exceeds '
            f'{LOSS_FACTOR} times the mean of its class on these tiles ({losses}).',
            _markdown(tables['agreement']),
        ]
    if 'distances' in tables:
        kernel, _ = next(iter(check.distances.values()))[KINDS[0]]
        parts += [
            '## Distances from the training tiles',
            f'Features: {kernel.extractor}. Not comparable with FID. KID has no bias of number; the Frechet distance '
            'grows as the numbers fall, so compare rows of equal counts. Masks are seen in their palette.',
            _markdown(tables['distances']),
        ]
    return '\n\n'.join([*parts, *notes]) + '\n'


def write_check(check: PairCheck, classes: tuple[str, ...], notes: list[str], out: Path) -> str:
    """Writes `check.md` and `check.json`. No other process may write them.

    Args:
        check: What was found.
        classes: K names.
        notes: Lines to end the report with.
        out: Folder.

    Returns:
        The Markdown.
    """
    text = markdown_report(check, classes, notes)
    content: dict = {'tables': check_tables(check, classes), 'notes': notes}
    if 'pairs' in check.nearest:
        content['copies'] = copied_pairs(check)
    if check.limits is not None:
        content['limits'] = dict(
            mean_iou=check.limits.mean_iou, class_loss=dict(zip(classes, check.limits.class_loss.tolist(), strict=True))
        )
        content['disagreeing'] = [row.index for row in check.rows if disagrees(check, row)]
    numbers, words = out / 'check.json', out / 'check.md'
    remove_leftovers(numbers, words)
    write_json(numbers, without_nan(content))
    write_atomically(words, text.encode())
    return text


def _markdown(rows: list[dict]) -> str:
    """Rows as a table."""
    head = list(rows[0])
    return markdown_lines(head, [[shown(row[name], '.3f') for name in head] for row in rows])
