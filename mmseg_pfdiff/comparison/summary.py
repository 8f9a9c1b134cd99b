"""The numbers of a comparison: what tables and plots show."""

from typing import NamedTuple

import numpy as np

from .paper_values import BASIC
from .plan import REAL, Plan
from .results import TestResult, chosen_ratio, read_test, validation_scores
from .run_configs import plan_classes
from .statistics import Interval, paired_differences, pixel_accuracy, scores
from .tasks import Task, tried_ratios
from .workbench import Workbench


class Entry(NamedTuple):
    """A method with a segmentor, on the test micrographs.

    Attributes:
        segmentor: Name.
        method: Name.
        paper: What the paper calls the method, or None.
        ratios: Chosen on the validation part, of each split.
        miou: Mean IoU of each split and seed, percent.
        accuracy: Pixel accuracy, likewise.
        class_iou: (runs, K) percent; NaN for a class that a split's test part lacks.
        fraction_error: Mean absolute error of the phase fractions of the micrographs, points, of each run.
        against_real: 1 + K differences to training on real tiles alone, of mean IoU and of each class; empty for it.
        results: Split -> seed -> what the test found.
    """

    segmentor: str
    method: str
    paper: str | None
    ratios: list[int]
    miou: list[float]
    accuracy: list[float]
    class_iou: np.ndarray
    fraction_error: list[float]
    against_real: list[Interval]
    results: list[list[TestResult]]


class Summary(NamedTuple):
    """A comparison.

    Attributes:
        plan: Its plan.
        classes: K names.
        entries: Methods whose tests are all done.
        curves: (segmentor, method) -> ratio -> validation mean IoU of each split and seed.
        pair_seconds: Method -> seconds a pair, with opening models and writing files.
        unfinished: (segmentor, method) whose tests are not all done.
    """

    plan: Plan
    classes: tuple[str, ...]
    entries: list[Entry]
    curves: dict[tuple[str, str], dict[int, list[float]]]
    pair_seconds: dict[str, float]
    unfinished: list[tuple[str, str]]


def summarise(bench: Workbench) -> Summary:
    """Reads all that is done of a comparison.

    Args:
        bench: The comparison.

    Returns:
        Its numbers; of an unfinished one those that are there.
    """
    plan, entries, curves, unfinished = bench.plan, [], {}, []
    for segmentor in plan.segmentors:
        real = None
        for method in (REAL, *plan.methods):
            tests = tests_of(bench, segmentor, method)
            if not all(map(bench.done, tests)):
                unfinished.append((segmentor, method))
                continue
            curves[segmentor, method] = {
                ratio: [
                    score
                    for split in plan.data
                    for score in validation_scores(plan, bench.records, split, segmentor, method, ratio)
                ]
                for ratio in tried_ratios(plan, method)
            }
            results = [
                [read_test(bench.report(task)) for task in tests if task.about['split'] == split] for split in plan.data
            ]
            real = results if method == REAL else real
            entries.append(_entry(bench, segmentor, method, results, real))
    return Summary(plan, plan_classes(plan), entries, curves, pair_seconds(bench), unfinished)


def pair_seconds(bench: Workbench) -> dict[str, float]:
    """Method -> seconds a pair, over all splits whose pairs are done."""
    marks = [bench.records.done(task.name) for task in bench.tasks if task.kind == 'pairs' and bench.done(task)]
    spent = {}
    for mark in marks:
        seconds, pairs = spent.get(mark['about']['method'], (0.0, 0))
        spent[mark['about']['method']] = (seconds + mark['seconds'], pairs + mark['pairs'])
    return {method: seconds / pairs for method, (seconds, pairs) in spent.items()}


def tests_of(bench: Workbench, segmentor: str, method: str) -> list[Task]:
    """The tests of a method with a segmentor: split after split, seed after seed."""
    wanted = dict(segmentor=segmentor, method=method)
    return [task for task in bench.tasks if task.kind == 'test' and wanted.items() <= task.about.items()]


def _entry(
    bench: Workbench, segmentor: str, method: str, results: list[list[TestResult]], real: list[list[TestResult]] | None
) -> Entry:
    runs = [result for split in results for result in split]
    values = np.array([scores(result) for result in runs])
    differences = paired_differences(results, real) if method != REAL and real else []
    paper = BASIC if method == REAL else bench.plan.methods[method].paper
    return Entry(
        segmentor,
        method,
        paper,
        [chosen_ratio(bench.plan, bench.records, split, segmentor, method) for split in bench.plan.data],
        values[:, 0].tolist(),
        [pixel_accuracy(result) for result in runs],
        values[:, 1:],
        [fraction_error(result) for result in runs],
        differences,
        results,
    )


def fraction_error(result: TestResult) -> float:
    """Mean absolute error of the predicted phase fractions over micrographs and classes, points."""
    labelled = result.labelled.sum(1, keepdims=True)
    known = labelled[:, 0] > 0
    return float((100 * np.abs(result.predicted - result.labelled)[known] / labelled[known]).mean())
