"""Arguments of command lines that several tools take."""

import argparse
from typing import Any

import torch
from mmengine.config import DictAction


class ConfigOptions(DictAction):
    """mmengine's action for `--cfg-options key=value ...`, which names what is no such thing."""

    def __call__(self, parser: argparse.ArgumentParser, namespace: argparse.Namespace, values: Any, *args) -> None:
        """Adds the settings to the namespace."""
        wrong = [text for text in values if not text.partition('=')[1] or not text.partition('=')[0]]
        if wrong:
            parser.error(f'{self.option_strings[0]} takes settings as key=value, got {wrong[0]!r}')
        super().__call__(parser, namespace, values, *args)


def seed_number(text: str) -> int:
    """A seed: a whole number, at least 0."""
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f'a seed is a whole number, at least 0; got {text!r}')
    return int(text)


def check_device(parser: argparse.ArgumentParser, device: str) -> None:
    """Ends the program, with a message, for a device that is not there.

    Args:
        parser: That parsed it.
        device: As given.
    """
    try:
        there = torch.empty(1, device=device).device.type != 'meta'  # which computes nothing
    except (AssertionError, RuntimeError, NotImplementedError):
        there = False
    if not there:
        parser.error(f'--device {device}: torch finds no such device here; use --device cpu')
