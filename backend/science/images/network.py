"""The network itself: PyTorch and numpy only, so that its file runs wherever PyTorch does."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

# Pooling ends where the longer side has so few positions left.
POOLED_SIDE = 4
# Later layers have at most so many times the filters of the first.
MOST_GROWTH = 4
BATCH = 256
# Files of a network's folder.
WEIGHTS = "weights.npz"
DESCRIPTION = "network.json"


class ConvolutionalNetwork(nn.Module):
    """Blocks of convolution, normalisation and pooling, then one linear layer.

    Parameters
    ----------
    height, width, channels
        Shape of an image.
    classes
        Number of classes.
    filters
        Filters of the first block; each next one has twice as many, at most four times.
    dropout
        Share of features left out while learning.
    shift
        While learning, each image is moved by up to so many pixels.
    mean, spread
        Of the training pixels, each of length `channels`.
    """

    def __init__(
        self,
        *,
        height: int,
        width: int,
        channels: int,
        classes: int,
        filters: int,
        dropout: float = 0.0,
        shift: int = 0,
        mean: tuple[float, ...],
        spread: tuple[float, ...],
    ) -> None:
        super().__init__()
        self.shift = shift
        self.register_buffer("mean", torch.tensor(mean, dtype=torch.float32)[:, None, None])
        self.register_buffer("spread", torch.tensor(spread, dtype=torch.float32)[:, None, None])
        layers: list[nn.Module] = []
        before, after = channels, filters
        while True:
            layers += [
                nn.Conv2d(before, after, 3, padding=1, bias=False),
                nn.BatchNorm2d(after),
                nn.ReLU(),
                nn.MaxPool2d(2, ceil_mode=True),
            ]
            height, width = -(-height // 2), -(-width // 2)
            before, after = after, min(2 * after, MOST_GROWTH * filters)
            if max(height, width) <= POOLED_SIDE:
                break
        self.features = nn.Sequential(*layers)
        self.classes = nn.Sequential(
            nn.Flatten(), nn.Dropout(dropout), nn.Linear(before * height * width, classes)
        )

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Unnormalised log-probabilities.

        Parameters
        ----------
        images
            uint8, shape (n, height, width, channels).

        Returns
        -------
        Tensor of shape (n, classes)
        """
        pixels = images.permute(0, 3, 1, 2).float()
        pixels = (pixels - self.mean) / self.spread
        if self.training and self.shift:
            pixels = _moved(pixels, self.shift)
        return self.classes(self.features(pixels))


def _moved(images: torch.Tensor, most: int) -> torch.Tensor:
    """Each image moved at random; its edges are repeated."""
    count, _, height, width = images.shape
    padded = nn.functional.pad(images, (most, most, most, most), mode="replicate")
    offset = torch.randint(0, 2 * most + 1, (count, 2))
    rows = (offset[:, :1] + torch.arange(height))[:, :, None]
    columns = (offset[:, 1:] + torch.arange(width))[:, None, :]
    images_moved = padded[torch.arange(count)[:, None, None], :, rows, columns]
    return images_moved.permute(0, 3, 1, 2)


def restore(
    architecture: Mapping[str, Any], weights: Mapping[str, npt.NDArray[Any]]
) -> ConvolutionalNetwork:
    """A trained network from its numbers.

    Parameters
    ----------
    architecture
        Arguments of `ConvolutionalNetwork`.
    weights
        Its state, by name.
    """
    network = ConvolutionalNetwork(**architecture)
    network.load_state_dict({name: torch.tensor(value) for name, value in weights.items()})
    network.eval()
    return network


def probabilities(
    network: ConvolutionalNetwork, images: npt.NDArray[np.uint8]
) -> npt.NDArray[np.float64]:
    """Class probabilities of n images.

    Parameters
    ----------
    network
        In evaluation mode.
    images
        Shape (n, height, width, channels).

    Returns
    -------
    ndarray of shape (n, number of classes); each row sums to 1
    """
    parts: list[npt.NDArray[np.float64]] = []
    with torch.inference_mode():
        for start in range(0, len(images), BATCH):
            scores = network(torch.tensor(images[start : start + BATCH]))
            parts.append(torch.softmax(scores.double(), dim=1).numpy())
    return np.concatenate(parts)


class LoadedNetwork:
    """A network from its folder, with a `predict` as `mlflow.pyfunc` wants it.

    Parameters
    ----------
    folder
        Holds the weights, and the architecture and the classes as JSON.
    """

    def __init__(self, folder: Path) -> None:
        description = json.loads((folder / DESCRIPTION).read_text())
        with np.load(folder / WEIGHTS, allow_pickle=False) as weights:
            self.network = restore(description["architecture"], dict(weights))
        self.classes = np.array(description["classes"])

    def predict(
        self, images: npt.NDArray[Any], params: Mapping[str, Any] | None = None
    ) -> npt.NDArray[Any]:
        """The most probable class of each image.

        Parameters
        ----------
        images
            uint8, shape (n, height, width, channels).
        params
            MLflow's; there are none.

        Returns
        -------
        ndarray of shape (n,)
        """
        if params:
            raise ValueError("this model has no parameters")
        found: npt.NDArray[Any] = self.classes[probabilities(self.network, images).argmax(axis=1)]
        return found


def _load_pyfunc(folder: str) -> LoadedNetwork:
    """Called by MLflow when it loads the model."""
    return LoadedNetwork(Path(folder))
