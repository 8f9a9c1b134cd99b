"""The plots of a comparison."""

import numpy as np
from matplotlib.figure import Figure

from ..reports.html import panels, plain_label, shared_legend
from .plan import REAL
from .summary import Summary

COLOURS = ('#555555', '#0072b2', '#d55e00', '#009e73', '#cc79a7', '#e69f00', '#56b4e9', '#a6761d')
PAGE_WIDTH = 9  # inches


def _colours(summary: Summary) -> dict[str, str]:
    methods = [REAL, *summary.plan.methods]
    return {method: COLOURS[n % len(COLOURS)] for n, method in enumerate(methods)}


def _row_of_panels(number: int) -> tuple[Figure, np.ndarray]:
    return panels(1, number, width=max(4, PAGE_WIDTH / number), height=3.4, sharey=True)


def _deviation(values: np.ndarray) -> float:
    """Of a sample, as the tables give it; 0 for a single value."""
    known = values[~np.isnan(values)]
    return float(known.std(ddof=1)) if len(known) > 1 else 0.0


def class_plot(summary: Summary) -> Figure:
    """Fig. 6: bars of the IoU of each class, a panel for each segmentor; lines are deviations over the runs."""
    segmentors = list(dict.fromkeys(entry.segmentor for entry in summary.entries))
    figure, axes = _row_of_panels(len(segmentors))
    colours = _colours(summary)
    for axis, segmentor in zip(axes[0], segmentors, strict=True):
        entries = [entry for entry in summary.entries if entry.segmentor == segmentor]
        width = 0.8 / len(entries)
        for n, entry in enumerate(entries):
            places = np.arange(len(summary.classes)) + (n - (len(entries) - 1) / 2) * width
            means = [np.nanmean(column) if not np.isnan(column).all() else 0 for column in entry.class_iou.T]
            spread = [_deviation(column) for column in entry.class_iou.T]
            axis.bar(places, means, width, yerr=spread, color=colours[entry.method], label=entry.method, capsize=2)
        axis.set_xticks(range(len(summary.classes)), [plain_label(name).replace('_', '\n') for name in summary.classes])
        axis.set_title(segmentor, fontsize=9)
    axes[0][0].set_ylabel('IoU %')
    shared_legend(figure, axes[0][0])
    return figure


def ratio_plot(summary: Summary) -> Figure:
    """Fig. 9: validation mean IoU over the ratio, a panel for each segmentor; bars are deviations over the runs."""
    segmentors = list(dict.fromkeys(segmentor for segmentor, _ in summary.curves))
    figure, axes = _row_of_panels(len(segmentors))
    for axis, segmentor in zip(axes[0], segmentors, strict=True):
        curves = {method: curve for (owner, method), curve in summary.curves.items() if owner == segmentor}
        for n, (method, curve) in enumerate(curves.items()):
            # Side by side, so that no bar hides another.
            _draw_curve(axis, method, curve, _colours(summary)[method], shift=0.03 * (n - len(curves) / 2))
        axis.set_xticks(sorted({ratio for curve in curves.values() for ratio in curve if ratio}))
        axis.set_xlabel('synthetic pairs for each real tile')
        axis.set_title(segmentor, fontsize=9)
    axes[0][0].set_ylabel('validation mean IoU %')
    shared_legend(figure, axes[0][0])
    return figure


def _draw_curve(axis, method: str, curve: dict[int, list[float]], colour: str, shift: float) -> None:
    """A line over the ratios; training on real tiles alone is a level."""
    means = np.array([np.mean(values) for values in curve.values()])
    spread = np.array([_deviation(np.array(values)) for values in curve.values()])
    if method == REAL:
        axis.axhline(means[0], color=colour, linestyle='--', label=method)
        axis.axhspan(means[0] - spread[0], means[0] + spread[0], color=colour, alpha=0.1)
        return
    axis.errorbar(np.array(list(curve)) + shift, means, spread, fmt='o-', color=colour, label=method, capsize=2)
