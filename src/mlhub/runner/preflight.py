"""What must be there before a training starts, looked at in milliseconds: packages, data set, weights.

Each failure names the commands to type. Not a check of the preset's values: that is `mlhub.config`.
"""

from __future__ import annotations

from mlhub.adapters import HASHING
from mlhub.data.prepare import check as check_data
from mlhub.data.weights import require
from mlhub.errors import MlhubError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from mlhub.adapters.plain import PlainConfig
    from mlhub.config import RunConfig
    from mlhub.paths import Home


def check_packages() -> None:
    """Raises MlhubError if the packages of `mlhub[hashing]` are not installed."""
    if absent := HASHING.missing():
        raise MlhubError(
            f"{', '.join(absent)}: not installed, and this needs {'it' if len(absent) == 1 else 'them'}",
            f"pip install 'mlhub[{HASHING.extra}]'",
        )


def check(config: RunConfig | PlainConfig | None, home: Home) -> None:
    """Raises MlhubError, all that is missing in one line and all that is to be typed in another.

    What a project's own config needs, only its scripts know.
    """
    from mlhub.config import RunConfig

    if not isinstance(config, RunConfig):
        return
    check_packages()
    missing: list[MlhubError] = []
    for name in dict.fromkeys((config.data.dataset, *config.data.mix)):
        try:
            check_data(name, home)
        except MlhubError as error:
            missing.append(error)
    try:
        require(config.model)
    except MlhubError as error:
        missing.append(error)
    if missing:
        raise MlhubError("; ".join(e.message for e in missing), " ".join(e.hint for e in missing))
