"""Whether more or less of a metric is better, by its name. Of a name that says nothing none is guessed."""

from __future__ import annotations

import re
from typing import Any, Literal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

Direction = Literal["max", "min"]

#: words, and pairs of words, of names that are to become greater, or smaller
_MAX = frozenset((
    "acc", "accuracy", "map", "ap", "ar", "recall", "precision", "auc", "auroc", "auprc", "aupr", "f", "fbeta",
    "fscore", "hit", "hits", "mrr", "ndcg", "bleu", "chrf", "rouge", "meteor", "cider", "spice", "iou", "miou", "giou",
    "dice", "jaccard", "psnr", "ssim", "score", "reward", "rewards", "return", "returns", "kappa", "mcc", "sensitivity",
    "specificity", "tpr", "tnr", "elo", "win", "wins", "winrate", "success", "throughput", "similarity", "correlation",
    "spearman", "pearson", "likelihood", "pass", "solved",
))  # fmt: skip
_MIN = frozenset((
    "loss", "losses", "error", "errors", "err", "perplexity", "ppl", "mse", "rmse", "mae", "mape", "msle", "nll", "bce",
    "kl", "kld", "divergence", "wer", "cer", "ter", "fid", "kid", "lpips", "brier", "ece", "fpr", "fnr", "eer",
    "regret", "latency", "bpb", "bpc", "bpd", "hausdorff", "chamfer", "overflow",
))  # fmt: skip
_PAIRS: dict[tuple[str, str], Direction] = {
    ("cross", "entropy"): "min", ("false", "positive"): "min", ("false", "positives"): "min",
    ("false", "negative"): "min", ("false", "negatives"): "min", ("true", "positive"): "max",
    ("true", "negative"): "max", ("exact", "match"): "max", ("per", "second"): "max", ("per", "sec"): "max",
}  # fmt: skip
#: of what stands beside such a word and is no measure of quality: `loss_scale`, `loss_weight`
_NEITHER = frozenset((
    "scale", "weight", "weights", "coef", "coefficient", "lambda", "lr", "rate", "temperature", "norm", "count", "step",
    "steps", "epoch", "size", "time", "seconds", "ratio", "threshold", "momentum", "decay", "scaler",
))  # fmt: skip
#: what is a rate of one of the words above, and therefore no rate as such
_KEEPS = frozenset(("rate", "ratio", "count"))
_SIGNS = frozenset(("positive", "negative"))
_WORD = re.compile(r"[a-z]+\d*|\d+")
_HUMP = re.compile(r"(?<=[a-z][a-z])(?=[A-Z])|(?<=[a-z])(?=[A-Z][a-z])")
#: `r1` and `r@10`: recall at so many; `r2`: R²; `f1`
_AT = re.compile(r"r\d+|f[12]|top\d+")


def direction_of(name: str) -> Direction | None:
    """`max` or `min` for what is good, None where the name doesn't say: `val/loss` min, `val/map_64` max, `lr` None.

    The last part of a path counts first (`loss/accuracy` is an accuracy), and of a part the last word (`acc_loss` is a
    loss). `neg` and `negative` before it turn it round.
    """
    for part in reversed(re.split(r"[/.:|]", name.replace("@", ""))):
        words = _WORD.findall(_HUMP.sub("_", part).lower())
        known, found = _of_words(words)
        if known:
            return found
    return None


def _of_words(words: list[str]) -> tuple[bool, Direction | None]:
    """Whether the words decide, and for what."""
    for index in range(len(words) - 1, -1, -1):
        word, before = words[index], words[index - 1] if index else ""
        pair = _PAIRS.get((before, word))
        if pair or (found := _of_word(word)):
            found = pair or found
            turned = not pair and any(one in ("neg", "negative") for one in words[:index])
            return True, ("min" if found == "max" else "max") if turned else found
        if word in _NEITHER and not (word in _KEEPS and any(_of_word(one) or one in _SIGNS for one in words[:index])):
            return True, None
    return False, None


def _of_word(word: str) -> Direction | None:
    stem = word.rstrip("0123456789")
    if word in _MAX or stem in _MAX or _AT.fullmatch(word):
        return "max"
    return "min" if word in _MIN or stem in _MIN else None


def directions(
    names: Iterable[str], configs: Iterable[Mapping[str, Any]] = (), known: Mapping[str, Direction] | None = None
) -> dict[str, Direction]:
    """Of each metric that has one. What a configuration says itself (`monitor` and `mode` side by side) counts most.

    `known`: what adapters say, which counts more than a name.
    """
    said = {**(known or {}), **{name: way for config in configs for name, way in _said(config)}}
    ways = {name: said.get(name) or direction_of(name) for name in names}
    return {name: way for name, way in ways.items() if way}


def _said(tree: Mapping[str, Any]) -> list[tuple[str, Direction]]:
    """Pairs of `monitor` and `mode` anywhere in a configuration, as Lightning's checkpoints and early stopping have."""
    found: list[tuple[str, Direction]] = []
    waiting: list[Any] = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, list):
            waiting += node
        elif isinstance(node, dict):
            waiting += node.values()
            monitor, mode = node.get("monitor"), node.get("mode")
            if isinstance(monitor, str) and mode in ("max", "min"):
                found.append((monitor, mode))
    return found
