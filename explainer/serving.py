"""The pages in a browser: served by Voilà to read and play, or opened in JupyterLab to change."""

from __future__ import annotations

import errno
import os
import socket
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from explainer.containers import free_memory
from explainer.limits import Limits

if TYPE_CHECKING:
    from traitlets.config import Config

PACKAGE = Path(__file__).resolve().parent
TEMPLATE = "explainer"
PORTS_TO_TRY = 50
PING = 30_000
FORGET_AFTER = 3600
"""Seconds until a page that no browser holds open any more gives its memory back."""
FORGET_STRANGERS_AFTER = 1200
"""In public mode: seconds until a page that nobody touches ends, open or not, and a run is gone."""
KERNEL_BYTES = 700 * 2**20
"""What a page may take that draws; measured by benchmarks/serving.py, with some room."""
READY_BYTES = 100 * 2**20
"""What a kernel takes that has drawn nothing yet, as one that stands ready; measured likewise."""
MOST_MESSAGE = 8 * 2**20
"""Bytes of one message from a page, such as the pixels of a picture: 3 MB at 1024 × 1024."""
MOST_UPLOAD = 64 * 2**20
"""Bytes of a recorded run that a stranger may send."""
EXTENSIONS = (
    "@voila-dashboards/widgets-manager8",
    "@jupyter-widgets/jupyterlab-manager",
    "anywidget",
)
"""Of JupyterLab's extensions what our widgets need; others would be fetched with every page."""
_SOURCES = {
    "default-src": "'self'",
    # Widgets' scripts are modules from blobs. The hash is that of Voilà's sign of life.
    "script-src": "'self' blob: 'sha256-m16tKAZfrqdfaIlK4k9Uc4bmwJm0z0f+0b2ahSGv/Ko='",
    "style-src": "'self' 'unsafe-inline'",
    "img-src": "'self' data: blob:",
    "font-src": "'self' data:",
    # Its own websocket is 'self' too, in Safari since version 16.
    "connect-src": "'self' blob: data:",
    "worker-src": "'self' blob:",
    "object-src": "'none'",
    "base-uri": "'self'",
    "form-action": "'self'",
    "frame-ancestors": "'self'",
}
CONTENT_POLICY = "; ".join(f"{kind} {sources}" for kind, sources in _SOURCES.items())
"""What a page may load: nothing from elsewhere, and no script that somebody wrote into it."""


class ServingError(Exception):
    """The pages cannot be served; the message says what to do."""


def notebooks_folder() -> Path:
    """Return where the notebooks are: beside the package in a clone, inside it in an installation.

    Raises:
        ServingError: They are in neither place.
    """
    places = (PACKAGE.parent / "notebooks", PACKAGE / "notebooks")
    for folder in places:
        if any(folder.glob("*.ipynb")):
            return folder
    raise ServingError(
        f"There are no notebooks in {places[0]}. Install the package again, or name a folder with "
        "notebooks: explainer serve --notebooks FOLDER"
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Public:
    """What strangers may do on a server of yours.

    Args:
        models: Hub ids and folders that they may load besides the embedded model.
        steps: Most steps of a run.
        seconds: Longest that one run may compute.
    """

    models: tuple[str, ...] = ()
    steps: int = 50
    seconds: float = 120


def serve(
    folder: Path | None = None,
    *,
    host: str = "localhost",
    port: int = 8866,
    browser: bool = True,
    public: Public | None = None,
    readers: int | None = None,
) -> None:
    """Serve the notebooks as pages with Voilà, without their code, until interrupted.

    Args:
        folder: Where the notebooks are; the explainer's own if not given.
        host: The address to listen on; "0.0.0.0" lets other machines in.
        port: The port wanted; the next free one is taken if it is in use.
        browser: Whether to open the first page in a browser.
        public: For readers whom you do not know: nothing of theirs is logged or kept, and these
            limits hold.
        readers: How many pages may be open at once; as many as the free memory holds if not given.

    Raises:
        ServingError: There are no notebooks, or no port is free.
    """
    folder = _checked(folder)
    free = free_port(host, port)
    if free != port:
        print(f"Port {port} is in use, so this takes {free}.", flush=True)  # noqa: T201
    ready = 1 if public is None else len(_pages(folder))
    readers = readers or _readers_that_fit(ready)
    print(  # noqa: T201
        f"The pages open at http://{host}:{free}/ (Ctrl-C ends them). "
        f"There is room for {readers} at once.",
        flush=True,
    )
    _add_folder("JUPYTER_PATH")
    config = _voila_config(folder, host, free, browser, readers)
    if public is not None:
        config.merge(_public_config(folder, public))
        config.Voila.tornado_settings["log_function"] = _log_nothing
    from explainer._voila import Pages

    Pages.launch_instance([str(folder)], config=config)


def lab(folder: Path | None = None, *, browser: bool = True) -> None:
    """Open the notebooks in JupyterLab, until interrupted.

    Args:
        folder: Where the notebooks are; the explainer's own if not given.
        browser: Whether to open a browser.

    Raises:
        ServingError: There are no notebooks.
    """
    from jupyterlab.labapp import LabApp

    folder = _checked(folder)
    options = {
        "ServerApp.root_dir": str(folder),
        "ServerApp.open_browser": browser,
        "ServerApp.allow_root": True,  # the usual user of a container
        "LabApp.default_url": f"/lab/tree/{_first_page(folder)}",
        # JupyterLab would ask the internet for news and for newer extensions. That it does not ask
        # the reader's leave either is in labconfig/page_config.json.
        "LabApp.news_url": None,
        "LabApp.check_for_updates_class": "jupyterlab.NeverCheckForUpdate",
        "LabApp.extension_manager": "readonly",
    }
    _add_folder("JUPYTER_CONFIG_PATH")
    LabApp.launch_instance([f"--{name}={value}" for name, value in options.items()])


def free_port(host: str, wanted: int) -> int:
    """Return the wanted port, or the next one that is free.

    Raises:
        ServingError: None of the next fifty is free, or the address is none of this machine's.
    """
    last = min(wanted + PORTS_TO_TRY, 65536)
    for port in range(wanted, last):
        try:
            _open(host, port)
        except OSError as error:
            if error.errno not in {errno.EADDRINUSE, errno.EACCES}:
                raise ServingError(
                    f"{host} cannot be listened on ({error.strerror}). Name an address of this "
                    "machine with --host."
                ) from error
        else:
            return port
    raise ServingError(
        f"No port from {wanted} to {last - 1} is free. Name another one with --port."
    )


def _open(host: str, port: int) -> None:
    """Open and close a port, under all addresses of the host.

    Raises:
        OSError: One of them is in use, or none can be listened on.
    """
    addresses = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    absent = []
    for family, *_, address in addresses:
        try:
            socket.create_server(address, family=family).close()
        except OSError as error:
            if error.errno != errno.EADDRNOTAVAIL:
                raise
            absent.append(error)
    if len(absent) == len(addresses):  # else: a machine without IPv6 still has its localhost
        raise absent[0]


def _checked(folder: Path | None) -> Path:
    if folder is None:
        return notebooks_folder()
    if not any(folder.glob("*.ipynb")):
        raise ServingError(f"There are no notebooks in {folder}. Name a folder that has some.")
    return folder.resolve()


def _pages(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.glob("*.ipynb"))


def _first_page(folder: Path) -> str:
    return _pages(folder)[0]


def _add_folder(variable: str) -> None:
    """Let Jupyter find what lies here: Voilà our template, JupyterLab our settings."""
    folders = [str(PACKAGE), os.environ.get(variable)]
    os.environ[variable] = os.pathsep.join(filter(None, folders))


def _readers_that_fit(ready: int) -> int:
    """Return how many pages fit into the memory that is free, if all of them draw.

    Args:
        ready: How many kernels stand ready besides.
    """
    return max(2, (free_memory() - ready * READY_BYTES) // KERNEL_BYTES)


def _voila_config(folder: Path, host: str, port: int, browser: bool, readers: int) -> Config:
    from traitlets.config import Config

    first = _first_page(folder)
    return Config(
        Voila={
            "ip": host,
            "port": port,
            "open_browser": browser,
            "log_level": "ERROR",
            # A voila.json of whatever folder one happens to be in must not change any of this.
            "config_file_paths": [],
            "tornado_settings": {
                # No longer than the interval between two pings, or tornado complains.
                "ws_ping_interval": PING,
                "ws_ping_timeout": PING,
                "websocket_max_message_size": MOST_MESSAGE,
                "headers": {
                    "Content-Security-Policy": CONTENT_POLICY,
                    "Referrer-Policy": "same-origin",
                    "X-Content-Type-Options": "nosniff",
                },
            },
        },
        Pages={"first_page": first, "readers": readers},
        VoilaConfiguration={
            "template": TEMPLATE,
            "allow_template_override": "NO",
            "allow_theme_override": "NO",
            "preheat_kernel": True,
            "file_allowlist": [r".*\.(png|jpg|gif|svg|webp)"],
            "extension_allowlist": list(EXTENSIONS),
        },
        VoilaExecutor={"cell_error_instruction": "This part of the page could not be made."},
        # A kernel stands ready for the page that everybody opens first; others start when asked.
        VoilaKernelManager={
            "kernel_pools_config": {"default": {"pool_size": 0}, first: {"pool_size": 1}}
        },
        KernelManager={"transport_encryption": "auto"},
        MappingKernelManager={"cull_idle_timeout": FORGET_AFTER, "cull_interval": 60},
    )


def _public_config(folder: Path, public: Public) -> Config:
    """What differs for strangers; the kernels learn of it by their environment."""
    from traitlets.config import Config

    cache = tempfile.mkdtemp(prefix="storybook-explainer-public-")
    limits = Limits(
        steps=public.steps,
        seconds=public.seconds,
        models=public.models,
        keep_seconds=FORGET_STRANGERS_AFTER,
        upload_bytes=MOST_UPLOAD,
    )
    os.environ |= limits.to_environment() | {"EXPLAINER_CACHE": cache}
    pools = {name: {"pool_size": 1} for name in _pages(folder)}
    return Config(
        Pages={"public": True, "cache_folder": cache, "keep_seconds": FORGET_STRANGERS_AFTER},
        VoilaConfiguration={"show_tracebacks": False, "strip_sources": True},
        VoilaKernelManager={
            "kernel_pools_config": {"default": {"pool_size": 0}} | pools,
        },
        MappingKernelManager={
            "cull_idle_timeout": FORGET_STRANGERS_AFTER,
            "cull_connected": True,
        },
    )


def _log_nothing(_handler: object) -> None:
    """Take the place of the log of requests, whose addresses hold what readers ask for."""
