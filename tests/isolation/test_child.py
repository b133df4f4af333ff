from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from threading import Timer

import numpy as np
import psutil
import pytest
from children import ERRORS

from pytest_navigator.errors import ConfigError, SourceError, StepFailed, Unavailable
from pytest_navigator.isolation.child import Child
from pytest_navigator.isolation.numerics import current_settings
from pytest_navigator.isolation.process import describe_end

pytestmark = pytest.mark.real_processes

TESTS = Path(__file__).parent
LIMIT = 30.0
SCRIPT = """
from pathlib import Path
from pytest_navigator.isolation.child import Child
child = Child(python_path=[{tests!r}])
print("result", child.call("children:echo", {{"x": 1}}, log=Path("log"), timeout=30).result)
child.close()
"""
NATIVE_NAP = """
from pathlib import Path
from pytest_navigator.isolation.child import Child
Child(python_path=[{tests!r}]).call("children:native_nap", {{"started": {started!r}}}, log=Path("log"), timeout=60)
"""
INTERRUPTED = """
import os, signal, threading, time
from pathlib import Path
from pytest_navigator.isolation.child import Child
child = Child(python_path=[{tests!r}])
child.start()
signal.signal(signal.SIGINT, signal.SIG_IGN)
def interrupt():
    for _ in range(20):
        os.killpg(os.getpgid(0), signal.SIGINT)
        time.sleep(0.05)
threading.Thread(target=interrupt).start()
print("result", child.call("children:nap", {{"seconds": 1}}, log=Path("log"), timeout=30).result)
child.close()
"""


@pytest.fixture(scope="module")
def child():
    with closing(Child(python_path=[str(TESTS)])) as child:
        yield child


@pytest.fixture
def call(child, tmp_path):
    def call(name, *, arrays=None, timeout=LIMIT, **kwargs):
        return child.call(f"children:{name}", kwargs, arrays=arrays, log=tmp_path / "step.log", timeout=timeout)

    return call


def failure(call, name, **kwargs):
    with pytest.raises(StepFailed) as caught:
        call(name, **kwargs)
    return caught.value


def gone(pids):
    """Wait until none of the processes runs any more (one that nobody has waited for may stay as a zombie)."""
    alive = [psutil.Process(pid) for pid in pids if psutil.pid_exists(pid)]
    deadline = time.monotonic() + 10
    while alive and time.monotonic() < deadline:
        alive = [process for process in alive if running(process)]
        time.sleep(0.02)
    return not alive


def running(process):
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def wait_for(path):
    deadline = time.monotonic() + LIMIT
    while not path.exists():
        assert time.monotonic() < deadline, f"{path} did not appear"
        time.sleep(0.02)
    return [int(pid) for pid in path.read_text().split()]


def python(code, tmp_path, *arguments, **options):
    command = [sys.executable, *arguments] if arguments else [sys.executable, "-c", code]
    return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=LIMIT, check=False, **options)


def test_plain_data_comes_back(call):
    data = {"text": "µ\x00", "number": 1.5, "list": [1, None, True], "dict": {"a": {}}}

    assert call("echo", **data).result == data


def test_a_function_may_be_an_attribute_of_a_class(call):
    assert call("Nested.twice", value=4).result == 8


def test_arrays_come_back_with_type_shape_and_bytes(call):
    import ml_dtypes

    arrays = {
        "matrix": np.arange(6, dtype=np.int64).reshape(2, 3).T,
        "bfloat16": np.ones(3, ml_dtypes.bfloat16),
        "scalar": np.array(2.5),
        "empty": np.zeros((0, 4), np.float16),
        "text": np.array(["a", "µµ"]),
        "large": np.zeros(3_000_000, np.uint8),
    }

    reply = call("same", arrays=arrays)

    assert reply.result == [str(array.dtype) for array in arrays.values()]
    for name, array in arrays.items():
        np.testing.assert_array_equal(reply.arrays[name], array, strict=True)


def test_arrays_can_be_written_to_on_both_sides(call):
    arrays = call("write_into", arrays={"x": np.zeros(3)}).arrays
    arrays["x"] += 1

    assert arrays["x"].tolist() == [8, 8, 8]


def test_a_function_that_is_given_no_arrays_returns_none(call):
    assert call("pid").arrays == {}


def test_the_child_stays_for_the_next_call(call):
    first = call("pid").result

    assert first != os.getpid()
    assert call("pid").result == first


@pytest.mark.parametrize("kind", [Unavailable, ConfigError, SourceError])
def test_an_error_of_ours_keeps_its_type_and_text(call, kind):
    with pytest.raises(kind) as caught:
        call("fail", how=kind.__name__)

    assert str(caught.value) == str(ERRORS[kind.__name__])


def test_an_unmet_requirement_keeps_its_name(call):
    with pytest.raises(Unavailable) as caught:
        call("fail", how="Unavailable")

    assert caught.value.requirement == "no CUDA device"


def test_a_failed_step_keeps_its_parts(call):
    error = failure(call, "fail", how="StepFailed")

    assert (error.message, error.detail, error.kind) == ("too far off", "a table", "Mismatch")
    assert error.data == {"atol": 0.5}


@pytest.mark.parametrize(("how", "text"), [("no plain data", "not JSON serializable"), ("no str", "ZeroDivisionError")])
def test_an_error_that_cannot_be_sent_is_told_by_its_traceback(call, how, text):
    error = failure(call, "fail", how=how)

    assert text in error.message
    assert "in fail" in error.detail


@pytest.mark.parametrize(
    ("how", "message", "kind"),
    [
        ("KeyError", "KeyError: 'first line'", "KeyError"),
        ("two lines", "RuntimeError: first line", "RuntimeError"),
        ("no text", "MemoryError", "MemoryError"),
        ("SystemExit", "SystemExit: 3", "SystemExit"),
        ("KeyboardInterrupt", "KeyboardInterrupt", "KeyboardInterrupt"),
    ],
)
def test_another_error_is_a_failed_step_with_its_type_and_traceback(call, how, message, kind):
    error = failure(call, "fail", how=how)

    assert (error.message, error.kind) == (message, kind)
    assert error.detail.startswith("Traceback")
    assert "in fail" in error.detail
    assert "worker.py" not in error.detail


def test_an_error_does_not_end_the_child(call):
    before = call("pid").result
    failure(call, "fail", how="KeyError")

    assert call("pid").result == before


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("missing", "AttributeError: module 'children' has no attribute 'missing'"),
        ("not_plain", "TypeError: .*float32"),
    ],
)
def test_a_function_that_cannot_be_used_is_a_failed_step(call, name, text):
    with pytest.raises(StepFailed, match=text):
        call(name)


def test_a_result_that_is_not_bytes_says_what_to_do(call):
    assert "array 'x' has the type object" in failure(call, "objects").message


def test_arguments_that_are_not_plain_are_refused_and_the_child_stays(call):
    before = call("pid").result
    with pytest.raises(TypeError, match="not JSON serializable"):
        call("echo", value=object())

    assert call("pid").result == before


@pytest.mark.parametrize(
    ("name", "kind", "message"),
    [
        ("segfault", "SIGSEGV", "the child process was ended by SIGSEGV"),
        ("abort", "SIGABRT", "the child process was ended by SIGABRT"),
        ("leave", "exit 3", "the child process ended itself (exit 3)"),
    ],
)
def test_the_end_of_the_child_is_a_failed_step_and_the_next_call_gets_a_new_one(call, name, kind, message):
    before = call("pid").result
    error = failure(call, name)

    assert (error.kind, error.message) == (kind, message)
    assert call("pid").result != before


def test_a_killed_child_is_not_called_out_of_memory_when_the_kernel_counted_none(call):
    error = failure(call, "kill")

    assert error.kind == "SIGKILL"
    assert ("counted no kill" in error.message) == ("oom_kill " in Path("/proc/vmstat").read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    ("oom_kills", "text"),
    [(None, "probably out of memory"), (2, "OOM killer ended 2 process"), (0, "by another process")],
)
def test_what_a_sigkill_means_depends_on_the_kernels_count(oom_kills, text):
    kind, message = describe_end(-signal.SIGKILL, oom_kills)

    assert kind == "SIGKILL"
    assert text in message


def test_a_signal_without_a_name_is_told_by_its_number():
    assert describe_end(-(signal.SIGRTMIN + 1), 0)[0] == f"signal {signal.SIGRTMIN + 1}"


def test_the_log_of_a_crash_is_kept_and_its_end_is_in_the_failure(call, tmp_path):
    log = tmp_path / "step.log"
    log.write_text("of an earlier call\n")
    error = failure(call, "segfault")

    assert "before the crash" in error.detail
    assert "from C before the crash" in error.detail
    assert "in segfault" in error.detail
    assert "earlier" not in error.detail
    assert log.read_text().startswith("of an earlier call\nbefore the crash")


def test_a_call_without_an_answer_ends_at_its_limit_with_all_that_it_started(call, tmp_path):
    error = failure(call, "native_nap", started=str(tmp_path / "pids"), timeout=1.5)

    assert (error.kind, error.message) == ("timeout", "no answer within 1.5 s")
    assert gone(wait_for(tmp_path / "pids"))
    assert call("echo").result == {}


def test_a_child_that_only_closes_its_socket_is_ended(call, monkeypatch):
    monkeypatch.setattr("pytest_navigator.isolation.process.EXIT_LIMIT", 0.2)

    assert failure(call, "close_all_descriptors").kind == "disconnected"


def test_the_end_of_a_child_whose_fork_holds_its_socket_is_seen(call, tmp_path):
    assert failure(call, "fork_and_leave", started=str(tmp_path / "pid")).kind == "exit 3"
    assert gone(wait_for(tmp_path / "pid"))


def test_lack_of_memory_is_a_memory_error():
    with closing(Child(python_path=[str(TESTS)])) as child, pytest.raises(StepFailed) as caught:
        child.call("children:use_too_much", {}, log=Path(os.devnull), timeout=LIMIT)

    assert caught.value.kind == "MemoryError"


def test_peak_memory_is_that_of_the_call(call):
    before = call("pid").peak_memory
    if before is None:
        pytest.skip("the platform does not tell")
    large = call("use", mebibytes=200).peak_memory
    after = call("pid").peak_memory

    assert large > before + 190
    assert after < before + 100


def test_all_output_of_a_call_is_in_its_log(call, tmp_path):
    call("speak")
    text = (tmp_path / "step.log").read_text()

    for line in ("from Python", "to stderr", "to the descriptor", "from C, 42", "from a process"):
        assert line in text.splitlines()
    assert "UserWarning: a warning" in text


def test_the_child_is_set_up_for_its_job(call):
    state = call("state").result

    assert state["main"] == "pytest_navigator.isolation.worker"
    assert state["path"][0] == str(TESTS)
    assert set(filter(None, sys.path)) <= set(state["path"])
    assert state["PYTHONPATH"] == os.environ.get("PYTHONPATH")
    assert state["cwd"] == os.getcwd()
    assert state["session"] != os.getsid(0)
    assert state["sigint"]
    assert state["oom_score_adj"] == "1000"
    assert state["standard descriptors"][0] == os.devnull
    assert state["standard descriptors"][1].endswith("step.log")


def test_a_child_that_imported_nothing_has_no_framework(call):
    assert not {"torch", "onnxruntime", "pytest"} & set(call("state").result["modules"])


def test_the_working_directory_can_be_chosen_and_hides_no_module(tmp_path):
    (tmp_path / "json.py").write_text("raise RuntimeError('not this one')")
    log = tmp_path / "log"
    with closing(Child(python_path=[str(TESTS)], cwd=tmp_path)) as child:
        assert child.call("children:state", {}, log=log, timeout=LIMIT).result["cwd"] == str(tmp_path)


def test_a_log_is_relative_to_the_parents_working_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with closing(Child(python_path=[str(TESTS)], cwd=TESTS)) as child:
        child.call("children:speak", {}, log=Path("step.log"), timeout=LIMIT)

    assert "from Python" in (tmp_path / "step.log").read_text()


def importing(*names):
    child = Child(python_path=[str(TESTS), str(TESTS / "child_imports")])
    child.start(names)
    return closing(child)


def test_a_module_that_cannot_be_imported_early_is_logged_and_fails_only_who_needs_it(tmp_path, caplog):
    with importing("json", "broken_import", "colorsys") as child:
        first = child.call("children:state", {}, log=tmp_path / "log", timeout=LIMIT).result
        assert "the child process cannot import 'broken_import': RuntimeError: a shared lib" in caplog.text
        assert "colorsys" in first["modules"]

        with pytest.raises(StepFailed, match="a shared library is missing") as caught:
            child.call("broken_import:anything", {}, log=tmp_path / "log", timeout=LIMIT)
        assert "broken_import.py" in caught.value.detail

        caplog.clear()
        child.start(["broken_import"])
        assert child.call("children:pid", {}, log=tmp_path / "log", timeout=LIMIT).result == first["pid"]
    assert caplog.text == ""


def test_a_module_that_ends_the_child_is_logged_and_fails_only_who_needs_it(tmp_path, caplog):
    with importing("crashing_import", "colorsys") as child:
        first = child.call("children:state", {}, log=tmp_path / "log", timeout=LIMIT).result
        assert "the child process was ended by SIGABRT while it imported 'crashing_import'" in caplog.text
        assert "about to crash" in caplog.text
        assert "colorsys" in first["modules"]

        caplog.clear()
        with pytest.raises(StepFailed) as caught:
            child.call("crashing_import:anything", {}, log=tmp_path / "log", timeout=LIMIT)
        assert (caught.value.kind, caught.value.message) == ("SIGABRT", "the child process was ended by SIGABRT")

        assert "colorsys" in child.call("children:state", {}, log=tmp_path / "log", timeout=LIMIT).result["modules"]
    assert caplog.text == ""


def test_a_module_whose_import_hangs_is_logged_and_left_out(tmp_path, monkeypatch, caplog):
    monkeypatch.setenv("WAITING_IMPORT", str(tmp_path))
    monkeypatch.setattr("pytest_navigator.isolation.process.START_LIMIT", 2.0)
    with importing("waiting_import") as child:
        modules = child.call("children:state", {}, log=tmp_path / "log", timeout=LIMIT).result["modules"]

    assert "waiting_import" not in modules
    assert "the child process was not ready within 2 s (while it imported 'waiting_import')" in caplog.text


def test_an_interpreter_that_cannot_start_says_why(tmp_path, monkeypatch):
    interpreter = tmp_path / "python"
    interpreter.write_text("#!/bin/sh\necho no libpython >&2\nexit 1\n")
    interpreter.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(interpreter))
    with closing(Child()) as child, pytest.raises(StepFailed, match=r"exit 1\) while it started") as caught:
        child.call("children:pid", {}, log=tmp_path / "log", timeout=LIMIT)

    assert caught.value.detail == "no libpython"


def test_imports_are_done_before_the_call_and_do_not_count_for_its_limit(tmp_path, monkeypatch):
    monkeypatch.setenv("WAITING_IMPORT", str(tmp_path))
    with importing("children", "waiting_import") as child:
        child.start(["waiting_import", "colorsys"])
        timer = Timer(2.0, (tmp_path / "go").touch)
        timer.start()
        reply = child.call("children:state", {}, log=tmp_path / "log", timeout=1.5)
    timer.join()

    assert {"waiting_import", "colorsys"} <= set(reply.result["modules"])


def test_the_imports_are_made_while_the_parent_does_something_else(tmp_path, monkeypatch):
    monkeypatch.setenv("WAITING_IMPORT", str(tmp_path))
    with importing("waiting_import") as child:
        wait_for(tmp_path / "begun")
        (tmp_path / "go").touch()
        assert child.call("children:echo", {"x": 1}, log=tmp_path / "log", timeout=LIMIT).result == {"x": 1}


def test_a_child_that_replaces_another_makes_the_same_imports(tmp_path):
    with importing("colorsys") as child:
        with pytest.raises(StepFailed):
            child.call("children:leave", {}, log=tmp_path / "log", timeout=LIMIT)
        reply = child.call("children:state", {}, log=tmp_path / "log", timeout=LIMIT)

    assert "colorsys" in reply.result["modules"]


def test_closing_ends_the_child_and_can_be_repeated(tmp_path):
    child = Child(python_path=[str(TESTS)])
    pid = child.call("children:pid", {}, log=tmp_path / "log", timeout=LIMIT).result
    child.close()
    child.close()

    assert not psutil.pid_exists(pid)


def test_a_child_that_is_closed_does_what_it_has_to_do_at_its_exit(tmp_path):
    with closing(Child(python_path=[str(TESTS)])) as child:
        child.call("children:touch_at_exit", {"path": str(tmp_path / "done")}, log=tmp_path / "log", timeout=LIMIT)

    assert (tmp_path / "done").exists()


def test_closing_ends_a_child_in_the_middle_of_an_import(tmp_path, monkeypatch):
    monkeypatch.setenv("WAITING_IMPORT", str(tmp_path))
    before = set(psutil.Process().children())
    with importing("waiting_import"):
        wait_for(tmp_path / "begun")
        started = set(psutil.Process().children()) - before

    assert len(started) == 1
    assert set(psutil.Process().children()) == before


def test_descriptors_do_not_leak(tmp_path):
    def once():
        with closing(Child(python_path=[str(TESTS)])) as child, pytest.raises(StepFailed):
            child.call("children:leave", {}, log=tmp_path / "log", timeout=LIMIT)

    before = os.listdir("/proc/self/fd")
    once()

    assert os.listdir("/proc/self/fd") == before


@pytest.fixture
def interruptible():
    """A shell starts what runs in its background with SIGINT ignored: this process hears it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
def test_an_interrupt_of_the_parent_ends_the_child(child, call, tmp_path):
    pid = call("pid").result
    timer = Timer(0.3, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        call("nap", seconds=60)
    timer.join()

    assert gone([pid])
    assert call("pid").result != pid


def test_an_interrupt_of_the_process_group_does_not_reach_the_child(tmp_path):
    done = python(INTERRUPTED.format(tests=str(TESTS)), tmp_path, start_new_session=True)

    assert (done.stdout, done.returncode) == ("result None\n", 0), done.stderr


def test_nothing_is_left_when_the_parent_is_killed_in_the_middle_of_native_code(tmp_path):
    started = tmp_path / "pids"
    code = NATIVE_NAP.format(tests=str(TESTS), started=str(started))
    with subprocess.Popen([sys.executable, "-c", code], cwd=tmp_path) as parent:
        pids = wait_for(started)
        guards = [process.pid for process in psutil.Process(pids[0]).children()]
        parent.kill()

    assert len(guards) == 2
    assert gone([*pids, *guards])


@pytest.mark.parametrize("how", ["a script", "-c", "stdin"])
def test_the_parents_main_is_not_run_again(tmp_path, how):
    code = SCRIPT.format(tests=str(TESTS))
    script = tmp_path / "script.py"
    script.write_text(code)
    options = {"input": code} if how == "stdin" else {}
    arguments = {"a script": [str(script)], "-c": ["-c", code], "stdin": ["-"]}[how]
    done = python(code, tmp_path, *arguments, **options)

    assert (done.stdout, done.returncode) == ("result {'x': 1}\n", 0), done.stderr


def test_settings_hold_before_a_step_can_use_a_framework_that_it_imports_itself(tmp_path):
    torch = {
        "num_threads": 1,
        "float32_matmul_precision": "medium",
        "deterministic": True,
        "deterministic_warn_only": True,
    }
    with closing(Child(python_path=[str(TESTS)], settings={"torch": torch})) as child:
        first = child.call("children:torch_settings", {}, log=tmp_path / "log", timeout=LIMIT).result
        child.settings = {"torch": {"deterministic": False, "num_threads": 2}}
        second = child.call("children:torch_settings", {}, log=tmp_path / "log", timeout=LIMIT).result

    assert first == torch
    assert second == {**torch, "deterministic": False, "num_threads": 2}


def test_a_setting_that_does_not_exist_is_refused():
    with pytest.raises(ValueError, match=r"unknown setting 'threads' of 'torch' \(valid: .*'num_threads'"):
        Child(settings={"torch": {"threads": 2}})


def test_the_parents_settings_are_those_of_frameworks_that_it_has_imported():
    code = (
        "import sys; from pytest_navigator.isolation.numerics import current_settings; before = current_settings();"
        "print(before, 'torch' in sys.modules)"
    )
    import torch

    assert subprocess.check_output([sys.executable, "-c", code], text=True) == "{} False\n"
    assert current_settings()["torch"]["num_threads"] == torch.get_num_threads()
