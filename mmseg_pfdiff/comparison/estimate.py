"""Estimate of the time that the rest of a comparison takes."""

from collections.abc import Mapping

from .tasks import Task
from .workbench import Workbench

# Of each kind of task; a test is one whole.
UNITS = dict(generator='epochs', pairs='pairs', segmentor='epochs')


def timed_tasks(bench: Workbench) -> list[Task]:
    """All tasks but the choices, which take no time."""
    return [task for task in bench.tasks if task.kind != 'choice']


def measured_rates(bench: Workbench) -> dict[tuple[str, str], float]:
    """Seconds a unit of the tasks that are done, by kind and model."""
    spent: dict[tuple[str, str], list[float]] = {}
    for task in timed_tasks(bench):
        seconds = bench.seconds(task)
        if seconds is not None:
            total = spent.setdefault(_model(task), [0.0, 0.0])
            total[0] += seconds
            total[1] += task.units
    return {key: seconds / units for key, (seconds, units) in spent.items()}


def estimated_seconds(task: Task, rates: Mapping[tuple[str, str], float], guesses: Mapping[str, float]) -> float | None:
    """Seconds that a task takes, from tasks like it, else from the plan's guess; None where there is neither.

    Args:
        task: The task.
        rates: As of :func:`measured_rates`.
        guesses: `seconds` of the plan.

    Returns:
        Seconds.
    """
    guess = guesses.get(task.kind)
    if isinstance(guess, Mapping):
        guess = guess.get(_model(task)[1])
    rate = rates.get(_model(task), guess)
    return None if rate is None else rate * task.units


def describe_work(bench: Workbench) -> str:
    """All tasks with their state and an estimate of what is left.

    Args:
        bench: The comparison.

    Returns:
        A line for each task, and a sum.
    """
    rates = measured_rates(bench)
    lines, left, unknown = [], 0.0, 0
    for task in timed_tasks(bench):
        what = f'{task.name} ({task.units:.0f} {UNITS[task.kind]})' if task.kind in UNITS else task.name
        taken = bench.seconds(task)
        if taken is not None:
            lines.append(f'done  {what}: {_clock(taken)}')
            continue
        estimate = estimated_seconds(task, rates, bench.plan.seconds)
        left += estimate or 0.0
        unknown += estimate is None
        lines.append(f'to do {what}: {"?" if estimate is None else _clock(estimate)}')
    more = f' and {unknown} tasks that nothing is known of yet' if unknown else ''
    done = sum(line.startswith('done') for line in lines)
    return '\n'.join([*lines, f'{done} of {len(lines)} tasks are done; about {_clock(left)} left{more}.'])


def _model(task: Task) -> tuple[str, str]:
    names = dict(generator='generator', pairs='method', segmentor='segmentor', test='segmentor')
    return task.kind, task.case[names[task.kind]]


def _clock(seconds: float) -> str:
    if seconds < 100:
        return f'{seconds:.0f} s'
    hours, minutes = divmod(round(seconds / 60), 60)
    return f'{hours} h {minutes:02d} min' if hours else f'{minutes} min'
