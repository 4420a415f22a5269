"""How Ray is started and joined, without starting it."""

import importlib
import importlib.util
import shlex
from pathlib import Path
from types import SimpleNamespace

import pytest
from network_pruning.sweeps import ray_connection
from network_pruning.utils import RunError


@pytest.mark.parametrize(("search", "missing"), [(None, "ray"), ("random", "optuna")])
def test_what_is_not_installed_is_a_sentence(monkeypatch, search, missing):
    pytest.importorskip("ray.tune", reason="Ray is not installed")
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == missing else find(name)
    )
    with pytest.raises(RunError, match=r"pip install './network-pruning\[sweep\]'"):
        ray_connection.check_installed(search)


def test_an_address_where_nobody_answers_is_told_of_at_once():
    assert isinstance(ray_connection.no_answer("127.0.0.1:1"), OSError)
    assert isinstance(ray_connection.no_answer("ray://[::1]:1"), OSError)
    assert ray_connection.no_answer("local") is None
    assert ray_connection.no_answer("auto") is None


@pytest.mark.parametrize("address", ["local", "auto", "head:6379", "ray://head:10001"])
@pytest.mark.parametrize("python", ["/a/new folder/bin/python", "/a/it's/python", "/a/bin/python"])
def test_a_path_that_a_shell_would_split_is_quoted(monkeypatch, address, python):
    monkeypatch.setattr(ray_connection.sys, "executable", python)
    asked = ray_connection._options(address).get("runtime_env")
    if python == "/a/bin/python" or address.startswith("ray://"):
        assert asked is None  # the machines of a cluster have paths of their own
    else:
        assert shlex.split(asked["py_executable"]) == [python]


def test_logs_are_those_of_the_session():
    known = SimpleNamespace(address_info={"session_dir": "/tmp/ray/session_1"})
    assert ray_connection._logs(known) == Path("/tmp/ray/session_1/logs")
    assert ray_connection._logs(SimpleNamespace()) == ray_connection.LOGS
