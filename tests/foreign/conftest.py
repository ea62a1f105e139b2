"""Event files as torch writes them."""

from __future__ import annotations

import warnings

import pytest


@pytest.fixture
def summary_writer():
    """torch's SummaryWriter, closed at the end."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # TensorBoard's own imports
        from torch.utils.tensorboard import SummaryWriter  # noqa: TID251 - what writes them
    opened = []

    def make(folder, **options):
        opened.append(SummaryWriter(str(folder), **options))
        return opened[-1]

    yield make
    for writer in opened:
        writer.close()
