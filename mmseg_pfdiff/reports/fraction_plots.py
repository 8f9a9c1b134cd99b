"""Phase fractions: asked for against drawn (Fig. 4 of the paper), and their distributions (Figs. 10 and 12)."""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from ..data.class_shares import class_shares, count_pixels
from ..metrics.fractions import fraction_errors, fraction_records
from ..pairs.rows import PairRow
from ..texts import shown
from .embedding import principal_components
from .html import Section, panels, paragraph, plain_label, plot, record_table, shared_legend
from .tile_sets import COLOURS, PAIRS, TRAIN, TileSet

BINS = 20


def target_section(rows: Sequence[PairRow], classes: Sequence[str]) -> Section:
    """Fractions asked for against those of the label maps, and of what the networks drew (Fig. 4).

    Args:
        rows: Of all pairs. NaN targets, of a generator that was asked for nothing, are left out.
        classes: K names.

    Returns:
        Table, scatter plots, and their numbers.
    """
    title = 'Phase fractions asked for and drawn'
    asked = [row for row in rows if not np.isnan(row.target).any()]
    if not asked:
        text = 'These pairs were drawn without fractions asked for, so there is no target to compare with.'
        return Section('target_fractions', title, [paragraph(text)], {'note': text})
    measured = {'label maps': _stack(asked, lambda row: row.measured)}
    plain = [row for row in asked if all(f'plain_{name}' in row.measures for name in classes)]
    targets = {name: _stack(asked, lambda row: row.target) for name in measured}
    if plain:
        measured['drawn by the networks'] = _stack(
            plain, lambda row: [row.measures[f'plain_{name}'] for name in classes]
        )
        targets['drawn by the networks'] = _stack(plain, lambda row: row.target)
    records = [
        {'fractions of': name, 'class': record['class'], 'pairs': len(shares)} | record
        for name, shares in measured.items()
        for record in fraction_records(targets[name], shares, classes)
    ]
    text = f'{len(asked)} pairs of {len(rows)}, also those not kept for training. R2 is taken against the diagonal.'
    if plain:
        text += ' Label maps are as they are written, after the exact quota has moved pixels of what the networks drew.'
    figure = _scatter(targets, measured, classes)
    points = {name: dict(target=targets[name].tolist(), measured=measured[name].tolist()) for name in measured}
    body = [paragraph(text), record_table(records), plot(figure, 'fractions drawn against fractions asked for')]
    return Section('target_fractions', title, body, {'errors': records, 'classes': list(classes), 'points': points})


def distribution_section(sets: Mapping[str, TileSet], classes: Sequence[str]) -> Section:
    """How fractions are distributed in real and synthetic sets (Fig. 10), class shares and vectors (Fig. 12).

    Args:
        sets: Of :func:`tile_sets`.
        classes: K names.

    Returns:
        Histograms, bars, a map, and their numbers.
    """
    shares = share_records(sets, classes)
    histograms = fraction_histograms(sets, classes)
    vectors = {name: tiles.fractions.numpy() for name, tiles in sets.items()}
    places, explained = principal_components(vectors, TRAIN)
    body = [
        paragraph(
            'Each tile counts once; synthetic are the pairs kept for training. Bars are shares of a set, so sets of '
            'different sizes compare; the axis is logarithmic, to show the rare ends.'
        ),
        plot(_histogram_figure(sets, histograms), 'histograms of the phase fractions'),
        paragraph('Share of each class among all pixels of a set:'),
        record_table(shares),
        plot(_share_figure(sets, shares, classes), 'class shares of the sets'),
        paragraph(
            'Fraction vectors of the tiles on the first two principal components of the training tiles, which hold '
            f'{100 * explained[0]:.1f} % and {100 * explained[1]:.1f} % of their variance:'
        ),
        plot(_vector_figure(sets, places), 'fraction vectors in two dimensions'),
    ]
    numbers = {
        'histograms': histograms,
        'class_shares': shares,
        'principal_components': {name: points.tolist() for name, points in places.items()},
        'explained_variance': explained,
    }
    return Section('set_fractions', 'Phase fractions of real and synthetic sets', body, numbers)


def fraction_histograms(sets: Mapping[str, TileSet], classes: Sequence[str]) -> dict[str, dict]:
    """Histograms of the fractions of each class, over the same bins for all sets.

    Args:
        sets: Of :func:`tile_sets`.
        classes: K names.

    Returns:
        Class -> `edges` (21 values, fractions) and `percent`: set -> share of its tiles in each bin.
    """
    result = {}
    for k, name in enumerate(classes):
        columns = {who: tiles.fractions[:, k].numpy() for who, tiles in sets.items()}
        top = max(column.max() for column in columns.values())
        edges = np.linspace(0, top or 1, BINS + 1)
        percent = {
            who: (100 * np.histogram(column, edges)[0] / len(column)).tolist() for who, column in columns.items()
        }
        result[name] = dict(edges=edges.tolist(), percent=percent)
    return result


def share_records(sets: Mapping[str, TileSet], classes: Sequence[str]) -> list[dict]:
    """Share of each class among the known pixels of whole sets.

    Args:
        sets: Of :func:`tile_sets`.
        classes: K names.

    Returns:
        A record for each set: its title, number of tiles, and percent of each class.
    """
    records = []
    for tiles in sets.values():
        *percent, _ = class_shares([count_pixels(tiles.labels.numpy(), len(classes))])
        records.append(
            {'set': tiles.title, 'tiles': len(tiles.labels)}
            | {f'{name} %': value for name, value in zip(classes, percent, strict=True)}
        )
    return records


def _stack(rows: Sequence[PairRow], values) -> Tensor:
    """(N, K) float64."""
    return torch.tensor([values(row) for row in rows], dtype=torch.float64)


def _scatter(targets: Mapping[str, Tensor], measured: Mapping[str, Tensor], classes: Sequence[str]):
    """A row of panels for each kind of fractions, a panel for each class."""
    figure, axes = panels(len(measured), len(classes))
    for row, (name, shares) in zip(axes, measured.items(), strict=True):
        for k, axis in enumerate(row):
            x, y = 100 * targets[name][:, k], 100 * shares[:, k]
            top = 1.05 * max(x.max().item(), y.max().item(), 1e-3)
            axis.plot([0, top], [0, top], color='#888', linewidth=0.8)
            axis.scatter(x, y, s=8, alpha=0.5, color=COLOURS[PAIRS], linewidths=0)
            errors = fraction_errors(targets[name][:, [k]], shares[:, [k]])
            r2 = shown(errors.r2.item(), '.1f')
            axis.set_title(f'{plain_label(classes[k])}\nR2 {r2} %, MAE {errors.mae.item():.2f}', fontsize=9)
            axis.set(xlim=(0, top), ylim=(0, top), aspect='equal')
            axis.set_xlabel('asked for, %', fontsize=8)
        row[0].set_ylabel(f'{name}, %', fontsize=8)
    return figure


def _histogram_figure(sets: Mapping[str, TileSet], histograms: Mapping[str, dict]):
    figure, axes = panels(1, len(histograms), height=2.8)
    for axis, (name, histogram) in zip(axes[0], histograms.items(), strict=True):
        edges = 100 * np.array(histogram['edges'])
        for who, tiles in sets.items():
            if who == TRAIN:
                axis.stairs(histogram['percent'][who], edges, color=tiles.colour, alpha=0.25, fill=True)
            axis.stairs(histogram['percent'][who], edges, color=tiles.colour, label=tiles.title, linewidth=1.4)
        axis.set_yscale('log')
        axis.set_title(plain_label(name), fontsize=9)
        axis.set_xlabel('fraction, %', fontsize=8)
    axes[0, 0].set_ylabel('tiles, %', fontsize=8)
    shared_legend(figure, axes[0, 0])
    return figure


def _share_figure(sets: Mapping[str, TileSet], shares: Sequence[dict], classes: Sequence[str]):
    figure, axes = panels(1, 1, 7, 3)
    axis, width = axes[0, 0], 0.8 / len(sets)
    for n, (tiles, record) in enumerate(zip(sets.values(), shares, strict=True)):
        heights = [record[f'{name} %'] for name in classes]
        places = np.arange(len(classes)) + (n - (len(sets) - 1) / 2) * width
        bars = axis.bar(places, heights, width, color=tiles.colour, label=tiles.title)
        axis.bar_label(bars, fmt='%.2f', fontsize=7)
    axis.set_xticks(range(len(classes)), list(map(plain_label, classes)), fontsize=9)
    axis.set_ylabel('pixels, %', fontsize=8)
    shared_legend(figure, axis)
    return figure


def _vector_figure(sets: Mapping[str, TileSet], places: Mapping[str, np.ndarray]):
    figure, axes = panels(1, 1, 6, 4.4)
    # The largest set lies below the others.
    for name in sorted(places, key=lambda name: -len(places[name])):
        axes[0, 0].scatter(
            *places[name].T, s=9, alpha=0.6, color=sets[name].colour, label=sets[name].title, linewidths=0
        )
    axes[0, 0].set_xlabel('first principal component', fontsize=8)
    axes[0, 0].set_ylabel('second', fontsize=8)
    shared_legend(figure, axes[0, 0])
    return figure
