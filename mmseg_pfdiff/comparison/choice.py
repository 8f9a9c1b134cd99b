"""Choice of the ratio on the validation part; run by Snakemake as a script, which needs no other module."""

import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path


def best_ratio(scores: Mapping[int, Sequence[float]]) -> int:
    """The ratio with the best mean validation score over the seeds; of equal ones the smallest.

    Args:
        scores: Ratio -> best validation score of each seed.

    Returns:
        The ratio.
    """
    return max(scores, key=lambda ratio: (sum(scores[ratio]) / len(scores[ratio]), -ratio))


def main() -> None:
    """Writes the choice from the marks of trainings: `choice.py CHOICE.json MARK.json ...`."""
    scores: dict[int, list[float]] = {}
    for path in sys.argv[2:]:
        mark = json.loads(Path(path).read_text())
        scores.setdefault(mark['ratio'], []).append(mark['validation'])
    out = Path(sys.argv[1])
    temporary = out.with_name(f'.{out.name}.{os.getpid()}')
    temporary.write_text(json.dumps(dict(ratio=best_ratio(scores), validation=scores)) + '\n')
    temporary.replace(out)


if __name__ == '__main__':
    main()
