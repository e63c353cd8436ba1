# SPDX-License-Identifier: Apache-2.0
"""What the kernel says of a running process: CPU time, memory, how often it went to sleep."""

import re
import time
from pathlib import Path

from service import Service, ServiceError


def cpu_us(service: Service) -> float:
    """User and system time so far, of all threads, ended ones too, in microseconds. Not from
    /proc/PID/stat, which counts in steps of 10 ms."""
    clock = (~service.pid << 3) | 2  # The kernel's CLOCKFD of that process, as clock_getcpuclockid.
    return time.clock_gettime_ns(clock) / 1000


def memory_mib(service: Service, field: str) -> float:
    """VmRSS (now) or VmHWM (the most so far)."""
    status = Path(f"/proc/{service.pid}/status").read_text()
    found = re.search(rf"^{field}:\s+(\d+) kB", status, re.MULTILINE)
    if found is None:
        raise ServiceError(f"no {field} in the status of {service.name}")
    return int(found.group(1)) / 1024


def sleeps(service: Service) -> dict[str, int]:
    """How often each thread went to sleep by itself, and so was woken: voluntary context switches."""
    found = {}
    for task in Path(f"/proc/{service.pid}/task").iterdir():
        try:
            status = (task / "status").read_text()
        except OSError:
            continue  # It has ended since.
        switches = re.search(r"^voluntary_ctxt_switches:\s+(\d+)", status, re.MULTILINE)
        found[task.name] = int(switches.group(1)) if switches else 0
    return found


def wakeups(before: dict[str, int], after: dict[str, int]) -> int:
    """Of all threads that are still there: a thread that ended in between isn't counted."""
    return sum(count - before.get(thread, 0) for thread, count in after.items())
