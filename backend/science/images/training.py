"""Training of the network by skorch, the same to the bit for the same seed."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from time import monotonic
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import torch
from skorch import NeuralNetClassifier
from skorch.callbacks import Callback, EpochScoring, LRScheduler

from backend.science.images.network import ConvolutionalNetwork

OnEpoch = Callable[[float, str], None]
# A fixed number: sums over another number of parts round differently.
THREADS: Final = 2
REPORT_SECONDS: Final = 0.5


@dataclass(frozen=True, slots=True)
class Training:
    """How to learn; `learning_rate` is the largest of one cycle (Smith and Topin, 2019)."""

    epochs: int
    learning_rate: float
    batch_size: int
    seed: int


class _Progress(Callback):
    """Tells each epoch with what was learnt so far; the hold-out is never looked at."""

    def __init__(self, epochs: int, batches: int, on_epoch: OnEpoch) -> None:
        self.epochs = epochs
        self.batches = batches
        self.on_epoch = on_epoch
        self.batch = 0
        self.text = f"Epoch 1 of {epochs}"
        self.told_at = 0.0

    def on_batch_end(self, _net: Any, *, training: bool, **_rest: Any) -> None:
        """Called by skorch after each batch."""
        self.batch += training
        if monotonic() - self.told_at >= REPORT_SECONDS:
            self._tell()

    def on_epoch_end(self, net: Any, **_rest: Any) -> None:
        """Called by skorch after each epoch."""
        done = net.history[-1]
        self.text = (
            f"Epoch {done['epoch']} of {self.epochs}, loss {done['train_loss']:.3f}, "
            f"{done['train_accuracy']:.1%} of the learnt images right"
        )
        self._tell()

    def _tell(self) -> None:
        self.told_at = monotonic()
        self.on_epoch(self.batch / (self.epochs * self.batches), self.text)


def train(
    images: npt.NDArray[np.uint8],
    codes: npt.NDArray[np.int64],
    architecture: dict[str, Any],
    training: Training,
    on_epoch: OnEpoch,
) -> dict[str, npt.NDArray[Any]]:
    """Weights of a network.

    Parameters
    ----------
    images
        Shape (n, height, width, channels).
    codes
        Class of each image as a number from 0, shape (n,).
    architecture
        Arguments of `ConvolutionalNetwork`.
    training
        How to learn.
    on_epoch
        Called with a share from 0 to 1 and a text.
    """
    batches = -(-len(images) // training.batch_size)
    net = NeuralNetClassifier(
        ConvolutionalNetwork,
        **{f"module__{name}": value for name, value in architecture.items()},
        criterion=torch.nn.CrossEntropyLoss,
        optimizer=torch.optim.Adam,
        lr=training.learning_rate,
        max_epochs=training.epochs,
        batch_size=training.batch_size,
        iterator_train__shuffle=True,
        train_split=None,
        device="cpu",
        verbose=0,
        callbacks=[
            ("accuracy", EpochScoring("accuracy", name="train_accuracy", on_train=True)),
            (
                "schedule",
                LRScheduler(
                    torch.optim.lr_scheduler.OneCycleLR,
                    step_every="batch",
                    max_lr=training.learning_rate,
                    total_steps=batches * training.epochs + 1,
                ),
            ),
            ("progress", _Progress(training.epochs, batches, on_epoch)),
        ],
        callbacks__print_log=None,
    )
    with _repeatable(training.seed):
        net.fit(images, codes)
    state = net.module_.state_dict()
    return {name: value.numpy().copy() for name, value in state.items()}


@contextmanager
def _repeatable(seed: int) -> Iterator[None]:
    """One seed, a fixed number of threads, and no operation whose order of sums varies."""
    threads, deterministic = (
        torch.get_num_threads(),
        torch.are_deterministic_algorithms_enabled(),
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        torch.set_num_threads(THREADS)
        torch.use_deterministic_algorithms(True)
        try:
            yield
        finally:
            torch.set_num_threads(threads)
            torch.use_deterministic_algorithms(deterministic)
