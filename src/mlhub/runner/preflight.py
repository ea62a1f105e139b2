"""What must be there before a training starts, looked at in milliseconds: packages, data set, weights.

Each failure names the commands to type. Not a check of the preset's values: that is `mlhub.config`.
"""

from __future__ import annotations

from mlhub.adapters import HASHING
from mlhub.data.prepare import find, known
from mlhub.errors import MlhubError, NotFoundError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from mlhub.config import RunConfig
    from mlhub.paths import Home


def check_packages() -> None:
    """Raises MlhubError if the packages of `mlhub[hashing]` are not installed."""
    if absent := HASHING.missing():
        raise MlhubError(
            f"{', '.join(absent)}: not installed, and this needs {'it' if len(absent) == 1 else 'them'}",
            f"pip install 'mlhub[{HASHING.extra}]'",
        )


def check(config: RunConfig, home: Home) -> None:
    """Raises MlhubError, all that is missing in one line and all that is to be typed in another."""
    from mlhub.data.weights import missing

    check_packages()
    problems: list[tuple[str, str]] = []
    if config.data.dataset not in known():  # those the training makes by itself
        try:
            find(config.data.dataset, home)
        except NotFoundError as error:
            problems.append((error.message, error.hint))
    if lack := missing(config.model.backbone, config.model.pretrained):
        problems.append(lack)
    if problems:
        raise MlhubError("; ".join(what for what, _ in problems), " Then: ".join(how for _, how in problems))
