"""Settings of a trained model, read from it and JSON-like; a model built from them; and its identity, made of them.

Settings are the arguments of the constructor. The resolved config does not do for them: it lacks the defaults, so that
equal networks would have several identities, and what was changed after building, such as the sampler. diffusers'
ConfigMixin, too, keeps what a constructor was given, in whatever form, and not what the model became.
"""

import inspect
from collections.abc import Mapping
from typing import Any

from mmengine.config import Config
from torch import nn

from ..models.diffusion.base import PairDiffusion
from ..models.diffusion.pf_diffseg import PFDiffSeg
from ..models.diffusion.samplers import Sampler
from ..models.diffusion.super_resolution import PairSuperResolution
from ..models.diffusion.unet import PairUNet
from ..models.gan.mask_painter import MaskPainter
from ..models.gan.painter import PairPainter
from ..models.gan.painter_networks import PainterNetwork
from ..models.preprocessor import PairDataPreprocessor
from .limits import UNFIT, one_line
from .weights import drawing_weights, tensors_sha256

# Settings from a file may name these classes and no others.
MODEL_CLASSES = {model.__name__: model for model in (PFDiffSeg, PairSuperResolution, PairPainter, MaskPainter)}
# What a model tells its U-Net by itself.
UNET_GIVEN = ('in_channels', 'out_channels', 'num_fractions', 'noise_level_input')
PAINTER_GIVEN = ('mask_channels', 'factor', 'look_numbers')
LOOKS_GIVEN = ('num_classes', 'side')
# What a painter needs for its training alone.
PAINTER_TRAINING = (
    'discriminator',
    'crop',
    'lambda_low',
    'lambda_features',
    'lambda_spectrum',
    'max_noise',
)


def has_settings(model: Any) -> bool:
    """Whether :func:`read_settings` can read a model: one of :data:`MODEL_CLASSES`, of parts that are ours as well."""
    name, network = ('generator', PainterNetwork) if isinstance(model, PairPainter) else ('unet', PairUNet)
    parts = (getattr(model, part, None) for part in ('data_preprocessor', name))
    ours = [type(part) for part in parts] == [PairDataPreprocessor, network]
    return ours and MODEL_CLASSES.get(type(model).__name__) is type(model)


def read_settings(model: PairDiffusion | PairPainter) -> dict:
    """The settings of which :func:`build_from_settings` makes an equal model, but for its weights.

    An argument of a constructor is read from the attribute of the same name, so changes made after building count;
    the few that are kept otherwise are read by the functions below.

    Args:
        model: One of :data:`MODEL_CLASSES`.

    Returns:
        JSON-like arguments with `type`, the name of the class; of a painter those that drawing needs.

    Raises:
        TypeError: An argument that no attribute tells.
        ValueError: Another class.
    """
    name = type(model).__name__
    if not has_settings(model):
        raise ValueError(
            f'Models that can be written are {sorted(MODEL_CLASSES)} of the parts that this package gives them, whose '
            f'settings a reader knows; got a {name} with a {type(model.data_preprocessor).__name__} and a '
            f'{type(getattr(model, "unet", getattr(model, "generator", None))).__name__}.'
        )
    known = dict(data_preprocessor=_preprocessor_settings(model.data_preprocessor))
    if isinstance(model, PairPainter):
        known['generator'] = _arguments(model.generator, {}, drop=PAINTER_GIVEN)
        known['grain'] = _arguments(model.grain, {})
        if isinstance(model, MaskPainter):
            known['looks'] = _arguments(model.looks, {}, drop=LOOKS_GIVEN)
        return dict(type=name, **_arguments(model, known, drop=PAINTER_TRAINING))
    return dict(type=name, **_arguments(model, known | _diffusion_settings(model)))


def _diffusion_settings(model: PairDiffusion) -> dict:
    """The arguments of a diffusion model that are kept in another form than they were given in."""
    guidance = model.fraction_guidance
    return dict(
        unet=_arguments(model.unet, dict.fromkeys(UNET_GIVEN) | dict(model.unet.net.config), drop=UNET_GIVEN),
        sampler=sampler_settings(model.sampler),
        num_train_timesteps=model.training_schedule.config.num_train_timesteps,
        noise_schedule=_schedule_settings(model.training_schedule.config),
        fraction_guidance=guidance.weight if guidance is not None else 0.0,
    )


def build_from_settings(settings: Mapping[str, Any]) -> PairDiffusion | PairPainter:
    """A model with random weights.

    Args:
        settings: As :func:`read_settings` returns them.

    Returns:
        The model.

    Raises:
        ValueError: A class that is not allowed, or arguments it does not take from a file.
    """
    arguments = dict(settings)
    model_class = MODEL_CLASSES.get(arguments.pop('type', None))
    preprocessor = arguments.get('data_preprocessor', {}).get('type')
    if model_class is None or preprocessor != PairDataPreprocessor.__name__:
        raise ValueError(
            f'A model must be of {sorted(MODEL_CLASSES)} with a {PairDataPreprocessor.__name__}, got '
            f'{settings.get("type")!r} with {preprocessor!r}. Other classes are not loaded from a file.'
        )
    # No weights come with a discriminator, so that nothing but these settings would say how large it is.
    training = [name for name in PAINTER_TRAINING if name in arguments] if issubclass(model_class, PairPainter) else []
    if training:
        raise ValueError(
            f'{", ".join(training)}: a painter that draws has no settings of its training. Leave them out.'
        )
    if issubclass(model_class, PairPainter):
        # It judges nothing: the smallest judge, as to set up one of the usual size takes a second without memory.
        arguments['discriminator'] = dict(channels=(1,))
    try:
        return model_class(**arguments)
    except UNFIT as error:
        raise ValueError(
            f'The settings do not fit {model_class.__name__} of this version of mmseg_pfdiff: {one_line(error)}'
        ) from error


def sampler_settings(sampler: Sampler) -> dict:
    """The arguments of a :class:`Sampler`, JSON-like."""
    return dict(
        type=sampler.scheduler_class.__name__,
        **_arguments(sampler, known=dict(type=None), drop=('type',)),
        **sampler.scheduler_args,
    )


def describe_model(model: nn.Module, config: Config | None = None) -> dict:
    """The identity of a trained model in a pair folder, the same from a checkpoint as from an exported folder.

    The settings are written out and not hashed as well, so that a folder made by other ones can say which:
    `generator.settings.fraction_guidance is 1 there and 0.5 here`.

    Args:
        model: As loaded, on the CPU, before anything else is done with it.
        config: Of the model; tells the settings of one that cannot be exported.

    Returns:
        JSON-like: `type`, its class; `settings`, the arguments it was built with, defaults included where the model
        can be exported and as the config has them where not; `tensors_sha256` of the weights that draw; and
        `sampler`, if it has one.
    """
    sampler = getattr(model, 'sampler', None)
    settings = dict(read_settings(model) if has_settings(model) else config.model)
    for key in ('type', 'sampler'):
        settings.pop(key, None)
    described = dict(
        type=type(model).__name__, settings=canonical(settings), tensors_sha256=tensors_sha256(drawing_weights(model))
    )
    return described if sampler is None else dict(described, sampler=canonical(sampler_settings(sampler)))


def canonical(value: Any) -> Any:
    """Settings in the one form that they have in a JSON file, however they were written.

    Args:
        value: Nested dicts, lists, tuples, numbers, texts, classes.

    Returns:
        Dicts with sorted keys, lists, numbers (whole ones as int: 1.0 and 1 are one setting), texts.
    """
    if isinstance(value, Mapping):
        return {str(key): canonical(value[key]) for key in sorted(value, key=str)}
    if isinstance(value, list | tuple):
        return [canonical(item) for item in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if value is None or isinstance(value, bool | int | float | str):
        return value
    return f'{value.__module__}.{value.__qualname__}' if isinstance(value, type) else str(value)


def _preprocessor_settings(preprocessor: PairDataPreprocessor) -> dict:
    codec = preprocessor.codec
    known = dict(
        num_classes=codec.num_classes,
        code='simplex' if codec.is_simplex else 'palette',
        # The inverse of the scaling in `palette_codes`.
        palette=None if codec.is_simplex else ((codec.codes + 1) * 127.5).round().int().tolist(),
        non_blocking=False,
    )
    arguments = _arguments(preprocessor, known, drop=('non_blocking',))  # how tensors travel is no trait of a model
    return dict(type=type(preprocessor).__name__, **arguments)


def _schedule_settings(config: Mapping[str, Any]) -> dict:
    """Arguments of the training schedule that were given.

    Those left at a default must stay so: a sampler takes over what was given and uses its own defaults for the rest.
    """
    left = {*config.get('_use_default_values', ()), 'num_train_timesteps'}
    return {key: value for key, value in config.items() if key not in left and not key.startswith('_')}


def _arguments(owner: Any, known: Mapping[str, Any], drop: tuple[str, ...] = ()) -> dict:
    """The constructor arguments of an object, from `known` or from attributes of their names."""
    arguments = {}
    for name in _argument_names(type(owner)):
        if name in drop:
            continue
        if name not in known and not hasattr(owner, name):
            raise TypeError(
                f'{type(owner).__name__} does not tell its argument {name!r}: keep it as an attribute of that name, '
                'or read it in settings.py.'
            )
        arguments[name] = known[name] if name in known else getattr(owner, name)
    return arguments


def _argument_names(owner: type) -> list[str]:
    """Names of the arguments of a constructor, and those of its base classes where it passes **kwargs on."""
    names: list[str] = []
    for base in owner.__mro__:
        if '__init__' not in vars(base):
            continue
        parameters = list(inspect.signature(base.__init__).parameters.values())[1:]
        names += [p.name for p in parameters if p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL) and p.name not in names]
        if not any(p.kind == p.VAR_KEYWORD for p in parameters):
            break
    return names
