"""onnxruntime-web, which runs the model in the browser: from npm, when a site is exported."""

from __future__ import annotations

import base64
import gzip
import hashlib
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

from platformdirs import user_cache_path

from explainer.site.notebook import SiteError

PACKAGE = "onnxruntime-web"
VERSION = "1.30.0"
INTEGRITY = (
    "q0y+JrrtukXSzsBWEMccVfqX25LRmosXHF+CaRJmg8pZClzcV7svNc4rKY3jL02Vb7QmRMDs1SigqR4CXAfKYQ=="
)
"""SHA-512 of the package's file, as the registry has it."""
KINDS = {
    "wasm": ("ort.wasm.bundle.min.mjs", "ort-wasm-simd-threaded.wasm"),
    "webgpu": ("ort.webgpu.bundle.min.mjs", "ort-wasm-simd-threaded.asyncify.wasm"),
}
"""The script and the binary for processors alone, and for graphics processors."""
SECONDS = 300


def write(folder: Path) -> None:
    """Write the scripts, and the binaries packed: not every web host packs what it sends.

    Raises:
        SiteError: The package is not here and cannot be fetched.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with tarfile.open(package()) as archive:
        for kind, (script, binary) in KINDS.items():
            # .js, since some web hosts do not know what .mjs is.
            (folder / f"{kind}.js").write_bytes(_read(archive, script))
            packed = gzip.compress(_read(archive, binary), mtime=0)
            (folder / f"{kind}.bin").write_bytes(packed)


def package() -> Path:
    """Return the package's file; it is fetched by npm once and kept.

    Raises:
        SiteError: It cannot be fetched, or is not what it should be.
    """
    kept = kept_package()
    if not kept.is_file():
        _fetch(kept)
    found = base64.b64encode(hashlib.sha512(kept.read_bytes()).digest()).decode("ascii")
    if found != INTEGRITY:
        raise SiteError(f"{kept} is not {PACKAGE} {VERSION}. Remove it, and export again.")
    return kept


def kept_package() -> Path:
    """Return where the package's file is kept, whether it is there or not."""
    return user_cache_path("storybook-explainer") / "npm" / f"{PACKAGE}-{VERSION}.tgz"


def _fetch(kept: Path) -> None:
    npm = shutil.which("npm")
    without = "or export without drawing in the browser: --no-live"
    if npm is None:
        raise SiteError(
            f"{PACKAGE} comes by npm, which is not here. Install Node.js (nodejs.org), {without}"
        )
    kept.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=kept.parent) as folder:
        command = [npm, "pack", f"{PACKAGE}@{VERSION}", "--pack-destination", folder]
        try:
            done = subprocess.run(
                command, cwd=folder, capture_output=True, text=True, timeout=SECONDS, check=False
            )
        except subprocess.TimeoutExpired as error:
            raise SiteError(
                f"npm did not answer for {SECONDS} seconds. Try again, {without}"
            ) from error
        fetched = Path(folder) / kept.name
        if done.returncode or not fetched.is_file():
            said = done.stderr.strip().splitlines()
            why = said[-1] if said else "it gave no reason"
            raise SiteError(
                f"npm could not fetch {PACKAGE} {VERSION} ({why}). Try again, {without}"
            )
        fetched.replace(kept)


def _read(archive: tarfile.TarFile, name: str) -> bytes:
    file = archive.extractfile(f"package/dist/{name}")
    if file is None:
        raise SiteError(f"{PACKAGE} {VERSION} has no {name}.")
    return file.read()


def main() -> int:
    """Fetch the package and say where it is kept; return the exit status."""
    try:
        print(package())  # noqa: T201
    except SiteError as error:
        print(error, file=sys.stderr)  # noqa: T201
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
