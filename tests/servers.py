"""Servers for the tests: a command of ours, run until a block ends."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

ROOT = Path(__file__).parents[1]
COMMAND = [sys.executable, "-m", "explainer.cli"]
SECONDS_TO_START = 120
SECONDS_TO_END = 30


def server(folder, arguments, address, **variables):
    """Run a command of ours until the block ends; yield the address that it says it serves at."""
    return serving(folder, [*COMMAND, *arguments], address, **variables)


@contextmanager
def serving(folder, command, address, *, cwd=None, **variables):
    """Run any command until the block ends; yield the address that it says it serves at."""
    environment = os.environ | {
        "PYTHONPATH": str(ROOT),
        "EXPLAINER_CACHE": str(folder / "cache"),
        "TMPDIR": str(folder),  # a queue of its own, so that nobody else's run is waited for
        # Settings, workspaces, kernels and history are nobody else's either.
        "JUPYTER_CONFIG_DIR": str(folder / "config"),
        "JUPYTER_DATA_DIR": str(folder / "data"),
        "JUPYTER_RUNTIME_DIR": str(folder / "runtime"),
        "IPYTHONDIR": str(folder / "ipython"),
        # On a busy machine torch's threads wait for each other ten times longer than they compute.
        "OMP_NUM_THREADS": "1",
        **variables,
    }
    log = folder / "log"
    with log.open("w") as output:
        process = subprocess.Popen(command, cwd=cwd, env=environment, stdout=output, stderr=output)
    try:
        yield listening(process, log, address)
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(SECONDS_TO_END)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    assert process.returncode in {0, -signal.SIGKILL}, log.read_text()


def voila(folder, *options):
    """Serve pages as a reader does: the explainer's own, unless the options name others."""
    port = str(free_port())
    return server(folder, ["serve", "--no-browser", "--port", port, *options], r"http://\S+/")


@contextmanager
def jupyterlab(folder, notebooks=ROOT / "notebooks"):
    """Serve JupyterLab on a copy of notebooks: what is run there is saved there."""
    shutil.copytree(notebooks, folder / "notebooks")
    arguments = ["lab", "--no-browser", "--notebooks", str(folder / "notebooks")]
    address = r"http://localhost\S+/lab/tree/00_\w+.ipynb\?token=\w+"
    # Two that look for a free port at once find the same one, and the second serves nobody.
    port = {"JUPYTER_PORT": str(free_port()), "JUPYTER_PORT_RETRIES": "0"}
    with server(folder, arguments, address, **port) as address:
        yield address


def listening(process, log, pattern):
    deadline = time.monotonic() + SECONDS_TO_START
    while time.monotonic() < deadline and process.poll() is None:
        if found := re.search(pattern, log.read_text()):
            port = urlsplit(found[0]).port
            try:
                socket.create_connection(("localhost", port), timeout=1).close()
            except OSError:
                pass
            else:
                return found[0]
        time.sleep(0.1)
    raise AssertionError(f"no server came up:\n{log.read_text()}")


def free_port():
    with socket.create_server(("localhost", 0)) as probe:
        return probe.getsockname()[1]
