"""The plots of a comparison."""

import base64
import io

import matplotlib

matplotlib.use('Agg')
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from .plan import REAL
from .summary import Summary

COLOURS = ('#555555', '#0072b2', '#d55e00', '#009e73', '#cc79a7', '#e69f00')


def as_image(figure: Figure) -> str:
    """A figure as an `<img>` that holds its picture; the figure is closed."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format='svg', bbox_inches='tight')
    plt.close(figure)
    return f'<img src="data:image/svg+xml;base64,{base64.b64encode(buffer.getvalue()).decode()}" alt="">'


def _colours(summary: Summary) -> dict[str, str]:
    methods = [REAL, *summary.plan.methods]
    return {method: COLOURS[n % len(COLOURS)] for n, method in enumerate(methods)}


def class_plot(summary: Summary) -> Figure:
    """Fig. 6: bars of the IoU of each class, a panel for each segmentor; lines are deviations over the runs."""
    segmentors = list(dict.fromkeys(entry.segmentor for entry in summary.entries))
    figure, axes = plt.subplots(1, len(segmentors), figsize=(1 + 5 * len(segmentors), 3.4), squeeze=False, sharey=True)
    colours = _colours(summary)
    for axis, segmentor in zip(axes[0], segmentors, strict=True):
        entries = [entry for entry in summary.entries if entry.segmentor == segmentor]
        width = 0.8 / len(entries)
        for n, entry in enumerate(entries):
            places = np.arange(len(summary.classes)) + (n - (len(entries) - 1) / 2) * width
            with np.errstate(all='ignore'):
                means, deviations = np.nanmean(entry.class_iou, 0), np.nanstd(entry.class_iou, 0)
            axis.bar(places, means, width, yerr=deviations, color=colours[entry.method], label=entry.method, capsize=2)
        axis.set_xticks(range(len(summary.classes)), [name.replace('_', '\n') for name in summary.classes])
        axis.set_title(segmentor)
    axes[0][0].set_ylabel('IoU %')
    axes[0][-1].legend(fontsize=8, frameon=False, bbox_to_anchor=(1, 1))
    return figure


def ratio_plot(summary: Summary) -> Figure:
    """Fig. 9: validation mean IoU over the ratio, a panel for each segmentor; bands are deviations over the runs."""
    segmentors = list(dict.fromkeys(segmentor for segmentor, _ in summary.curves))
    figure, axes = plt.subplots(1, len(segmentors), figsize=(1 + 4 * len(segmentors), 3.2), squeeze=False, sharey=True)
    colours = _colours(summary)
    for axis, segmentor in zip(axes[0], segmentors, strict=True):
        for (owner, method), curve in summary.curves.items():
            if owner != segmentor:
                continue
            means, deviations = (np.array([f(values) for values in curve.values()]) for f in (np.mean, np.std))
            if method == REAL:
                axis.axhline(means[0], color=colours[method], linestyle='--', label=method)
                axis.axhspan(means[0] - deviations[0], means[0] + deviations[0], color=colours[method], alpha=0.1)
                continue
            axis.plot(list(curve), means, 'o-', color=colours[method], label=method)
            axis.fill_between(list(curve), means - deviations, means + deviations, color=colours[method], alpha=0.15)
        axis.set_xlabel('synthetic pairs for each real tile')
        axis.set_title(segmentor)
    axes[0][0].set_ylabel('validation mean IoU %')
    axes[0][-1].legend(fontsize=8, frameon=False, bbox_to_anchor=(1, 1))
    return figure
