"""The multiclass Dice loss of segmentation_models_pytorch (smp) in the form mmsegmentation calls losses."""

from collections.abc import Sequence

from mmseg.registry import MODELS
from segmentation_models_pytorch.losses import DiceLoss
from torch import Tensor


@MODELS.register_module()
class SMPDiceLoss(DiceLoss):
    r"""One minus the soft Dice score of each class, averaged over the K classes.

    .. math:: L = \frac{1}{K} \sum_{k:\ \sum g_k > 0} 1 - \frac{2 \sum p_k g_k}{\sum p_k + \sum g_k}

    The sums run over the pixels of the whole batch that are not ignored. mmseg's own `DiceLoss` flattens all classes
    into one score and counts ignored pixels in its denominator, so that rare phases barely weigh.

    Args:
        ignore_index: Label without a say. What the decode head passes (its own `ignore_index`) comes first.
        class_weights: Weight of each class, K numbers, normalised by their sum. Equal by default.
        log_loss: Minus the logarithm of the score in place of one minus the score.
        smooth: Added to numerator and denominator.
        loss_weight: Factor of the whole loss.
        loss_name: Name in the log; has to start with `loss` to be differentiated.
    """

    def __init__(
        self,
        ignore_index: int | None = 255,
        class_weights: Sequence[float] | None = None,
        *,
        log_loss: bool = False,
        smooth: float = 0.0,
        loss_weight: float = 1.0,
        loss_name: str = 'loss_dice',
    ):
        super().__init__(
            mode='multiclass',
            from_logits=True,
            ignore_index=ignore_index,
            class_weights=class_weights,
            log_loss=log_loss,
            smooth=smooth,
        )
        self.loss_weight = loss_weight
        self.loss_name = loss_name

    def forward(
        self, pred: Tensor, target: Tensor, weight: Tensor | None = None, ignore_index: int | None = None
    ) -> Tensor:
        """Dice loss of a batch.

        Args:
            pred: (N, K, H, W) float logits.
            target: (N, H, W) integer labels, 0..K-1 or the ignored one.
            weight: Has to be None: Dice has no per-pixel weights.
            ignore_index: The decode head's, which it passes with every call.

        Returns:
            Scalar >= 0.

        Raises:
            ValueError: Pixel weights are given, i.e. the decode head has a `sampler`.
        """
        if weight is not None:
            raise ValueError(
                "SMPDiceLoss takes no pixel weights, got a map of them: remove the decode head's `sampler`."
            )
        if ignore_index is not None:
            self.ignore_index = ignore_index
        return self.loss_weight * super().forward(pred, target.long())
