"""A training state or a finished model as a few files of under 15 MB each.

Machines that are lent for minutes often hand back small files only. A model folder is packed as
it is. Of a state, each checkpoint is packed in its slim form (averaged weights in half precision,
no optimizer), with the tokenizer and the snapshots; pictures, latents and tokens are left out,
since any machine makes them again. Two bytes a parameter, and those of denoiser, autoencoder
and text encoder twice, for two stages each: the largest preset fits into five parts, where its
whole state would take about thirty.

A part is a piece of one plain tar archive: ``cat storybook-*.tar.* | tar x`` unpacks it, too.
``parts.json`` names the pieces and their checksums. It is replaced last, so that whatever
interrupts the packing, it names a whole set.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import tarfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch

from storybook.training import checkpoint

PART_BYTES = 14_500_000
MOST_PARTS = 7
MANIFEST = "parts.json"
STAGES = ("autoencoder", "clip", "denoiser", "distillation", "reading", "decoder")
_CARRIED = ("tokenizer/*", "snapshots/*.webp")


class PartsError(ValueError):
    """The parts are damaged, incomplete or would be too many; the message says which."""


def pack(folder: Path, into: Path, *, snapshots: Path | None = None) -> list[Path]:
    """Pack a training state or a model folder into numbered parts.

    Args:
        folder: a state, or a model (it has a ``model_index.json``).
        into: the folder for the parts; older parts there are replaced.
        snapshots: pictures from the training, packed beside a model.

    Returns:
        The parts, in order.

    Raises:
        PartsError: if the folder is neither, or they would be more than :data:`MOST_PARTS`; the
            older parts stay.
        OSError: if the disk is full; the older parts stay.
    """
    archive = _archive(folder, snapshots)
    pieces = [archive[i : i + PART_BYTES] for i in range(0, len(archive), PART_BYTES)]
    if len(pieces) > MOST_PARTS:
        raise PartsError(
            f"{folder} takes {len(archive) / 1e6:.0f} MB, more than {MOST_PARTS} parts hold"
        )
    whole = hashlib.sha256(archive).hexdigest()
    into.mkdir(parents=True, exist_ok=True)
    outdated = set(into.glob("storybook-*.tar.*"))
    manifest: dict[str, str] = {}
    for number, piece in enumerate(pieces, start=1):
        path = into / f"storybook-{whole[:8]}.tar.{number}"
        path.write_bytes(piece)
        manifest[path.name] = hashlib.sha256(piece).hexdigest()
    fresh = into / f"{MANIFEST}.part"
    fresh.write_text(json.dumps(manifest, indent=1) + "\n")
    fresh.replace(into / MANIFEST)
    for path in outdated - {into / name for name in manifest}:
        path.unlink()
    return [into / name for name in manifest]


def unpack(parts: Path, folder: Path) -> None:
    """Check the parts and unpack them into ``folder``.

    Raises:
        PartsError: if one is missing or damaged; nothing is unpacked then.
    """
    manifest = parts / MANIFEST
    if not manifest.exists():
        raise PartsError(f"{parts} holds no {MANIFEST}; is that the folder of the parts?")
    pieces = []
    for name, expected in json.loads(manifest.read_text()).items():
        path = parts / Path(name).name
        if not path.exists():
            raise PartsError(f"{path} is missing; copy it there again")
        pieces.append(path.read_bytes())
        if hashlib.sha256(pieces[-1]).hexdigest() != expected:
            raise PartsError(f"{path} is damaged; copy it there again")
    with tarfile.open(fileobj=io.BytesIO(b"".join(pieces))) as archive:
        archive.extractall(folder, filter="data")


def _archive(folder: Path, snapshots: Path | None) -> bytes:
    is_model = (folder / "model_index.json").exists()
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, content in _of_model(folder) if is_model else _of_state(folder):
            _add(archive, name, content)
        if snapshots:
            for path in sorted(snapshots.glob("*.webp")):
                _add(archive, f"snapshots/{path.name}", path.read_bytes())
        if not archive.getmembers():
            raise PartsError(f"{folder} holds neither a model nor a training state")
    return buffer.getvalue()


def _add(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size = len(content)
    archive.addfile(entry, io.BytesIO(content))


def _of_model(folder: Path) -> Iterator[tuple[str, bytes]]:
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            yield path.relative_to(folder).as_posix(), path.read_bytes()


def _of_state(folder: Path) -> Iterator[tuple[str, bytes]]:
    for stage in STAGES:
        path = folder / f"{stage}.pt"
        if path.exists():
            slim = io.BytesIO()
            torch.save(checkpoint.slim(checkpoint.read(path)), slim)
            yield path.name, slim.getvalue()
    for pattern in _CARRIED:
        for path in sorted(folder.glob(pattern)):
            yield path.relative_to(folder).as_posix(), path.read_bytes()


def main(argv: Sequence[str] | None = None) -> None:
    """Pack or unpack from a command line."""
    parser = argparse.ArgumentParser(prog="python -m storybook.training.parts")
    parser.add_argument("what", choices=("pack", "unpack"))
    parser.add_argument("source", type=Path)
    parser.add_argument("into", type=Path)
    options = parser.parse_args(argv)
    try:
        (pack if options.what == "pack" else unpack)(options.source, options.into)
    except PartsError as error:
        parser.exit(1, f"{error}\n")


if __name__ == "__main__":
    main()
