"""Tasks of a comparison, in an order in which each finds what it needs."""

import itertools
from collections.abc import Iterator
from typing import NamedTuple

from .plan import REAL, Plan, method_generators
from .run_configs import number_of_real_samples


class Task(NamedTuple):
    """A piece of work that is done once.

    Attributes:
        kind: 'generator', 'pairs', 'segmentor', 'choice' (of the ratio, on the validation part) or 'test'.
        name: Unique; a path below the work dir, where what it makes lies.
        needs: Names of the tasks that come first.
        units: How much work: epochs of a generator, pairs to be kept, epochs on real tiles of a segmentor, one
            test, or nothing for a choice.
        case: The case it works on: names of the plan by 'split', 'generator', 'method', 'segmentor', 'ratio', 'seed'.
    """

    kind: str
    name: str
    needs: tuple[str, ...]
    units: float
    case: dict


def run_name(split: str, segmentor: str, method: str, ratio: int, seed: int) -> str:
    """Name of the training of a segmentor."""
    return f'runs/{split}/{segmentor}/{method}/x{ratio}/seed{seed}'


def checking_run(plan: Plan, split: str) -> str:
    """The training on real tiles whose network says which pairs disagree."""
    return run_name(split, next(iter(plan.segmentors)), REAL, 0, plan.seeds[0])


def tried_ratios(plan: Plan, method: str) -> tuple[int, ...]:
    """The ratios of a method; 0 for training on real tiles alone."""
    return (0,) if method == REAL else tuple(plan.methods[method].ratios or plan.ratios)


def pairs_owner(plan: Plan, method: str) -> str:
    """The method whose pairs a method takes; its own name for most."""
    return plan.methods[method].pairs_of or method


def needed_pairs(plan: Plan, split: str) -> dict[str, int]:
    """Method with pairs of its own -> kept pairs that the largest ratio of those who use them takes."""
    tiles = max(number_of_real_samples(plan, name, split) for name in plan.segmentors)
    needed: dict[str, int] = {}
    for method in plan.methods:
        owner = pairs_owner(plan, method)
        needed[owner] = max(needed.get(owner, 0), tiles * max(tried_ratios(plan, method)))
    return needed


def list_tasks(plan: Plan) -> list[Task]:
    """All tasks of a plan.

    Args:
        plan: The comparison.

    Returns:
        Tasks; what one needs stands before it.
    """
    return [task for split in plan.data for task in _tasks_of_split(plan, split)] + list(_tests(plan))


def _tasks_of_split(plan: Plan, split: str) -> Iterator[Task]:
    # Trainings on real tiles first: a segmentor that cannot be trained shows within minutes.
    for segmentor in plan.segmentors:
        yield from _trainings(plan, split, segmentor, REAL)
    needed = needed_pairs(plan, split)
    parts = {name: method_generators(plan.methods[name]) for name in needed}
    for name in dict.fromkeys(part for used in parts.values() for part in used):
        units = plan.generators[name].epochs
        yield Task('generator', f'generators/{split}/{name}', (), units, dict(split=split, generator=name))
    for method, used in parts.items():
        needs = tuple(f'generators/{split}/{name}' for name in used)
        if plan.methods[method].drop_disagreeing:
            needs += (checking_run(plan, split),)
        case = dict(split=split, method=method)
        yield Task('pairs', f'pairs/{split}/{method}', needs, needed[method], case)
    for segmentor, method in itertools.product(plan.segmentors, plan.methods):
        yield from _trainings(plan, split, segmentor, method)


def _trainings(plan: Plan, split: str, segmentor: str, method: str) -> Iterator[Task]:
    needs = () if method == REAL else (f'pairs/{split}/{pairs_owner(plan, method)}',)
    for seed, ratio in itertools.product(plan.seeds, tried_ratios(plan, method)):
        units = plan.epochs * (1 + ratio if plan.budget == 'epochs' else 1)
        case = dict(split=split, segmentor=segmentor, method=method, ratio=ratio, seed=seed)
        yield Task('segmentor', run_name(**case), needs, units, case)


def _tests(plan: Plan) -> Iterator[Task]:
    """One for each seed, whatever the ratio: that is chosen once for all seeds of a split."""
    for split, segmentor, method in itertools.product(plan.data, plan.segmentors, (REAL, *plan.methods)):
        trainings = tuple(
            run_name(split, segmentor, method, ratio, seed)
            for ratio, seed in itertools.product(tried_ratios(plan, method), plan.seeds)
        )
        case = dict(split=split, segmentor=segmentor, method=method)
        choice = Task('choice', f'choices/{split}/{segmentor}/{method}', trainings, 0, case)
        yield choice
        for seed in plan.seeds:
            name = f'tests/{split}/{segmentor}/{method}/seed{seed}'
            yield Task('test', name, (choice.name,), 1, dict(**case, seed=seed))
