"""How much each place of a latent counts: the figure more than the scenery, its head the most.

The squared error treats all places alike, yet nobody minds a tree that leans, and everybody an arm
too many or a face that lacks an eye. A figure covers about a fifth of a picture, its head a tenth.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np

from storybook import dataset
from storybook.training.data import keep

FIGURE, HEAD = 2.0, 2.0
"""How much more an error counts on the figure, and how much more again on its head."""
SAMPLE = 20
"""So many pictures tell whether figures are still outlined as they were."""


def weights(silhouettes: np.ndarray) -> np.ndarray:
    """Return by what to multiply the error in each cell.

    Args:
        silhouettes: shape (n, 2, cells, cells), see
            :func:`~storybook.illustrator.silhouette.silhouette`.

    Returns:
        float16, shape (n, cells, cells), of mean 1 over all.
    """
    figure, head = silhouettes.astype(np.float32).swapaxes(0, 1)
    counts = 1 + FIGURE * figure + HEAD * head
    return (counts / counts.mean()).astype(np.float16)


def of_pictures(folder: Path, pictures: int, cells: int, workers: int | None) -> np.ndarray:
    """Return the weights of the first pictures, from ``folder`` if they were made before.

    Returns:
        float16, shape (pictures, cells, cells).
    """
    path = folder / f"emphasis-{_fingerprint(pictures, cells)}.npy"
    if not path.exists():
        found = dataset.silhouettes(pictures, cells, workers=workers)
        keep(path, weights(np.concatenate(list(found))))
    return np.load(path)


def _fingerprint(pictures: int, cells: int) -> str:
    """Name the weights by all that they depend on; a sample stands for how figures are outlined."""
    sample = np.concatenate(list(dataset.silhouettes(min(pictures, SAMPLE), cells)))
    made = f"{pictures}/{FIGURE}/{HEAD}/".encode() + sample.tobytes()
    return hashlib.sha256(made).hexdigest()[:12]
