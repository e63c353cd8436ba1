# SPDX-License-Identifier: Apache-2.0
"""One service process: started, waited for, stopped, killed, frozen and started again.

Every process dies with the one that started it, listens on loopback only, writes its output to a
file of its own, and is ended and reaped by its pid.
"""

import ctypes
import os
import random
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Callable, Optional, TypeVar

T = TypeVar("T")

# Below Linux's range for outgoing connections: nobody's client takes a port while its service is
# down for a moment.
PORTS = range(15000, 32000)
PORT_ATTEMPTS = 5

_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)


class ServiceError(Exception):
    """A service did not do what it should; the text says which one and what it wrote last."""


def wait_until(what: str, probe: Callable[[], T], timeout_s: float, pause_s: float = 0.02) -> T:
    """Calls probe until what it returns is true, and returns that. Faults of the network count as
    false. After the deadline: ServiceError, with the last fault."""
    deadline = time.monotonic() + timeout_s
    fault: Optional[Exception] = None
    while True:
        try:
            value = probe()
            if value:
                return value
            fault = None
        except (OSError, EOFError) as error:
            fault = error
        if time.monotonic() >= deadline:
            reason = f" (last: {fault})" if fault else ""
            raise ServiceError(f"not within {timeout_s:g} s: {what}{reason}")
        time.sleep(pause_s)


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on at this moment."""
    for port in random.sample(PORTS, 200):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise ServiceError("no free port on 127.0.0.1")


def die_with_parent(parent_pid: int) -> None:
    """For a child between fork and exec: SIGKILL when the parent ends, however it ends."""
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent_pid:
        os._exit(1)


def exit_on_sigterm() -> None:
    """Makes SIGTERM an ordinary exit, so that everything started is stopped and removed."""

    def leave(signum: int, _frame: object) -> None:
        sys.exit(128 + signum)

    signal.signal(signal.SIGTERM, leave)


def tail_of(path: Path, lines: int = 15) -> str:
    if not path.exists():
        return ""
    return "\n".join(path.read_text(errors="replace").splitlines()[-lines:])


class Service:
    """Base of all services. A subclass says how to start (command) and when it is up (ready)."""

    ready_timeout_s = 60.0
    stop_timeout_s = 30.0

    def __init__(self, name: str, folder: Path) -> None:
        self.name = name
        self.folder = folder
        self.log = folder / f"{name}.log"
        self.process: Optional[subprocess.Popen] = None
        folder.mkdir(parents=True, exist_ok=True)

    # What a subclass says.

    def choose_ports(self) -> None:
        """Picks new ports; called before the first start, and again if one was taken."""

    def command(self) -> list[str]:
        raise NotImplementedError

    def ready(self) -> bool:
        raise NotImplementedError

    def environment(self) -> dict[str, str]:
        return dict(os.environ)

    # What everybody does with it.

    @property
    def pid(self) -> int:
        if self.process is None:
            raise ServiceError(f"{self.name} is not running")
        return self.process.pid

    @property
    def running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def start(self) -> None:
        """Starts it on fresh ports and waits until it answers."""
        self.begin()
        self.finish()

    def begin(self) -> None:
        """First half of start: several services may come up side by side."""
        self.choose_ports()
        self.launch()

    def finish(self) -> None:
        """Second half of start."""
        for attempts_left in reversed(range(PORT_ATTEMPTS)):
            try:
                self.wait_ready()
                return
            except ServiceError:
                # Between choosing a port and listening on it, somebody else may take it.
                taken = "Address already in use" in tail_of(self.log, 200)
                self.kill()
                if not taken or attempts_left == 0:
                    raise
            self.log.unlink()
            self.begin()

    def launch(self) -> None:
        """Starts it on the same ports and the same data, without waiting."""
        if self.running:
            raise ServiceError(f"{self.name} is running already")
        parent_pid = os.getpid()
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                self.command(),
                cwd=self.folder,
                env=self.environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                preexec_fn=lambda: die_with_parent(parent_pid),
            )

    def start_again(self) -> None:
        """Starts it on the same ports and the same data, and waits until it answers."""
        self.launch()
        self.wait_ready()

    def wait_ready(self) -> None:
        def up() -> bool:
            if not self.running:
                raise ServiceError(self.ended_text())
            return self.ready()

        try:
            wait_until(f"{self.name} is ready", up, self.ready_timeout_s)
        except ServiceError as error:
            raise ServiceError(f"{error}\n{tail_of(self.log)}") from None

    def ended_text(self) -> str:
        status = self.process.returncode if self.process else None
        return f"{self.name} ended with status {status}"

    def stop(self) -> int:
        """SIGTERM, then waits for the end. Returns the exit status (0 if it wasn't running)."""
        if not self.running:
            self.process = None
            return 0
        self.terminate()
        return self.wait_end()

    def terminate(self) -> None:
        """SIGTERM, without waiting."""
        self.thaw()
        os.kill(self.pid, signal.SIGTERM)

    def wait_end(self, timeout_s: Optional[float] = None) -> int:
        """Waits for the end that was asked for. Returns the exit status."""
        assert self.process is not None
        limit_s = self.stop_timeout_s if timeout_s is None else timeout_s
        try:
            status = self.process.wait(limit_s)
        except subprocess.TimeoutExpired:
            self.kill()
            raise ServiceError(
                f"{self.name} did not end within {limit_s:g} s after SIGTERM\n{tail_of(self.log)}"
            ) from None
        self.process = None
        return status

    def kill(self) -> None:
        """SIGKILL; fine if it isn't running."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def restart(self) -> None:
        """An orderly stop, then a start on the same ports and the same data."""
        self.stop()
        self.start_again()

    def freeze(self) -> None:
        """It keeps its connections and answers nothing (SIGSTOP)."""
        os.kill(self.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        os.kill(self.pid, signal.SIGCONT)
