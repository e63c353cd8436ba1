# SPDX-License-Identifier: Apache-2.0
"""Does to the parts of a stage what a plan says, and looks after them as a supervisor would."""

import re
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Optional

from plan import (
    EXTRA_WORKER,
    FAULTS,
    FREEZE,
    HARBOR,
    HOLD,
    KAFKA,
    KILL,
    REDIS,
    START,
    STOP,
    THAW,
    WORKERS,
    Event,
    Plan,
)
from service import Service, ServiceError, tail_of, wait_until
from services import Redis
from stage import Stage, Worker

TICK_S = 0.02
READY_S = 90
# After so many crashes there is nothing more to learn.
CRASHES_MAX = 3
PROGRESS_EVERY_S = 5
# What an answer of Harbor takes when nothing is wrong.
LATENCY_MS = 15
# What a sanitizer or an assertion says.
FENCED = "fenced by other consumer with same group.instance.id"
ALARMS = re.compile(r"ERROR: \w+Sanitizer|runtime error:|assertion|WARNING: \w+Sanitizer")


class KeptRedis(Redis):
    """Redis as an operator runs it for whom no acknowledged write may be lost when the process is
    killed. With everysec (its default) the log is written up to two seconds after the reply when
    the disk is slow; with "no" it is written before the reply, and the page cache outlives the
    process."""

    def command(self) -> list[str]:
        return [*super().command(), "--appendfsync", "no"]


class ChaosWorker(Worker):
    """A worker that is a static member of its group, or not."""

    def __init__(self, stage: Stage, instance: str, static: bool) -> None:
        super().__init__(stage, instance)
        self.static = static

    def choose_ports(self) -> None:
        super().choose_ports()
        if not self.static:
            text = self.configuration.read_text()
            self.configuration.write_text(
                text.replace("[berth]", "[berth]\nstatic_membership = no", 1)
            )


@dataclass(frozen=True)
class Ended:
    """Somebody ended without being told to."""

    who: str
    status: Optional[int]
    last_line: str

    @property
    def explained(self) -> bool:
        """A broker that is killed while a group rebalances forgets which process is a static member
        now, and turns that one away for the one before it. The second time within a minute berthd
        takes that for a second worker of its name: it ends, and its supervisor starts it again."""
        return self.status == 1 and FENCED in self.last_line


class Crew:
    """All parts of the stage by name. Whoever ends by itself is started again at once."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.services: dict[str, Service] = {KAFKA: stage.kafka, REDIS: stage.redis}
        self.wanted: set[str] = set()
        self.ended: list[Ended] = []
        self.kills: list[tuple[float, str]] = []
        self.done: Counter = Counter()

    def hire(self, name: str, static: bool) -> None:
        """A worker, which is not started yet."""
        worker = ChaosWorker(self.stage, name, static)
        worker.choose_ports()
        self.stage.workers.append(worker)
        self.services[name] = worker

    def start_all(self) -> None:
        """Everybody but the extra worker, up and ready."""
        self.wanted = set(self.services) - {EXTRA_WORKER}
        for name in (KAFKA, REDIS, *WORKERS):
            if not self.services[name].running:
                self.services[name].launch()
        wait_until("everybody is ready", self.all_ready, READY_S, pause_s=0.1)

    def all_ready(self) -> bool:
        self.look_after()
        return all(self.services[name].ready() for name in sorted(self.wanted))

    def perform(self, event: Event) -> bool:
        """False: not yet, since the one who is to start hasn't ended."""
        if event.verb == FAULTS:
            self.stage.sandbox.faults(event.target, **({"latency_ms": LATENCY_MS} | event.detail))
            self.done[FAULTS] += 1 if event.detail else 0
            return True
        if event.target == HARBOR:
            self.hold_harbor(event.detail)
            return True
        return self.perform_on_service(event, self.services[event.target])

    def perform_on_service(self, event: Event, service: Service) -> bool:
        if event.verb == START:
            if service.running:
                # It is still ending, or it was killed meanwhile and is up again already.
                return event.target in self.wanted
            service.launch()
            self.wanted.add(event.target)
        elif event.verb == KILL:
            self.wanted.discard(event.target)
            service.kill()
            self.kills.append((time.time(), event.target))
        elif event.verb == STOP:
            self.wanted.discard(event.target)
            if service.running:
                service.terminate()
        elif service.running:
            (service.freeze if event.verb == FREEZE else service.thaw)()
        self.done[event.verb] += 1
        return True

    def hold_harbor(self, seconds: float) -> None:
        """A freeze that is so short that waiting for its end is simplest."""
        self.stage.sandbox.freeze()
        time.sleep(seconds)
        self.stage.sandbox.thaw()
        self.done[HOLD] += 1

    def look_after(self) -> None:
        for name in sorted(self.wanted):
            service = self.services[name]
            if not service.running:
                status = service.process.returncode if service.process is not None else None
                self.ended.append(Ended(name, status, tail_of(service.log, 1)))
                if len([one for one in self.ended if not one.explained]) > CRASHES_MAX:
                    raise ServiceError(f"{name} ended by itself, as others before it")
                service.launch()

    def calm_down(self) -> None:
        """No trouble any more: everybody is up, and the extra worker has left."""
        for service in [*self.services.values(), self.stage.sandbox]:
            if service.running:
                service.thaw()
        for registry in self.stage.sandbox.registries:
            self.stage.sandbox.faults(registry, latency_ms=LATENCY_MS)
        extra = self.services.get(EXTRA_WORKER)
        if extra is not None and extra.running:
            extra.terminate()
            extra.wait_end()
        for service in self.services.values():
            if service is not extra and not service.running:
                wait_until("it has ended", lambda one=service: not one.running, 60)
        self.start_all()

    def down(self) -> list[str]:
        return [name for name, service in self.services.items() if not service.running]

    def alarms(self) -> list[str]:
        """What a sanitizer or an assertion has written into anybody's log."""
        found = []
        for name, service in [*self.services.items(), (HARBOR, self.stage.sandbox)]:
            for line in lines_of(service.log):
                if ALARMS.search(line):
                    found.append(f"{name}: {line}")
        return found


def lines_of(log: Path) -> list[str]:
    return log.read_text(errors="replace").splitlines() if log.exists() else []


def carry_out(plan: Plan, crew: Crew, tell: Callable[[float], None]) -> None:
    """The whole plan, in its time; tell is called now and then with the seconds so far."""
    began_s = time.monotonic()
    waiting = list(plan.events)
    told_s = 0.0
    while waiting:
        now_s = time.monotonic() - began_s
        due = [event for event in waiting if event.at_s <= now_s]
        waiting = [event for event in waiting if event.at_s > now_s]
        waiting = [event for event in due if not crew.perform(event)] + waiting
        crew.look_after()
        if now_s - told_s >= PROGRESS_EVERY_S:
            told_s = now_s
            tell(now_s)
        time.sleep(TICK_S)


__all__ = ["LATENCY_MS", "THAW", "Crew", "Ended", "KeptRedis", "carry_out"]
