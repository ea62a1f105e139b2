"""GPUs for tests on a machine without: `tests/fake_nvml` in the environment of the processes under test."""

from __future__ import annotations

import importlib.util
import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

_FOLDER = Path(__file__).with_name("fake_nvml")
GIB = 1 << 30


def h100(**changes: Any) -> dict[str, Any]:
    """A discrete card that tells everything and does nothing; `changes` replace fields, None takes one away."""
    memory = {"total": 80 * GIB, "used": 0}
    idle = {"name": "NVIDIA H100", "memory": memory, "utilization": 0, "temperature": 40, "power": 70.5,
            "power_limit": 700, "clock": 345, "processes": []}  # fmt: skip
    return idle | changes


class FakeNvml:
    """What NVML answers to processes started with `environment`; `set` changes it under them."""

    def __init__(self, folder: Path, *gpus: dict[str, Any]) -> None:
        self.path = folder / "nvml.json"
        self.environment = {"FAKE_NVML": str(self.path), "PYTHONPATH": str(_FOLDER)}
        self.set(*gpus)

    def set(self, *gpus: dict[str, Any], driver: bool = True) -> None:
        gpus = tuple({"uuid": f"GPU-{index}"} | gpu for index, gpu in enumerate(gpus))
        temporary = self.path.with_suffix(".new")
        temporary.write_text(json.dumps({"driver": driver, "gpus": gpus}))
        os.replace(temporary, self.path)

    def install(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """The same for this very process."""
        spec = importlib.util.spec_from_file_location("pynvml", _FOLDER / "pynvml.py")
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        monkeypatch.setitem(sys.modules, "pynvml", module)
        monkeypatch.setenv("FAKE_NVML", str(self.path))
