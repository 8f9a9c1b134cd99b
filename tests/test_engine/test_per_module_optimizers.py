import copy

import pytest
import torch
from mmengine.optim import build_optim_wrapper
from torch import nn

import mmseg_pfdiff  # noqa: F401

SETTINGS = dict(
    constructor='PerModuleOptimWrapperConstructor',
    optimizer=dict(type='Adam', lr=2e-4, betas=(0.5, 0.999)),
    modules=dict(generator=dict(), discriminator=dict(optimizer=dict(lr=1e-3), clip_grad=dict(max_norm=2.0))),
)


def make_model():
    model = nn.Module()
    model.generator, model.discriminator = nn.Linear(2, 3), nn.Linear(3, 1)
    return model


def test_each_module_has_an_optimizer_of_its_own():
    model, settings = make_model(), copy.deepcopy(SETTINGS)
    wrappers = build_optim_wrapper(model, settings)
    assert list(wrappers.keys()) == ['generator', 'discriminator'] and settings == SETTINGS
    for name, wrapper in wrappers.items():
        held = [weight for group in wrapper.optimizer.param_groups for weight in group['params']]
        assert [id(w) for w in held] == [id(w) for w in getattr(model, name).parameters()]
        assert type(wrapper.optimizer) is torch.optim.Adam
        assert wrapper.optimizer.defaults['betas'] == (0.5, 0.999)
    assert wrappers.get_lr() == {'generator.lr': [2e-4], 'discriminator.lr': [1e-3]}
    assert wrappers['generator'].clip_grad_kwargs is None
    assert wrappers['discriminator'].clip_grad_kwargs == dict(max_norm=2.0)


def test_shared_settings_reach_every_module():
    settings = SETTINGS | dict(accumulative_counts=4, paramwise_cfg=dict(bias_lr_mult=2.0))
    wrappers = build_optim_wrapper(make_model(), settings)
    assert [wrapper._accumulative_counts for wrapper in wrappers.values()] == [4, 4]
    rates = [[group['lr'] for group in wrapper.optimizer.param_groups] for wrapper in wrappers.values()]
    assert rates == [[2e-4, 4e-4], [1e-3, 2e-3]]


def test_states_of_both_optimizers_are_kept():
    torch.manual_seed(0)
    model = make_model()
    wrappers = build_optim_wrapper(model, SETTINGS)
    wrappers['discriminator'].update_params(model.discriminator(model.generator(torch.ones(1, 2))).sum())
    other = build_optim_wrapper(model, SETTINGS)
    other.load_state_dict(copy.deepcopy(wrappers.state_dict()))
    state = other['discriminator'].state_dict()['state']
    assert len(state) == 2 and state[0]['step'] == 1 and not other['generator'].state_dict()['state']


@pytest.mark.parametrize('names', [('generator',), ('generator', 'discriminator', 'critic')])
def test_modules_must_be_those_with_weights(names):
    settings = SETTINGS | dict(modules={name: dict() for name in names})
    with pytest.raises(ValueError, match=r"weights in \['discriminator', 'generator'\]"):
        build_optim_wrapper(make_model(), settings)


def test_modules_must_be_named():
    with pytest.raises(ValueError, match='must name the parts'):
        build_optim_wrapper(make_model(), {key: SETTINGS[key] for key in ('constructor', 'optimizer')})
