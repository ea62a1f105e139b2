"""The peers that benches measure us beside, each in a virtual environment of its own; made on first use, then kept.

    python bench/peers.py [NAME ...]      make them now, so that no bench has to

They lie below `~/.cache/mlhub-bench` (or `MLHUB_BENCH_CACHE`), a folder a peer and version. A peer that can't be
installed is reported by each bench as "not installed", with the reason: none is left out in silence.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import time
from dataclasses import dataclass
from pathlib import Path

CACHE = Path(os.environ.get("MLHUB_BENCH_CACHE", Path.home() / ".cache" / "mlhub-bench"))


@dataclass(frozen=True)
class Peer:
    """What is installed. `beside`: torch and Lightning of this project's environment are importable too, not mlhub."""

    requirements: tuple[str, ...]
    beside: bool = False


#: setuptools: two of them still import pkg_resources
PEERS = {
    "wandb": Peer(("wandb==0.31.*",), beside=True),
    "mlflow": Peer(("mlflow==3.*",)),
    "trackio": Peer(("trackio==0.*",)),
    "tensorboard": Peer(("tensorboard==2.*",), beside=True),
    "aim": Peer(("aim==3.*", "setuptools<81")),
    "guildai": Peer(("guildai==0.9.*", "setuptools<81")),
    "dvc": Peer(("dvc==3.*",)),
    "dvclive": Peer(("dvclive==3.*",)),
    "orjson": Peer(("orjson==3.*",)),
}


class NotInstalledError(Exception):
    """Why a peer is not there, in one line."""


def python(name: str) -> Path:
    """The interpreter of a peer's environment, made if need be. Raises NotInstalledError."""
    peer = PEERS[name]
    folder = CACHE / "-".join((name, *peer.requirements[0].replace("*", "x").split("==")[1:]))
    interpreter = folder / "bin" / "python"
    failed = folder.with_suffix(".failed")
    if interpreter.exists() and (folder / "installed").exists():
        return interpreter
    if failed.exists() and time.time() - failed.stat().st_mtime < 86_400:  # not tried again for a day
        raise NotInstalledError(failed.read_text())
    try:
        _install(folder, peer)
    except subprocess.CalledProcessError as error:
        shutil.rmtree(folder, ignore_errors=True)
        reason = next((line for line in reversed((error.stderr or "").splitlines()) if line.strip()), str(error))
        failed.write_text(reason)
        raise NotInstalledError(reason) from None
    return interpreter


def _install(folder: Path, peer: Peer) -> None:
    """Raises CalledProcessError with what pip said."""
    print(f"  installing {peer.requirements[0]} into {folder} …", end="", file=sys.stderr, flush=True)
    begin = time.monotonic()
    shutil.rmtree(folder, ignore_errors=True)
    try:
        _call([sys.executable, "-m", "venv", str(folder)])
        _call([str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", *peer.requirements])
        if peer.beside:
            # a .pth in a folder that a .pth names is not read: an editable mlhub stays unknown here
            purelib = next((folder / "lib").glob("python3*")) / "site-packages"
            (purelib / "beside.pth").write_text(sysconfig.get_path("purelib") + "\n")
        (folder / "installed").touch()
    finally:
        print(f" {time.monotonic() - begin:.0f} s", file=sys.stderr, flush=True)


def _call(command: list[str]) -> None:
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


def version(name: str) -> str:
    """The version that is installed."""
    package = PEERS[name].requirements[0].split("==")[0]
    code = f"import importlib.metadata as m; print(m.version({package!r}))"
    return subprocess.run([python(name), "-c", code], check=True, capture_output=True, text=True).stdout.strip()


def main() -> None:
    for name in sys.argv[1:] or PEERS:
        try:
            print(f"{name:<12} {version(name)}", flush=True)
        except NotInstalledError as reason:
            print(f"{name:<12} not installed: {reason}", flush=True)


if __name__ == "__main__":
    main()
