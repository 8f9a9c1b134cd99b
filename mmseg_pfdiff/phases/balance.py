"""Biases of classes that give soft label maps the shares wanted, by damped Newton steps."""

import torch
from torch import Tensor


def balanced_biases(
    logits: Tensor,
    shares: Tensor,
    biases: Tensor,
    *,
    steps: int,
    limit: float,
    damping: float,
    relative_damping: float = 0.0,
) -> Tensor:
    """Lowers D(b) = mean_i log sum_k exp(l_ik + b_k) - sum_k c_k b_k, which is convex: b solves mean_i p_ik = c_k.

    Here p_ik is the softmax of l_ik + b_k over the classes k, a mean is one over the pixels i.

    Args:
        logits: l, (..., K, P) float.
        shares: c, (..., K) float, each row sums to 1.
        biases: b, (..., K) float, where to start.
        steps: Newton steps.
        limit: Largest change of a bias in a step: further away the quadratic model of D does not hold, and where all
            pixels are decided no bias may run away.
        damping: Added to the diagonal of the Hessian, which is blind to a bias that all classes share.
        relative_damping: Likewise, as a part of the largest element of the diagonal.

    Returns:
        b, (..., K).
    """
    identity = torch.eye(logits.shape[-2], dtype=logits.dtype, device=logits.device)
    for _ in range(steps):
        soft = (logits + biases[..., None]).softmax(-2)
        mean = soft.mean(-1)
        hessian = torch.diag_embed(mean) - soft @ soft.mT / soft.shape[-1]
        largest = hessian.diagonal(dim1=-2, dim2=-1).amax(-1)[..., None, None]
        regular = hessian + (relative_damping * largest + damping) * identity
        # Without a look at whether it could be solved, for which a GPU would have to be waited for: it is regular.
        step = torch.linalg.solve_ex(regular, mean - shares).result
        biases = biases - step.clamp(-limit, limit)
    return biases
