"""Two mappings beside each other: what only one has, what both have and differs. For configurations and packages.

Pure. Which mappings they are is the caller's; how it is shown is `mlhub.cli.diff`'s and `mlhub.report`'s.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from mlhub.compare.configs import canonical

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Difference:
    """By key: what only A has, what only B has, and the pairs of values that differ. `same`: keys that agree."""

    only_a: Mapping[str, Any]
    only_b: Mapping[str, Any]
    changed: Mapping[str, tuple[Any, Any]]
    same: int

    def __len__(self) -> int:
        """How many keys differ."""
        return len(self.only_a) + len(self.only_b) + len(self.changed)

    def to_json(self) -> dict[str, Any]:
        """The three mappings; a pair as a list of two."""
        changed = {key: list(pair) for key, pair in self.changed.items()}
        return {"only_a": dict(self.only_a), "only_b": dict(self.only_b), "changed": changed, "same": self.same}


def differ(a: Mapping[str, Any], b: Mapping[str, Any]) -> Difference:
    """What differs between two mappings, keys in A's order, then B's. 1 and 1.0 are equal, missing is not null."""
    changed = {key: (a[key], b[key]) for key in a if key in b and canonical(a[key]) != canonical(b[key])}
    only_a = {key: value for key, value in a.items() if key not in b}
    only_b = {key: value for key, value in b.items() if key not in a}
    return Difference(only_a, only_b, changed, len(a) - len(only_a) - len(changed))


def differ_packages(a: Mapping[str, Any], b: Mapping[str, Any]) -> Difference:
    """Versions by package, `Foo-Bar` and `foo_bar` being one package as for pip (PEP 503)."""
    return differ(_normalised(a), _normalised(b))


def _normalised(packages: Mapping[str, Any]) -> dict[str, Any]:
    found = {"-".join(filter(None, _split(name))): version for name, version in packages.items()}
    return dict(sorted(found.items()))


def _split(name: str) -> list[str]:
    return name.lower().replace("_", "-").replace(".", "-").split("-")
