"""The hosts of a run's workers, as the process knows them that started it: what they found is fetched and joined."""

from __future__ import annotations

import shutil
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from pytest_navigator._version import __version__
from pytest_navigator.engine.sending import Receiver
from pytest_navigator.engine.workspace import HOSTS
from pytest_navigator.package.zip.file_names import portable
from pytest_navigator.plugin import joining
from pytest_navigator.plugin._compat import outlive
from pytest_navigator.plugin.places import ROOT
from pytest_navigator.text import one_line

if TYPE_CHECKING:
    from pytest_navigator.plugin.run import Run

RECEIVED = "received"  # Below the folder of the hosts: what each has sent, by its name
SILENT = 60.0  # For how long a host may send nothing, s
ENDING = 10.0  # How long a worker whose run was interrupted may take to end its test, s
HERE = "controller"  # What the machine that started the run is called where its workers are of several hosts
SHOWN = 3  # Tests that a message names

FETCH = """
from pytest_navigator.plugin.joining import send
send(channel)
"""

# What of execnet's specification of a worker does not say where it is.
OF_ONE_WORKER = ("id", "execmodel", "env", "dont_write_bytecode", "nice", "python")


@dataclass
class HostOfWorkers:
    """Where workers run.

    Attributes:
        name: of the first of them: "gw0", or what `//id=` says.
        spec: as the user wrote it.
        nodes: xdist's, the latest last.
        apart: whether they share no disk with the run.
        reported: node ids of the tests whose steps it has reported.
        gone: why no worker can be started there any more; "" if one can.
    """

    name: str
    spec: str
    nodes: list[Any] = field(default_factory=list)
    apart: bool = False
    reported: dict[str, None] = field(default_factory=dict)
    gone: str = ""

    @property
    def text(self) -> str:
        """Name and place, for messages."""
        return f"{self.name} ({self.spec})"


class Hosts:
    """What is known of each.

    Attributes:
        problems: what the end of the run says of them, for which it fails.
    """

    def __init__(self, run: Run) -> None:
        self.run = run
        self.problems: list[str] = []
        self._known: dict[str, HostOfWorkers] = {}
        outlive(run.config, self._cannot_start)

    def meet(self, node: Any) -> None:
        """Tell a worker which run it belongs to, and what its host is called."""
        spec = node.gateway.spec
        host = self._known.setdefault(_place(spec), HostOfWorkers(portable(node.gateway.id), _shown(spec)))
        host.nodes.append(node)
        node.workerinput |= {joining.RUN_ID: self.run.id, joining.VERSION: __version__, joining.HOST: host.name}
        node.workerinput[ROOT] = str(self.run.project)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note what has been reported by which machine."""
        if name := next((str(value) for key, value in report.user_properties if key == joining.MACHINE), ""):
            for host in self._known.values():
                if host.name == name:
                    host.apart = True
                    host.reported[report.nodeid] = None

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any, error: object) -> None:
        """Note what a worker says at its end."""
        host = self._known[_place(node.gateway.spec)]
        host.apart = host.apart or getattr(node, "workeroutput", {}).get(joining.APART, False)

    @pytest.hookimpl(tryfirst=True)  # before xdist ends the workers
    def pytest_sessionfinish(self) -> None:
        """Fetch what the hosts have found, and make one of it."""
        apart = [host for host in self._known.values() if host.apart]
        if not apart or self.run.problem:
            return
        from pytest_navigator.package.merge.joined_hosts import Found, join_hosts

        for host in apart:
            for node in host.nodes:
                node.shutdown()  # of a run that was interrupted: it ends with its test
        until = time.monotonic() + ENDING
        asked = [(host, self._ask(host, until)) for host in apart]
        for host, (receiver, channel) in asked:
            _await(receiver, channel)
            if not receiver.ended:
                self.problems.append(_lost(host, receiver.problem))
        found = [
            Found(host.name, receiver.folder, receiver.machine()) for host, (receiver, _) in asked if receiver.ended
        ]
        sharing = [host.name for host in self._known.values() if not host.apart]
        own = Found(sharing[0] if len(sharing) == 1 else HERE, self.run.workspace.root, joining.machine_of(self.run))
        self.problems += [one_line(f"FAILED: {problem}") for problem in join_hosts(self.run.workspace, own, found)]
        if not self.problems:
            shutil.rmtree(self.run.workspace.root / HOSTS, ignore_errors=True)

    def _ask(self, host: HostOfWorkers, until: float) -> tuple[Receiver, Any]:
        """Have a host send what it has; returns who receives that, and its channel, None where nobody answers."""
        receiver = Receiver(self.run.workspace.root / HOSTS / RECEIVED / host.name)
        alive = [node for node in host.nodes if node.gateway.hasreceiver()]
        if not alive:
            receiver.stop(host.gone or "the connection is lost")
            return receiver, None
        while True:
            try:
                return receiver, _asking(alive[-1], self.run.id, receiver)
            except Exception as error:  # execnet's own, and whatever a connection can raise
                if time.monotonic() > until:
                    receiver.stop(one_line(str(error)))
                    return receiver, None
            time.sleep(0.2)

    def _cannot_start(self, node: Any, error: Exception, ends: bool) -> None:
        host = self._known[_place(node.gateway.spec)]
        host.gone = one_line(f"{type(error).__name__}: {error}")
        if ends or not any(other is not node and other.gateway.hasreceiver() for other in host.nodes):
            then = "the run ends" if ends else "the run goes on without it"
            self.run.config.get_terminal_writer().line(f"\n{host.text} is lost: {host.gone}; {then}")


def _asking(node: Any, run: str, receiver: Receiver) -> Any:
    channel = node.gateway.remote_exec(FETCH)
    channel.send(run)
    first = channel.receive(SILENT)  # an error of the other side, which runs a test still, is raised here
    receiver.take(first)
    channel.setcallback(receiver.take)
    return channel


def _await(receiver: Receiver, channel: Any) -> None:
    """Wait until a host has sent everything, or has been silent for too long."""
    while channel is not None:
        try:
            channel.waitclose(SILENT)
        except channel.TimeoutError:
            if time.monotonic() - receiver.heard < SILENT:
                continue
            receiver.stop(f"it has sent nothing for {SILENT:.0f} s")
        except Exception as error:  # execnet's own, and whatever a connection can raise
            receiver.stop(one_line(str(error)))
        else:
            receiver.stop("the connection is lost")
        return


def _lost(host: HostOfWorkers, why: str) -> str:
    names = [*host.reported]
    shown = ", ".join(names[:SHOWN]) + (f" and {len(names) - SHOWN} more" if len(names) > SHOWN else "")
    tests = f"; its steps are in no package unless another host ran them too: {shown}" if names else ""
    return one_line(f"FAILED: {host.text} is lost: {why}{tests}")


def _place(spec: Any) -> str:
    """Return what tells a host, and a folder on it, from others."""
    said = {name: value for name, value in vars(spec).items() if not name.startswith("_") and name not in OF_ONE_WORKER}
    return "//".join(f"{name}={value}" for name, value in sorted(said.items()))


def _shown(spec: Any) -> str:
    return "//".join(part for part in str(spec).split("//") if not part.startswith(("id=", "execmodel=")))
