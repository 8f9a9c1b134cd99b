"""PerModuleOptimWrapperConstructor: one optimizer for each named part of a model, as adversarial training needs."""

from collections.abc import Mapping

from mmengine.model import is_model_wrapper
from mmengine.optim import OptimWrapperDict, build_optim_wrapper
from mmseg.registry import OPTIM_WRAPPER_CONSTRUCTORS
from torch import nn


@OPTIM_WRAPPER_CONSTRUCTORS.register_module()
class PerModuleOptimWrapperConstructor:
    """Builds an `OptimWrapperDict` with an optimizer for each of some child modules, under their names.

    In a config, what stands beside `modules` holds for all of them, so that `--amp` and the like reach each optimizer:

        optim_wrapper = dict(
            constructor='PerModuleOptimWrapperConstructor',
            optimizer=dict(type='Adam', lr=2e-4),
            modules=dict(generator=dict(), discriminator=dict(optimizer=dict(lr=1e-4))),
        )

    Args:
        optim_wrapper_cfg: `modules`, a dict of the settings that each child module has on its own, by the module's
            name; everything else as for a single optimizer.
        paramwise_cfg: Of mmengine's `DefaultOptimWrapperConstructor`, for all modules.

    Raises:
        ValueError: No `modules`.
    """

    def __init__(self, optim_wrapper_cfg: dict, paramwise_cfg: dict | None = None) -> None:
        self.shared = dict(optim_wrapper_cfg)
        self.modules = self.shared.pop('modules', None)
        if not self.modules:
            raise ValueError(
                'optim_wrapper.modules must name the parts of the model to optimise, as in '
                f'modules=dict(generator=dict(), discriminator=dict()); got {self.modules}.'
            )
        if paramwise_cfg is not None:
            self.shared['paramwise_cfg'] = paramwise_cfg

    def __call__(self, model: nn.Module) -> OptimWrapperDict:
        """Builds the optimizers.

        Args:
            model: Has the named children; may be wrapped for distributed training.

        Returns:
            One optimizer wrapper for each name.

        Raises:
            ValueError: The model has no child of a name, or a part with trainable weights is named by none.
        """
        model = model.module if is_model_wrapper(model) else model
        children = dict(model.named_children())
        trainable = {name.split('.')[0] for name, weight in model.named_parameters() if weight.requires_grad}
        if not set(self.modules) <= set(children) or not trainable <= set(self.modules):
            raise ValueError(
                f'optim_wrapper.modules names {sorted(self.modules)}, {type(model).__name__} has trainable weights in '
                f'{sorted(trainable)}. Name just these.'
            )
        return OptimWrapperDict(
            **{
                name: build_optim_wrapper(children[name], merged(self.shared, settings))
                for name, settings in self.modules.items()
            }
        )


def merged(shared: Mapping, own: Mapping) -> dict:
    """Settings with others over them, dicts within dicts too; a new dict."""
    result = dict(shared)
    for key, value in own.items():
        both = isinstance(value, Mapping) and isinstance(result.get(key), Mapping)
        result[key] = merged(result[key], value) if both else value
    return result
