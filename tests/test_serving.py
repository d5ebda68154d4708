"""The server as strangers meet it: what it answers, what it refuses and what it leaves behind."""

import asyncio
import json
import re
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.cookiejar import CookieJar
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import HTTPCookieProcessor, build_opener, urlopen

import nbformat
import psutil
import pytest
from jupyter_server.services.kernels.kernelmanager import AsyncMappingKernelManager
from tornado import web
from tornado.websocket import websocket_connect
from voila.app import Voila

from explainer import _voila, models, serving, widgets
from explainer._voila import Pages
from explainer.cache import TraceCache
from explainer.limits import VARIABLE, Limits
from explainer.parameters import ParameterError, RunParameters
from explainer.runs import RunController
from explainer.stages.broken import Broken
from explainer.turns import Turns
from explainer.widgets import TraceFile
from tests.servers import server
from tests.synthetic import make_trace, scene

SECRET = "xylophonist"
LIMITS_SHOWN = "import explainer.limits\nprint(explainer.limits.Limits.from_environment())"
FAILING = 'password = "swordfish"\nraise RuntimeError(password)'


def notebook(*sources):
    page = nbformat.v4.new_notebook()
    page.metadata.kernelspec = {"name": "python3", "display_name": "Python 3"}
    page.cells = [nbformat.v4.new_markdown_cell("# A page")]
    page.cells += [nbformat.v4.new_code_cell(source) for source in sources]
    return page


@contextmanager
def served(folder, *arguments):
    """Serve two small notebooks; yield the address and the file of the log."""
    pages = folder / "pages"
    pages.mkdir()
    nbformat.write(notebook(LIMITS_SHOWN), pages / "00_first.ipynb")
    nbformat.write(notebook(FAILING), pages / "01_fails.ipynb")
    command = ["serve", "--no-browser", "--notebooks", str(pages), *arguments]
    with server(folder, command, r"http://\S+/", cwd=folder) as address:
        yield address, folder / "log"


def get(address, opened=urlopen):
    """The status, the headers and the text of an answer."""
    try:
        with opened(address, timeout=60) as answer:
            return answer.status, answer.headers, answer.read().decode()
    except HTTPError as error:
        with error:
            return error.code, error.headers, error.read().decode()


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A folder that strangers may load, named from the one above it."""
    folder = tmp_path_factory.mktemp("public") / "model"
    folder.mkdir()
    return folder


@pytest.fixture(scope="module")
def public(model):
    """A server for strangers, in a folder whose settings would have it tell more."""
    telling = {"VoilaConfiguration": {"show_tracebacks": True, "strip_sources": False}}
    (model.parent / "voila.json").write_text(json.dumps(telling))
    (model.parent / "secret.png").write_text(SECRET)
    allowed = ["--most-steps", "30", "--allow-model", "model", "--allow-model", "a/b"]
    with served(model.parent, "--public", *allowed) as (address, _):
        (model.parent / "pages" / "shown.png").write_text("a picture")
        yield address


@pytest.fixture(scope="module")
def page(public):
    status, headers, text = get(f"{public}voila/render/00_first.ipynb")
    assert status == 200
    return headers, text


def test_limits_reach_the_kernel_which_finds_the_folders_from_its_own(model, page):
    limits = (
        f"Limits(steps=30, seconds=120, models=('{model}', 'a/b'), keep_seconds=1200, "
        "upload_bytes=67108864)"
    )
    assert limits in page[1].replace("&#39;", "'")


@pytest.mark.parametrize(
    ("public", "culling"),
    [
        (None, {"cull_idle_timeout": 3600, "cull_interval": 60}),
        (
            serving.Public(),
            {"cull_idle_timeout": 1200, "cull_interval": 60, "cull_connected": True},
        ),
    ],
)
def test_a_page_that_nobody_uses_ends_and_none_may_send_much(
    tmp_path, monkeypatch, public, culling
):
    for name in (VARIABLE, "EXPLAINER_CACHE", "JUPYTER_PATH"):
        monkeypatch.setenv(name, "")  # so that what is set there does not outlast the test
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    nbformat.write(notebook(), tmp_path / "00_first.ipynb")
    asked = []
    monkeypatch.setattr(Pages, "launch_instance", lambda _folder, config: asked.append(config))
    serving.serve(tmp_path, port=0, browser=False, public=public)
    (config,) = asked
    assert config.MappingKernelManager == culling
    assert config.Voila.tornado_settings["websocket_max_message_size"] == 8 * 2**20


def test_strangers_runs_are_tidied_away_while_the_server_runs_and_with_it(tmp_path, monkeypatch):
    told = []

    class Timer:
        def __init__(self, call, milliseconds):
            told.append((call.__name__, milliseconds))

        def start(self):
            told.append("started")

        def stop(self):
            told.append("stopped")

    monkeypatch.setattr(_voila, "PeriodicCallback", Timer)
    monkeypatch.setattr(_voila, "forget_requests", lambda: told.append("forgotten"))
    monkeypatch.setattr(Voila, "start", lambda _server: told.append("served"))
    cache = tmp_path / "cache"
    cache.mkdir()
    Pages(public=True, cache_folder=str(cache), keep_seconds=1200).start()
    assert told == ["forgotten", ("prune", 60_000), "started", "served", "stopped"]
    assert not cache.exists()


def test_the_page_shows_no_source_and_a_failing_cell_no_traceback(public, page):
    """Whatever the folder says that the pages are served from."""
    assert "A page" in page[1]
    assert "import explainer" not in page[1]
    _, _, failed = get(f"{public}voila/render/01_fails.ipynb")
    assert "This part of the page could not be made." in failed
    for word in ("swordfish", "Traceback", "RuntimeError", "--debug"):
        assert word not in failed


@pytest.mark.parametrize(
    "place",
    [
        "voila/files/00_first.ipynb",
        "voila/files/../secret.png",
        "voila/files/%2e%2e/secret.png",
        "voila/files/..%2fsecret.png",
        "voila/tree",
        "voila/api/contents/00_first.ipynb",
        "api/kernels",
        "api/contents",
        "login",
        f"voila/query/{uuid.UUID(int=1)}",
    ],
)
def test_neither_files_nor_kernels_are_listed(public, place):
    status, _, text = get(public + place)
    assert status in {403, 404}
    assert "explainer.limits" not in text
    assert SECRET not in text


def test_a_picture_beside_the_notebooks_is_served(public):
    assert get(f"{public}voila/files/shown.png")[::2] == (200, "a picture")


def test_the_policy_allows_no_script_of_the_page_itself_and_nothing_from_elsewhere(page):
    policy = dict(one.split(" ", 1) for one in page[0]["Content-Security-Policy"].split("; "))
    assert policy["default-src"] == "'self'"
    assert "unsafe" not in policy["script-src"]
    assert not re.search(r"(https?|wss?):|\*", " ".join(policy.values()))
    # so the page may have none, or it would be dead
    scripts = re.findall(r"<script([^>]*)>", page[1])
    assert all("src=" in attributes or "json" in attributes for attributes in scripts)
    assert len(scripts) > 3


async def talk(address, messages, *, answers):
    """Send messages to a kernel as a page does; return the types of the answers to one of them."""
    socket = await websocket_connect(address.replace("http", "ws", 1))
    try:
        for message in messages:
            await socket.write_message(json.dumps(message))
        seen = []
        while answers not in seen:
            message = json.loads(await asyncio.wait_for(socket.read_message(), 30))
            seen.append(message["msg_type"])
        return seen
    finally:
        socket.close()
        while await asyncio.wait_for(socket.read_message(), 30) is not None:
            pass  # until the other side has hung up too


def message(kind, channel="shell", **content):
    header = {"msg_id": uuid.uuid4().hex, "msg_type": kind, "session": "s", "username": "u"}
    header |= {"version": "5.3", "date": "2026-01-01T00:00:00Z"}
    return {
        "header": header,
        "parent_header": {},
        "metadata": {},
        "content": content,
        "channel": channel,
        "buffers": [],
    }


def kernel_of(text):
    return re.search(r'"kernelId": "([\w-]+)"', text)[1]


def test_a_kernel_takes_no_code_from_its_page(tmp_path):
    with served(tmp_path) as (address, _):
        takes_no_code(address, tmp_path / "mark")


def test_a_kernel_takes_no_code_from_a_strangers_page(tmp_path, public):
    takes_no_code(public, tmp_path / "mark")


def takes_no_code(address, mark):
    code = {"code": f"open({str(mark)!r}, 'w')", "silent": False, "store_history": False}
    refused = [
        message("execute_request", **code),
        message("execute_request", channel="control", **code),
        message("inspect_request", code="open", cursor_pos=3),
        message("history_request", hist_access_type="tail", n=9, output=True, raw=True),
        message("shutdown_request", channel="control", restart=False),
    ]
    kernel = kernel_of(get(f"{address}voila/render/00_first.ipynb")[2])
    where = f"{address}api/kernels/{kernel}/channels"
    asked = [*refused, message("kernel_info_request")]
    seen = asyncio.run(talk(where, asked, answers="kernel_info_reply"))
    assert not {"execute_reply", "inspect_reply", "history_reply", "shutdown_reply"} & set(seen)
    asked = [message("kernel_info_request")]
    again = asyncio.run(talk(where, asked, answers="kernel_info_reply"))
    assert "kernel_info_reply" in again, "the kernel lives"
    assert not mark.exists()


def test_nothing_of_a_reader_is_logged_or_kept(tmp_path):
    with served(tmp_path, "--public") as (address, log):
        for place in ("voila/render/00_first.ipynb", "voila/render/01_fails.ipynb", "no/where"):
            get(f"{address}{place}?prompt={SECRET}")
        get(f"{address}voila/files/{SECRET}.png")
        assert list(tmp_path.glob("storybook-explainer-public-*"))
    assert SECRET not in log.read_text()
    assert "127.0.0.1" not in log.read_text()
    left = [path for path in tmp_path.rglob("*") if path.is_file() and path != log]
    assert not [path for path in left if SECRET.encode() in path.read_bytes()]
    assert not list(tmp_path.glob("storybook-explainer-public-*"))


def test_a_request_is_no_way_to_fill_the_memory(public):
    where = urlsplit(public)
    with socket.create_connection((where.hostname, where.port), timeout=30) as connection:
        head = f"POST /voila/api/shutdown/{uuid.uuid4()} HTTP/1.1\r\nHost: {where.netloc}\r\n"
        connection.sendall(f"{head}Content-Length: {2**21}\r\n\r\n".encode())
        assert connection.recv(100).startswith(b"HTTP/1.1 400"), "before anything of it is sent"


def test_the_next_readers_kernel_does_not_know_what_the_last_one_asked_for(tmp_path):
    with served(tmp_path, "--readers", "99") as (address, _):
        place = f"{address}voila/render/00_first.ipynb"
        while True:  # until one stands ready, which takes a while to start
            kernel = kernel_of(get(f"{place}?prompt={SECRET}")[2])
            if kernel in " ".join(standing_ready(tmp_path)):
                break
        while not (
            others := {k: v for k, v in standing_ready(tmp_path).items() if kernel not in k}
        ):
            time.sleep(0.2)
    assert SECRET not in str(others)


def standing_ready(folder):
    """Of the kernels that were started before a reader came: connection file -> environment."""
    found = [process.info for process in psutil.process_iter(["cmdline", "environ"])]
    return {
        one["cmdline"][-1]: one["environ"]
        for one in found
        if str(folder) in " ".join(one["cmdline"] or ())
        and (one["environ"] or {}).get("VOILA_PREHEAT") == "True"
    }


def test_kernels_that_are_gone_keep_no_server_from_ending_the_others(tmp_path):
    def manager():
        found = AsyncMappingKernelManager(connection_dir=str(tmp_path))
        found._pending_kernels["gone"] = None
        return found

    with pytest.raises(web.HTTPError, match="does not exist: gone"):
        asyncio.run(manager().shutdown_all(now=True))

    async def ended():
        kernels = manager()
        _voila.end_what_is_left(kernels)
        kernel = await kernels.start_kernel()
        await kernels.shutdown_all(now=True)
        return kernel not in kernels

    assert asyncio.run(ended())


def test_voila_keeps_no_address():
    program = """
from explainer._voila import forget_requests
from voila.handler import RequestInfoSocketHandler

forget_requests()
RequestInfoSocketHandler.send_updates({"kernel_id": "1", "payload": {"QUERY_STRING": "prompt=fox"}})
print(RequestInfoSocketHandler._cache)
"""
    command = [sys.executable, "-c", program]
    answer = subprocess.run(command, check=True, capture_output=True, text=True)
    assert answer.stdout == "{}\n"


def test_a_reader_for_whom_there_is_no_room_is_told_so_until_a_seat_is_left(tmp_path):
    with served(tmp_path, "--readers", "1") as (address, _):
        place = f"{address}voila/render/00_first.ipynb"
        jars = [CookieJar(), CookieJar()]
        browsers = [build_opener(HTTPCookieProcessor(jar)) for jar in jars]
        with ThreadPoolExecutor(2) as readers:
            answers = list(readers.map(get, [place] * 2, [one.open for one in browsers]))
        assert sorted(status for status, _, _ in answers) == [200, 503]
        ((browser, jar, kernel),) = [
            (browser, jar, kernel_of(text))
            for browser, jar, (status, _, text) in zip(browsers, jars, answers, strict=True)
            if status == 200
        ]
        status, headers, text = get(place)
        assert status == 503
        assert headers["Retry-After"]
        assert "All seats are taken" in text

        (token,) = [cookie.value for cookie in jar if cookie.name == "_xsrf"]
        leave = f"{address}voila/api/shutdown/{kernel}"
        with pytest.raises(HTTPError, match="403") as refused:
            build_opener().open(leave, data=b"", timeout=60)
        refused.value.close()
        with browser.open(leave, data=f"_xsrf={token}".encode(), timeout=60) as answer:
            assert answer.status == 204
        assert get(place)[0] == 200


def test_limits_come_back_from_the_environment(monkeypatch):
    limits = Limits(steps=9, seconds=1.5, models=("a/b",), keep_seconds=60)
    monkeypatch.setenv(VARIABLE, limits.to_environment()[VARIABLE])
    assert Limits.from_environment() == limits
    monkeypatch.delenv(VARIABLE)
    assert Limits.from_environment() == Limits()
    monkeypatch.setenv(VARIABLE, '{"step": 9}')
    with pytest.raises(ValueError, match=VARIABLE):
        Limits.from_environment()


def test_a_run_over_the_limit_is_refused_with_the_limit(monkeypatch):
    with pytest.raises(ParameterError, match="at most 9 steps") as refused:
        Limits(steps=9).check_steps(10)
    assert refused.value.parameter == "steps"


TOO_LONG = RunParameters(prompt="a fox in the snow", steps=51)
STYLED = {"sentence": "a fox in the snow", "style": "watercolour"}


ASKED = {
    "again": lambda c: widgets.Again(make_trace(steps=51), controller=c).ask(),
    "sketch": lambda c: widgets.Sketch(
        {"scene": scene(8).astype("uint8")}, "a fox", controller=c, steps=60
    ).ask("a fox", strength=0.9),
    "style times": lambda c: widgets.StyleTimes(TOO_LONG, "crayon", controller=c).ask(**STYLED),
    "style ways": lambda c: widgets.StyleWays(TOO_LONG, "carriers", STYLED, controller=c).ask(
        **STYLED
    ),
    "style words": lambda c: widgets.StyleWords(TOO_LONG, "crayon", controller=c).ask(**STYLED),
    "swap": lambda c: widgets.Swap(TOO_LONG, "an owl", controller=c).ask("a fox", "an owl"),
    "sweep": lambda c: widgets.Sweep(c, TOO_LONG)._submit(Broken(TOO_LONG, "text")),
    "walks": lambda c: widgets.Walks(
        make_trace(steps=51), make_trace(steps=51), "an owl", controller=c
    ).ask("prompts"),
}


@pytest.mark.parametrize("ask", ASKED.values(), ids=ASKED)
def test_no_widget_has_more_steps_computed_than_the_limit_says(tmp_path, ask):
    controller = RunController(
        pytest.fail, TraceCache(tmp_path / "cache"), turns=Turns(tmp_path), limits=Limits(steps=50)
    )
    with pytest.raises(ParameterError, match="at most 50 steps"):
        ask(controller)
    assert controller._thread is None, "nothing was asked of the model"


@pytest.mark.parametrize("ask", [models.load, models.measure, models.is_folder])
def test_a_model_that_is_not_on_the_list_is_neither_loaded_nor_asked_for(monkeypatch, ask):
    monkeypatch.setenv(VARIABLE, Limits(models=("some/model",)).to_environment()[VARIABLE])
    with pytest.raises(models.ModelError, match="It has: storybook, some/model"):
        ask("another/model")


def test_a_run_that_is_sent_may_be_as_large_as_the_limit_says(monkeypatch):
    monkeypatch.setenv(VARIABLE, Limits(upload_bytes=2**20).to_environment()[VARIABLE])
    file = TraceFile()
    file._on_message(file, {"type": "begin", "name": "big.trace", "size": 2**21}, [])
    assert "from 1 byte to 1 MB" in file.notice


def test_there_is_room_for_two_at_least(monkeypatch):
    monkeypatch.setattr(serving, "free_memory", lambda: 2**30)
    assert serving._readers_that_fit(7) == 2


def test_what_stands_ready_takes_room_from_readers(monkeypatch):
    monkeypatch.setattr(serving, "free_memory", lambda: 10 * serving.KERNEL_BYTES)
    assert [serving._readers_that_fit(ready) for ready in (0, 1, 7, 8)] == [10, 9, 9, 8]
