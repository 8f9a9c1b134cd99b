"""The numbers of a comparison: what tables and plots show."""

from collections.abc import Sequence
from itertools import combinations
from typing import NamedTuple

import numpy as np

from .paper_values import BASIC
from .plan import REAL, Plan
from .results import TestResult, read_test
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
    results: list[list[TestResult]]


class Difference(NamedTuple):
    """The gain of one method over another, on the same micrographs and seeds.

    Attributes:
        segmentor: Name.
        method: Name.
        against: Name of the other method.
        gains: 1 + K differences in points, of mean IoU and of each class.
    """

    segmentor: str
    method: str
    against: str
    gains: list[Interval]


class Summary(NamedTuple):
    """A comparison.

    Attributes:
        plan: Its plan.
        classes: K names.
        entries: Methods whose tests are all done.
        differences: Of any two of them with the same segmentor.
        curves: (segmentor, method) -> ratio -> validation mean IoU of each split and seed.
        pair_seconds: Method -> seconds for a pair that is kept, wall clock, with opening models and writing files;
            without methods whose pairs are checked as well.
        unfinished: (segmentor, method) whose tests are not all done.
        tested_again: Tests of other ratios that were the best before the plan got more seeds or ratios.
    """

    plan: Plan
    classes: tuple[str, ...]
    entries: list[Entry]
    differences: list[Difference]
    curves: dict[tuple[str, str], dict[int, list[float]]]
    pair_seconds: dict[str, float]
    unfinished: list[tuple[str, str]]
    tested_again: int


def summarise(bench: Workbench) -> Summary:
    """Reads all that is done of a comparison.

    Args:
        bench: The comparison.

    Returns:
        Its numbers; of an unfinished one those that are there.
    """
    plan, entries, curves, unfinished = bench.plan, [], {}, []
    for segmentor in plan.segmentors:
        for method in (REAL, *plan.methods):
            tests = tasks_of(bench, 'test', segmentor, method)
            if not all(map(bench.done, tests)):
                unfinished.append((segmentor, method))
                continue
            scores_of = [bench.validation_scores(task) for task in tasks_of(bench, 'choice', segmentor, method)]
            curves[segmentor, method] = {
                ratio: [score for split in scores_of for score in split[ratio]] for ratio in tried_ratios(plan, method)
            }
            results = [
                [read_test(bench.report(task)) for task in tests if task.case['split'] == split] for split in plan.data
            ]
            entries.append(_entry(bench, segmentor, method, results))
    return Summary(
        plan,
        plan_classes(plan),
        entries,
        differences(entries),
        curves,
        pair_seconds(bench),
        unfinished,
        sum(len(bench.reports(task)) - 1 for task in bench.tasks if task.kind == 'test' and bench.done(task)),
    )


def differences(entries: Sequence[Entry]) -> list[Difference]:
    """Of any two methods with the same segmentor: what the later one of the plan gains over the earlier one."""
    return [
        Difference(ours.segmentor, ours.method, theirs.method, paired_differences(ours.results, theirs.results))
        for theirs, ours in combinations(entries, 2)
        if theirs.segmentor == ours.segmentor
    ]


def pair_seconds(bench: Workbench) -> dict[str, float]:
    """Method -> seconds for a pair that is kept, over all splits whose pairs are done."""
    spent = {}
    for task in bench.tasks:
        method = task.case.get('method')
        if task.kind == 'pairs' and bench.done(task) and not bench.plan.methods[method].drop_disagreeing:
            record = bench.records.read(task.name)
            seconds, pairs = spent.get(method, (0.0, 0))
            spent[method] = (seconds + record['seconds'], pairs + record['kept'])
    return {method: seconds / pairs for method, (seconds, pairs) in spent.items()}


def tasks_of(bench: Workbench, kind: str, segmentor: str, method: str) -> list[Task]:
    """The tests or the choices of a method with a segmentor: split after split, seed after seed."""
    wanted = dict(segmentor=segmentor, method=method)
    return [task for task in bench.tasks if task.kind == kind and wanted.items() <= task.case.items()]


def _entry(bench: Workbench, segmentor: str, method: str, results: list[list[TestResult]]) -> Entry:
    runs = [result for split in results for result in split]
    values = np.array([scores(result) for result in runs])
    paper = BASIC if method == REAL else bench.plan.methods[method].paper
    return Entry(
        segmentor,
        method,
        paper,
        [bench.chosen_ratio(task) for task in tasks_of(bench, 'choice', segmentor, method)],
        values[:, 0].tolist(),
        [pixel_accuracy(result) for result in runs],
        values[:, 1:],
        [fraction_error(result) for result in runs],
        results,
    )


def fraction_error(result: TestResult) -> float:
    """Mean absolute error of the predicted phase fractions over micrographs and classes, points."""
    labelled = result.labelled.sum(1, keepdims=True)
    known = labelled[:, 0] > 0
    return float((100 * np.abs(result.predicted - result.labelled)[known] / labelled[known]).mean())
