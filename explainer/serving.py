"""The pages in a browser: served by Voilà to read and play, or opened in JupyterLab to change."""

from __future__ import annotations

import errno
import os
import socket
from pathlib import Path
from typing import Any

PACKAGE = Path(__file__).resolve().parent
FIRST_PAGE = "00_overview.ipynb"
TEMPLATE = "explainer"
PORTS_TO_TRY = 50
PING = 30_000
FORGET_AFTER = 3600
"""Seconds until a page that no browser holds open any more gives its memory back."""


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


def serve(
    folder: Path | None = None, *, host: str = "localhost", port: int = 8866, browser: bool = True
) -> None:
    """Serve the notebooks as pages with Voilà, without their code, until interrupted.

    Args:
        folder: Where the notebooks are; the explainer's own if not given.
        host: The address to listen on; "0.0.0.0" lets other machines in.
        port: The port wanted; the next free one is taken if it is in use.
        browser: Whether to open the first page in a browser.

    Raises:
        ServingError: There are no notebooks, or no port is free.
    """
    folder = _checked(folder)
    free = free_port(host, port)
    if free != port:
        print(f"Port {port} is in use, so this takes {free}.", flush=True)  # noqa: T201
    print(f"The pages open at http://{host}:{free}/ (Ctrl-C ends them).", flush=True)  # noqa: T201
    _add_folder("JUPYTER_PATH")
    from explainer._voila import Pages

    Pages.launch_instance([str(folder)], config=_voila_config(folder, host, free, browser))


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


def _first_page(folder: Path) -> str:
    return min(path.name for path in folder.glob("*.ipynb"))


def _add_folder(variable: str) -> None:
    """Let Jupyter find what lies here: Voilà our template, JupyterLab our settings."""
    folders = [str(PACKAGE), os.environ.get(variable)]
    os.environ[variable] = os.pathsep.join(filter(None, folders))


def _voila_config(folder: Path, host: str, port: int, browser: bool) -> Any:
    from traitlets.config import Config

    first = _first_page(folder)
    return Config(
        Voila={
            "ip": host,
            "port": port,
            "open_browser": browser,
            "log_level": "ERROR",
            # No longer than the interval between two pings, or tornado complains in the terminal.
            "tornado_settings": {"ws_ping_interval": PING, "ws_ping_timeout": PING},
        },
        Pages={"first_page": first},
        VoilaConfiguration={
            "template": TEMPLATE,
            "allow_template_override": "NO",
            "preheat_kernel": True,
            "file_allowlist": [r".*\.(png|jpg|gif|svg|webp)"],
        },
        # A kernel stands ready for the page that everybody opens first; others start when asked.
        VoilaKernelManager={
            "kernel_pools_config": {"default": {"pool_size": 0}, first: {"pool_size": 1}}
        },
        KernelManager={"transport_encryption": "auto"},
        MappingKernelManager={"cull_idle_timeout": FORGET_AFTER, "cull_interval": 60},
    )
