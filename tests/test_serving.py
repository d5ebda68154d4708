"""The server as strangers meet it: what it answers, what it refuses and what it leaves behind."""

import asyncio
import json
import re
import socket
import subprocess
import sys
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
from tornado.websocket import websocket_connect

from explainer import models, serving, widgets
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


def get(address):
    """The status, the headers and the text of an answer."""
    try:
        with urlopen(address, timeout=60) as answer:
            return answer.status, answer.headers, answer.read().decode()
    except HTTPError as error:
        with error:
            return error.code, error.headers, error.read().decode()


@pytest.fixture(scope="module")
def public(tmp_path_factory):
    folder = tmp_path_factory.mktemp("public")
    with served(folder, "--public", "--most-steps", "30", "--allow-model", "a/b") as (address, _):
        yield address


@pytest.fixture(scope="module")
def page(public):
    status, headers, text = get(f"{public}voila/render/00_first.ipynb")
    assert status == 200
    return headers, text


def test_limits_reach_the_kernel(page):
    assert "Limits(steps=30, seconds=120, models=(&#39;a/b&#39;,)" in page[1].replace("'", "&#39;")


def test_the_page_shows_no_source_and_a_failing_cell_no_traceback(public, page):
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
        "voila/files/../log",
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


def test_the_policy_allows_no_script_of_the_page_itself_and_nothing_from_elsewhere(page):
    policy = dict(one.split(" ", 1) for one in page[0]["Content-Security-Policy"].split("; "))
    assert policy["default-src"] == "'self'"
    assert "unsafe" not in policy["script-src"]
    assert not re.search(r"https?:|\*", " ".join(policy.values()))
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


@pytest.mark.parametrize("mode", [[], ["--public"]], ids=["own", "public"])
def test_a_kernel_takes_no_code_from_its_page(tmp_path, mode):
    mark = tmp_path / "mark"
    code = {"code": f"open({str(mark)!r}, 'w')", "silent": False, "store_history": False}
    refused = [
        message("execute_request", **code),
        message("execute_request", channel="control", **code),
        message("inspect_request", code="open", cursor_pos=3),
        message("history_request", hist_access_type="tail", n=9, output=True, raw=True),
        message("shutdown_request", channel="control", restart=False),
    ]
    with served(tmp_path, *mode) as (address, _):
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


def test_a_reader_for_whom_there_is_no_room_is_told_when_to_come_again(tmp_path):
    with served(tmp_path, "--readers", "1") as (address, _):
        place = f"{address}voila/render/00_first.ipynb"
        with ThreadPoolExecutor(2) as readers:
            answers = list(readers.map(get, [place, place]))
        assert sorted(status for status, _, _ in answers) == [200, 503]
        status, headers, text = get(place)
        assert status == 503
        assert headers["Retry-After"]
        assert "All seats are taken" in text


def test_a_page_that_is_left_gives_its_seat_to_the_next_reader(tmp_path):
    with served(tmp_path, "--readers", "1") as (address, _):
        browser = build_opener(HTTPCookieProcessor(cookies := CookieJar()))
        place = f"{address}voila/render/00_first.ipynb"
        with browser.open(place, timeout=60) as answer:
            kernel = kernel_of(answer.read().decode())
        assert get(place)[0] == 503
        (token,) = [cookie.value for cookie in cookies if cookie.name == "_xsrf"]
        leave = f"{address}voila/api/shutdown/{kernel}"
        with pytest.raises(HTTPError, match="403") as refused:
            build_opener().open(leave, data=b"", timeout=60)
        refused.value.close()
        with browser.open(leave, data=f"_xsrf={token}".encode(), timeout=60) as answer:
            assert answer.status == 204
        assert get(place)[0] == 200


def test_a_second_server_takes_the_next_port(tmp_path):
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    with served(tmp_path / "one") as (first, _):
        port = first.rsplit(":", 1)[1].strip("/")
        with served(tmp_path / "two", "--port", port) as (second, log):
            assert second != first
            assert f"Port {port} is in use, so this takes" in log.read_text()


def test_a_folder_cannot_change_how_its_pages_are_served(tmp_path):
    settings = {"VoilaConfiguration": {"show_tracebacks": True, "strip_sources": False}}
    (tmp_path / "voila.json").write_text(json.dumps(settings))
    with served(tmp_path, "--public") as (address, _):
        _, _, text = get(f"{address}voila/render/01_fails.ipynb")
    assert "swordfish" not in text


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


def test_a_folder_that_readers_may_load_is_found_from_the_pages(tmp_path):
    (tmp_path / "model").mkdir()
    with served(tmp_path, "--public", "--allow-model", "model", "--allow-model", "a/b") as (
        where,
        _,
    ):
        _, _, text = get(f"{where}voila/render/00_first.ipynb")
    assert f"models=('{tmp_path / 'model'}', 'a/b')" in text.replace("&#39;", "'")


def test_there_is_room_for_two_at_least(monkeypatch):
    monkeypatch.setattr(serving, "KERNEL_BYTES", 2**60)
    assert serving._readers_that_fit() == 2
