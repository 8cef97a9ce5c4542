"""A trained network that behaves as a scikit-learn classifier; loads without PyTorch."""

import json
import pkgutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, Self

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, ClassifierMixin

from backend.science.extras import require
from backend.science.images.pixels import Pixels

# Imported by use: PyTorch is optional, and large.
TRAINING: Final = "backend.science.images.training"
NETWORK: Final = "backend.science.images.network"
LARGEST_PIXEL: Final = 255.0


def _ignore(_share: float, _text: str) -> None:
    """For whoever does not wait."""


class ImageClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """A convolutional network over labelled images.

    Parameters
    ----------
    epochs, learning_rate, batch_size, seed
        How to learn.
    filters, dropout, shift
        As in `network.ConvolutionalNetwork`.

    Attributes
    ----------
    classes_
        The labels, sorted.
    architecture_, weights_
        What `network.restore` takes: numbers only, so that the file outlives versions of PyTorch.
    """

    def __init__(
        self,
        *,
        epochs: int = 10,
        learning_rate: float = 0.003,
        batch_size: int = 32,
        filters: int = 32,
        dropout: float = 0.25,
        shift: int = 0,
        seed: int = 0,
    ) -> None:
        self.epochs = epochs
        self.learning_rate = learning_rate
        self.batch_size = batch_size
        self.filters = filters
        self.dropout = dropout
        self.shift = shift
        self.seed = seed

    def fit(
        self,
        images: Pixels,
        labels: npt.NDArray[Any],
        on_epoch: Callable[[float, str], None] = _ignore,
    ) -> Self:
        """Learn from n images.

        Parameters
        ----------
        images
            Shape (n, height, width, channels).
        labels
            Shape (n,).
        on_epoch
            Called with a share from 0 to 1 and a text.

        Raises
        ------
        ExtraMissing
            PyTorch is not installed.
        """
        require("torch")
        self.classes_, codes = np.unique(labels, return_inverse=True)
        mean, spread = _levels(images)
        self.architecture_ = {
            "height": images.shape[1],
            "width": images.shape[2],
            "channels": images.shape[3],
            "classes": len(self.classes_),
            "filters": self.filters,
            "dropout": self.dropout,
            "shift": self.shift,
            "mean": mean,
            "spread": spread,
        }
        training = pkgutil.resolve_name(f"{TRAINING}:Training")(
            epochs=self.epochs,
            learning_rate=self.learning_rate,
            batch_size=self.batch_size,
            seed=self.seed,
        )
        train = pkgutil.resolve_name(f"{TRAINING}:train")
        self.weights_ = train(
            images, codes.astype(np.int64), self.architecture_, training, on_epoch
        )
        self.__dict__.pop("_network", None)
        return self

    def predict_proba(self, images: Pixels) -> npt.NDArray[np.float64]:
        """Class probabilities.

        Parameters
        ----------
        images
            Shape (n, height, width, channels).

        Returns
        -------
        ndarray of shape (n, number of classes)
        """
        shares: npt.NDArray[np.float64] = pkgutil.resolve_name(f"{NETWORK}:probabilities")(
            self._restored(), images
        )
        return shares

    def predict(self, images: Pixels) -> npt.NDArray[Any]:
        """The most probable class of each image, shape (n,)."""
        found: npt.NDArray[Any] = self.classes_[self.predict_proba(images).argmax(axis=1)]
        return found

    def _restored(self) -> Any:
        """The network, made again from its numbers with the first prediction."""
        if "_network" not in self.__dict__:
            require("torch")
            restore = pkgutil.resolve_name(f"{NETWORK}:restore")
            self._network = restore(self.architecture_, self.weights_)
        return self._network

    def __getstate__(self) -> dict[str, Any]:
        state: dict[str, Any] = super().__getstate__()
        return {name: value for name, value in state.items() if name != "_network"}

    def write(self, folder: Path) -> None:
        """Write the folder that `network.LoadedNetwork` reads: numbers and JSON, no code.

        Parameters
        ----------
        folder
            An empty folder.
        """
        network = pkgutil.resolve_name(NETWORK)
        np.savez(folder / network.WEIGHTS, allow_pickle=False, **self.weights_)
        description = {"architecture": self.architecture_, "classes": self.classes_.tolist()}
        (folder / network.DESCRIPTION).write_text(json.dumps(description))


def _levels(images: Pixels) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation of each channel, in sums of whole numbers: no copy as floats."""
    means: list[float] = []
    spreads: list[float] = []
    values = np.arange(256)
    for channel in range(images.shape[3]):
        counts = np.bincount(images[..., channel].ravel(), minlength=256)
        mean = float((counts * values).sum() / counts.sum())
        variance = float((counts * (values - mean) ** 2).sum() / counts.sum())
        means.append(mean)
        # A channel of one value carries nothing; any spread will do.
        spreads.append(variance**0.5 or LARGEST_PIXEL)
    return tuple(means), tuple(spreads)
