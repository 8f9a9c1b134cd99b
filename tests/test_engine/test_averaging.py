from types import SimpleNamespace

import torch
from mmengine.runner.checkpoint import get_state_dict

from mmseg_pfdiff.engine.averaging import GANAveragingHook

from ..generators import make_painter


def averaging(model):
    hook = GANAveragingHook(ema_type='MomentumAnnealingEMA', momentum=0.5)
    hook.before_run(SimpleNamespace(model=model))
    return hook


def test_averages_are_found_again_where_each_network_is_wrapped():
    model = make_painter(seed=1)
    before = averaging(model)
    average = make_painter(seed=2)
    before.ema_model.module.load_state_dict(average.state_dict())
    before.ema_model.steps.fill_(7)
    checkpoint = dict(state_dict=model.state_dict())
    before.before_save_checkpoint(None, checkpoint)
    # Who loads it to draw gets the averages.
    assert all(torch.equal(value, average.state_dict()[name]) for name, value in checkpoint['state_dict'].items())
    resumed = make_painter(seed=3)
    for name in ('generator', 'discriminator'):  # as in distributed training
        setattr(resumed, name, torch.nn.DataParallel(getattr(resumed, name)))
    after = averaging(resumed)
    after.after_load_checkpoint(SimpleNamespace(_resume=True), checkpoint)
    assert after.ema_model.steps == 7
    loaded = get_state_dict(after.ema_model.module)
    assert loaded.keys() == average.state_dict().keys()
    assert all(torch.equal(value, average.state_dict()[name]) for name, value in loaded.items())
    assert all(torch.equal(value, model.state_dict()[name]) for name, value in checkpoint['state_dict'].items())
