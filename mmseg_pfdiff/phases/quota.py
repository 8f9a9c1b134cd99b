"""The best label map with exact class counts: a transportation problem from pixels to K classes."""

from itertools import pairwise

import torch
from torch import Tensor

from .balance import balanced_biases
from .fractions import check_fractions

# Newton's method on the smoothed dual at falling temperatures (in units of the spread of the scores) comes near, exact
# steps on one bias after the other come nearer, until shortest paths are quick for the few pixels in a wrong class.
TEMPERATURES = (1.0, 0.3, 0.1, 0.03, 0.01, 0.003, 0.001)
NEWTON_STEPS = 4
SWEEPS = 40
FEW_PIXELS = 4


def largest_remainder(fractions: Tensor, total: int) -> Tensor:
    """Whole counts as near to fractions as can be: rounded down, the rest to the largest remainders.

    Args:
        fractions: (B, K) float, non-negative, each row sums to 1.
        total: Sum of the counts, e.g. the number of pixels.

    Returns:
        (B, K) int64, each row sums to `total`; each count is within 1 of its fraction of the total. On equal
        remainders the lower class gets the pixel.

    Raises:
        ValueError: Negative fractions, or rows that do not sum to 1.
    """
    check_fractions(fractions)
    shares = fractions.double() / fractions.double().sum(1, keepdim=True) * total
    # What is a whole number up to rounding counts as one.
    counts = (shares + 1e-6).floor()
    rank = (shares - counts).argsort(dim=1, descending=True, stable=True).argsort(dim=1)
    missing = total - counts.sum(1, keepdim=True)
    return (counts + (rank < missing)).long()


def assign_with_quota(scores: Tensor, counts: Tensor) -> Tensor:
    """The assignment of pixels to classes with the given counts and the highest total score.

    The dual has one bias a class: with the right ones, the best biased class of every pixel has the right counts.
    Newton's method on the smoothed dual brings the counts near; an assignment by biased scores is the best one for the
    counts it has, and shortest paths over the K classes then move the last pixels and settle ties, which keeps it the
    best (successive shortest paths of min-cost flow).

    Args:
        scores: (B, K, P) float.
        counts: (B, K) int64, non-negative, each row sums to P.

    Returns:
        (B, P) int64 classes.

    Raises:
        ValueError: Counts that do not fit the pixels.
    """
    batch, num_classes, pixels = scores.shape
    if counts.shape != (batch, num_classes) or (counts < 0).any() or (counts.sum(1) != pixels).any():
        raise ValueError(f'counts must be ({batch}, {num_classes}), >= 0, summing to {pixels}; got {counts.tolist()}.')
    if not torch.isfinite(scores).all():
        raise ValueError('scores must be finite; the network that made them has diverged.')
    device = scores.device
    # On the CPU: many small steps, each of which a GPU would have to be waited for.
    scores, counts = scores.double().cpu(), counts.cpu()
    return torch.stack([assign_one(scores[n], counts[n]) for n in range(batch)]).to(device)


def assign_one(scores: Tensor, counts: Tensor) -> Tensor:
    """The best assignment of one map.

    Args:
        scores: (K, P) float64, on the CPU.
        counts: (K,) int64, sums to P.

    Returns:
        (P,) int64 classes.
    """
    spread = (scores.amax(0) - scores.amin(0)).mean().clamp(min=1e-300)
    biases = torch.zeros(len(scores), dtype=scores.dtype)
    labels, wrong = biased_labels(scores, counts, biases)
    for temperature in TEMPERATURES:
        if wrong <= FEW_PIXELS:
            break
        biases = smoothed_biases(scores, counts, biases, temperature * spread)
        labels, wrong = biased_labels(scores, counts, biases)
    for _ in range(SWEEPS):
        if wrong <= FEW_PIXELS:
            break
        biases = exact_sweep(scores, counts, biases)
        labels, now_wrong = biased_labels(scores, counts, biases)
        if now_wrong == wrong:
            break
        wrong = now_wrong
    move_to_counts(scores, labels, counts)
    return labels


def biased_labels(scores: Tensor, counts: Tensor, biases: Tensor) -> tuple[Tensor, int]:
    """The best class of each pixel once biases are added: the best assignment for the counts it has.

    Args:
        scores: (K, P) float64.
        counts: (K,) int64. A class that may hold no pixel attracts none.
        biases: (K,) float64.

    Returns:
        (P,) int64 classes, and how many pixels are in a class that has too many.
    """
    labels = (scores + torch.where(counts > 0, biases, -torch.inf)[:, None]).argmax(0)
    return labels, int((torch.bincount(labels, minlength=len(counts)) - counts).clamp(min=0).sum())


def smoothed_biases(scores: Tensor, counts: Tensor, biases: Tensor, tau: Tensor) -> Tensor:
    """A few Newton steps on the smoothed dual D(b) = sum_i tau log sum_k exp((s_ik + b_k) / tau) - sum_k n_k b_k.

    Args:
        scores: (K, P) float64.
        counts: (K,) int64.
        biases: (K,) float64, where to start.
        tau: Temperature.

    Returns:
        (K,) float64, mean zero.
    """
    shares = counts.double() / scores.shape[1]
    # In units of the temperature. A step beyond a few of these leaves the region the quadratic model knows.
    damping = dict(damping=1e-12, relative_damping=1e-3)
    biases = tau * balanced_biases(scores / tau, shares, biases / tau, steps=NEWTON_STEPS, limit=4, **damping)
    return biases - biases.mean()


def exact_sweep(scores: Tensor, counts: Tensor, biases: Tensor) -> Tensor:
    """Minimises the dual exactly along one bias after the other: each class in turn gets just its count.

    Args:
        scores: (K, P) float64.
        counts: (K,) int64.
        biases: (K,) float64.

    Returns:
        (K,) float64, mean zero.
    """
    biased = scores + torch.where(counts > 0, biases, -torch.inf)[:, None]
    biases = biases.clone()
    for k, count in enumerate(counts.tolist()):
        if not 0 < count < scores.shape[1]:
            continue
        others = biased.clone()
        others[k] = -torch.inf
        # Pixel i goes to class k if its bias exceeds this.
        needed = others.amax(0) - scores[k]
        biases[k] = (needed.kthvalue(count).values + needed.kthvalue(count + 1).values) / 2
        biased[k] = scores[k] + biases[k]
    return biases - biases.mean()


def move_to_counts(scores: Tensor, labels: Tensor, counts: Tensor) -> None:
    """Moves pixels between classes, in place, until the counts hold; each time by the path that costs least.

    Args:
        scores: (K, P) float64.
        labels: (P,) int64, the best assignment for the counts it has; becomes the best one for `counts`.
        counts: (K,) int64, sums to P.
    """
    num_classes = len(counts)
    while True:
        excess = (torch.bincount(labels, minlength=num_classes) - counts).tolist()
        if not any(excess):
            return
        costs = move_costs(scores, labels)
        path = cheapest_path(costs.tolist(), excess)
        source, target = path[0], path[-1]
        edges = list(pairwise(path))
        # Pixels that cost the same are moved together: with ties the path stays the cheapest for all of them.
        tied = [tied_pixels(scores, labels, a, b, costs[a, b]) for a, b in edges]
        amount = min(excess[source], -excess[target], *(len(pixels) for pixels in tied))
        for (_, b), pixels in zip(edges, tied, strict=True):
            labels[pixels[:amount]] = b


def move_costs(scores: Tensor, labels: Tensor) -> Tensor:
    """Least cost of moving one pixel from class a to class b.

    Args:
        scores: (K, P) float64.
        labels: (P,) int64.

    Returns:
        (K, K) float64; infinite where class a is empty, zero on the diagonal.
    """
    num_classes = len(scores)
    own = scores.gather(0, labels[None])
    losses = own - scores  # (K, P): moving pixel p to class b
    costs = torch.full((num_classes, num_classes), torch.inf, dtype=scores.dtype, device=scores.device)
    for a in range(num_classes):
        costs[a] = torch.where(labels == a, losses, torch.inf).amin(1)
    return costs.fill_diagonal_(0)


def cheapest_path(costs: list[list[float]], excess: list[int]) -> list[int]:
    """Shortest path (Bellman-Ford) from a class with too many pixels to one with too few.

    Args:
        costs: K x K; edges may be negative, cycles are not.
        excess: Pixels too many, for each class.

    Returns:
        Classes along the path.
    """
    classes = range(len(excess))
    source = next(k for k in classes if excess[k] > 0)
    distance = [0.0 if k == source else float('inf') for k in classes]
    before = [source] * len(excess)
    for _ in classes:
        for a in classes:
            for b in classes:
                # Rounding must not make a cycle of zero cost look like a gain.
                if a != b and distance[a] + costs[a][b] < distance[b] - 1e-12:
                    distance[b], before[b] = distance[a] + costs[a][b], a
    target = min((k for k in classes if excess[k] < 0), key=lambda k: distance[k])
    path = [target]
    while path[-1] != source:
        path.append(before[path[-1]])
    return path[::-1]


def tied_pixels(scores: Tensor, labels: Tensor, a: int, b: int, cost: Tensor) -> Tensor:
    """Pixels of class a that move to class b at the lowest cost, in order of their place.

    Args:
        scores: (K, P) float64.
        labels: (P,) int64.
        a: From.
        b: To.
        cost: Lowest cost of this move.

    Returns:
        Indices of pixels.
    """
    return ((labels == a) & (scores[a] - scores[b] <= cost)).nonzero()[:, 0]
