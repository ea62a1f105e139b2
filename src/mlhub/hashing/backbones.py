"""Backbones by name behind one interface: `tiny`, and every model of open_clip. Not the head: `mlhub.hashing.model`."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, Self

import torch
from torch import Tensor, nn

from mlhub.errors import MlhubError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from PIL import Image

    from mlhub.config import ModelConfig

#: tokens of a batch of texts, as the backbone wants them
Tokens = tuple[Tensor, ...]


class Backbone(nn.Module):
    """Two towers. Images go `picture` (once, kept) → `batch` (every step) → `images`; texts go `tokens` → `texts`."""

    name: str
    image_dim: int
    text_dim: int

    @abstractmethod
    def picture(self, image: Image.Image) -> Tensor:
        """uint8 of one fixed shape: what is kept of an image."""

    def check(self, documents: int) -> None:
        """Raise MlhubError if `fit` could not take so many documents."""

    def fit(self, pictures: Tensor, documents: Sequence[str]) -> None:
        """Take what training needs to begin from the training pictures and from the captions, one text a concept."""

    def keep(self, pictures: Tensor) -> Tensor:
        """[r, n, …]: renderings of the training pictures [n, …] to draw from; the picture itself is the first."""
        return pictures.unsqueeze(0)

    @abstractmethod
    def batch(self, pictures: Tensor, generator: torch.Generator | None) -> Tensor:
        """What `images` takes, made of pictures [n, …] uint8 on the CPU; augmented if there is a generator."""

    @abstractmethod
    def images(self, batch: Tensor) -> Tensor:
        """[n, image_dim]"""

    @abstractmethod
    def tokens(self, texts: Sequence[str]) -> Tokens:
        """What `texts` takes."""

    @abstractmethod
    def texts(self, tokens: Tokens) -> Tensor:
        """[n, text_dim]"""


class OpenClip(Backbone):
    """A model of open_clip, with its own transforms and tokenizer."""

    def __init__(self, name: str, pretrained: str | None, most_words: int = 64, *, frozen: bool = False) -> None:
        super().__init__()
        import open_clip

        if name not in open_clip.list_models() and not name.startswith(("hf-hub:", "local-dir:")):
            raise MlhubError(
                f"model.backbone: open_clip knows no model {name}", "Use tiny, or a name of open_clip.list_models()."
            )
        try:
            clip, _, transform = open_clip.create_model_and_transforms(name, pretrained=pretrained or None)
        except (OSError, RuntimeError, ValueError) as error:
            raise MlhubError(
                f"{name} ({pretrained}) can't be loaded: {_first_line(error)}", "mlhub doctor tells what is missing."
            ) from error
        self.name = name
        self.most_words = most_words
        self.clip = clip
        self.frozen = frozen
        if frozen:
            self.clip.requires_grad_(False)
        self._tokenizer = open_clip.get_tokenizer(name)
        self._geometry, self._mean, self._std = _split_transform(transform)
        with torch.no_grad():
            self.text_dim = int(self.clip.encode_text(self.tokens(["a"])[0]).shape[1])
        self.image_dim = self.text_dim

    def train(self, mode: bool = True) -> Self:
        super().train(mode)
        if self.frozen:
            self.clip.eval()  # its dropout and statistics are not ours to disturb
        return self

    def picture(self, image: Image.Image) -> Tensor:
        pixels: Tensor = self._geometry(image.convert("RGBA"))
        colours, alpha = pixels[:3].float(), pixels[3:].float() / 255
        return (colours * alpha + 255 * (1 - alpha)).round().to(torch.uint8)

    def batch(self, pictures: Tensor, generator: torch.Generator | None) -> Tensor:
        pixels = pictures.float() / 255
        if generator is not None:
            pixels = _crop_and_colour(pixels, generator)
        return (pixels - self._mean) / self._std

    def images(self, batch: Tensor) -> Tensor:
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self.frozen):
            vectors: Tensor = self.clip.encode_image(batch)
        return vectors

    def tokens(self, texts: Sequence[str]) -> Tokens:
        return (self._tokenizer([first_words(text, self.most_words) for text in texts]),)

    def texts(self, tokens: Tokens) -> Tensor:
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self.frozen):
            vectors: Tensor = self.clip.encode_text(tokens[0])
        return vectors


def first_words(text: str, most: int) -> str:
    return " ".join(text.split()[:most])


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0] or type(error).__name__


def _split_transform(transform: Any) -> tuple[Any, Tensor, Tensor]:  # noqa: ANN401 - torchvision's Compose
    """open_clip's transform as geometry on any mode, and the normalisation that follows."""
    from torchvision import transforms as tv

    geometry: list[Any] = []
    mean, std = torch.zeros(3), torch.ones(3)
    for step in transform.transforms:
        if isinstance(step, tv.Normalize):
            mean, std = torch.as_tensor(step.mean), torch.as_tensor(step.std)
        elif type(step).__name__.startswith(("Resize", "CenterCrop")):  # torchvision's and open_clip's own
            geometry.append(step)
    return tv.Compose([*geometry, tv.PILToTensor()]), mean.view(1, 3, 1, 1), std.view(1, 3, 1, 1)


def _crop_and_colour(pixels: Tensor, generator: torch.Generator) -> Tensor:
    """A random crop of at least .8 of each side, and ±20 % contrast: mild, as for a pretrained tower."""
    n = len(pixels)
    scale = 0.8 + 0.2 * torch.rand(n, generator=generator)
    shift = (torch.rand(n, 2, generator=generator) * 2 - 1) * (1 - scale).unsqueeze(1)
    zero = torch.zeros(n)
    rows = torch.stack([scale, zero, shift[:, 0], zero, scale, shift[:, 1]], dim=1).view(n, 2, 3)
    grid = nn.functional.affine_grid(rows, list(pixels.shape), align_corners=False)
    contrast = 0.8 + 0.4 * torch.rand(n, 1, 1, 1, generator=generator)
    moved = nn.functional.grid_sample(pixels, grid, align_corners=False, padding_mode="border")
    return ((moved - 0.5) * contrast + 0.5).clamp(0, 1)


def build(
    config: ModelConfig, image_size: int, most_words: int = 64, *, texts: Sequence[str] | None = None, words: int = 0
) -> Backbone:
    """The backbone of a configuration; of longer texts it reads the first `most_words` words.

    `tiny` takes its vocabulary from `texts` when training starts; `words` is its size when weights will be loaded.
    """
    if config.backbone == "tiny":
        from mlhub.hashing.tiny import Tiny

        return Tiny(image_size, config.hidden_dim, config.dropout, most_words, texts=texts, words=words)
    # weights about to be loaded from a checkpoint need no download, unless they were frozen and hence not in it
    pretrained = config.pretrained if texts is not None or config.freeze_backbone else None
    return OpenClip(config.backbone, pretrained, most_words, frozen=config.freeze_backbone)
