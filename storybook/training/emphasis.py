"""How much each place of a latent counts: the figure more than the scenery, its head the most.

The squared error treats all places alike, yet nobody minds a tree that leans, and everybody an arm
too many or a face that lacks an eye. A figure covers about a fifth of a picture, its head a tenth.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from storybook import dataset
from storybook.training.data import keep
from storybook.world import WORLD_VERSION

FIGURE, HEAD = 2.0, 2.0
"""How much more an error counts on the figure, and how much more again on its head."""


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
    made = f"{WORLD_VERSION}-{pictures}-{cells}-{FIGURE:g}-{HEAD:g}"
    path = folder / f"emphasis-{made}.npy"
    if not path.exists():
        found = dataset.silhouettes(pictures, cells, workers=workers)
        keep(path, weights(np.concatenate(list(found))))
    return np.load(path)
