# SPDX-License-Identifier: Apache-2.0
"""A whole stage: Kafka, Redis, the Harbor stand-ins, topics, workers, and the berth program to
talk with them as a user would. Nothing here knows more than a user could: what berth's programs
print, Harbor's API, and the documented layout in Redis."""

import base64
import json
import os
import secrets
import shutil
import signal
import subprocess
import tempfile
import urllib.error
import urllib.parse
import urllib.request
import uuid
from pathlib import Path
from types import TracebackType
from typing import Any, Optional, Sequence

from service import Service, ServiceError, free_port, tail_of, wait_until
from secured_kafka import SecuredKafka
from services import Kafka, Redis, Sandbox

DEPLOYMENT = "demo"
SESSION_TIMEOUT_S = 6
# Design 4.7: how long a restarted worker leaves the lanes of its own earlier run alone.
GRACE_S = 2
# For tests that wait for a lease to end: as short as can be.
QUICK_LEASE_S = 5
QUICK_LEASES = {
    "berth": [
        f"lease_ms = {QUICK_LEASE_S * 1000}",
        "renew_ms = 1500",
        "restart_grace_ms = 1000",
    ],
    "redis": ["timeout_ms = 1000"],
    "registry": ["connect_timeout_ms = 1000", "request_timeout_ms = 1500"],
}
REGISTRY_UIDS = {
    "alpha": "5a9be1a4-23a3-4f0e-9d5e-0c9f5f5f7a01",
    "beta": "5a9be1a4-23a3-4f0e-9d5e-0c9f5f5f7a02",
}
PAGE = 100
# What the programs call their topics when the configuration doesn't say otherwise.
TOPICS = ["berth.results", "berth.audit", "berth.spaces", "berth.dlq"] + [
    f"berth.commands.{registry}" for registry in REGISTRY_UIDS
]

# The kinds of Kafka.
REAL, EMBEDDED = "real", "embedded"

# Exit statuses of berth.
DONE, REFUSED, USAGE, NO_ANSWER = range(4)


class Worker(Service):
    """One berthd process with a configuration of its own."""

    stop_timeout_s = 60.0

    def __init__(self, stage: "Stage", instance: str) -> None:
        super().__init__(instance, stage.folder / instance)
        self.stage = stage
        self.instance = instance
        self.admin_port = 0
        self.configuration = self.folder / "berth.conf"
        self.state = self.folder / "state"
        self.state.mkdir(mode=0o700)

    def choose_ports(self) -> None:
        self.admin_port = free_port()
        self.configuration.write_text(
            self.stage.configuration_text(self.instance, self.state, self.admin_port)
        )

    def command(self) -> list[str]:
        return [str(self.stage.program("berthd")), "-c", str(self.configuration)]

    def ready(self) -> bool:
        return self.admin_status("/readyz") == 200

    def reload(self, configuration: str) -> None:
        """Writes its file anew and waits until it has read it, be it good or bad."""

        def read() -> int:
            said = self.log.read_text()
            return said.count("configuration.reloaded") + said.count("configuration.refused")

        before = read()
        self.configuration.write_text(configuration)
        os.kill(self.pid, signal.SIGHUP)
        wait_until(f"{self.name} reads its configuration", lambda: read() > before, 30)

    def admin_status(self, path: str) -> int:
        url = f"http://127.0.0.1:{self.admin_port}{path}"
        try:
            with urllib.request.urlopen(url, timeout=5) as reply:
                return reply.status
        except urllib.error.HTTPError as error:
            return error.code


class Stage:
    """Use with "with": everything ends and is removed at the end, whatever happens.

    Kafka is real (REAL), or the sandbox's embedded one (EMBEDDED), which needs no Java and proves
    nothing about transactions: for the demo only."""

    def __init__(
        self,
        build: Path,
        partitions: int = 3,
        kafka: str = REAL,
        quick_leases: bool = False,
        secured: bool = False,
    ) -> None:
        self.build = build.resolve()
        self.partitions = partitions
        self.quick_leases = quick_leases
        self.folder = Path(tempfile.mkdtemp(prefix="berth-stage-"))
        self.kafka_kind = kafka
        self.redis = Redis(self.folder / "redis")
        if kafka == REAL:
            kind = SecuredKafka if secured else Kafka
            self.kafka = kind(self.folder / "kafka")
            self.sandbox = Sandbox(self.folder / "sandbox", self.build)
        else:
            topics = {topic: partitions for topic in TOPICS}
            self.sandbox = Sandbox(self.folder / "sandbox", self.build, topics)
        self.workers: list[Worker] = []
        # How Kafka is reached, if not at its plain listener.
        self.kafka_login: list[str] = []
        self.master_key = self.folder / "master-key"
        self.master_key.write_text(secrets.token_hex(32) + "\n")
        self.master_key.chmod(0o600)
        self.client_configuration = self.folder / "client.conf"

    def __enter__(self) -> "Stage":
        try:
            self.start()
        except BaseException:
            self.end()
            raise
        return self

    def __exit__(
        self,
        kind: Optional[type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        self.end()

    def start(self) -> None:
        """Everything but workers: see add_worker."""
        services = self.services()
        for service in services:
            service.begin()
        for service in services:
            service.finish()
        self.client_configuration.write_text(
            self.configuration_text("client", self.folder, free_port())
        )
        self.berth("topics", "--create", "--partitions", str(self.partitions))

    def end(self) -> None:
        for service in [*self.workers, *self.services()]:
            service.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def services(self) -> list[Service]:
        real = [self.kafka] if self.kafka_kind == REAL else []
        return [*real, self.redis, self.sandbox]

    @property
    def kafka_address(self) -> str:
        return self.kafka.address if self.kafka_kind == REAL else self.sandbox.kafka_address

    def logs(self) -> str:
        """The last lines of everybody, to explain a failure with."""
        everybody = [*self.services(), *self.workers]
        return "\n".join(f"--- {one.name}\n{tail_of(one.log, 40)}" for one in everybody)

    def program(self, name: str) -> Path:
        path = self.build / "bin" / name
        if not path.exists():
            raise ServiceError(f"{path} is not there: ./dev build makes it")
        return path

    def add_worker(self, instance: str = "worker-1") -> Worker:
        """A new worker, up and ready."""
        worker = Worker(self, instance)
        self.workers.append(worker)
        worker.start()
        return worker

    def configuration_text(self, instance: str, state: Path, admin_port: int) -> str:
        lines = [
            "[berth]",
            f"deployment = {DEPLOYMENT}",
            f"instance = {instance}",
            "group = berth",
            f"state_dir = {state}",
            f"master_key_file = {self.master_key}",
            f"admin_listen = 127.0.0.1:{admin_port}",
            "start = earliest",
            # It does not know static members: a restart would wait for the session to end.
            *(["static_membership = no"] if self.kafka_kind == EMBEDDED else []),
            "log_level = info",
            *(QUICK_LEASES["berth"] if self.quick_leases else []),
            "[kafka]",
            *(self.kafka_login or [f"bootstrap.servers = {self.kafka_address}"]),
            f"session.timeout.ms = {SESSION_TIMEOUT_S * 1000}",
            # The embedded Kafka answers a fetch that finds nothing only when its time is up.
            *(["fetch.wait.max.ms = 10"] if self.kafka_kind == EMBEDDED else []),
            "[redis]",
            f"address = {self.redis.address}",
            *(QUICK_LEASES["redis"] if self.quick_leases else []),
        ]
        for name, uid in REGISTRY_UIDS.items():
            lines += [
                f"[registry {name}]",
                f"uid = {uid}",
                f"url = {self.sandbox.url(name)}",
                f"username = {self.sandbox.user}",
                f"password_file = {self.sandbox.password_file}",
                "dedicated = yes",
                *(QUICK_LEASES["registry"] if self.quick_leases else []),
            ]
        return "\n".join(lines) + "\n"

    # The berth program.

    def berth(
        self, *words: str, accept: Sequence[int] = (DONE,), timeout_s: float = 60
    ) -> subprocess.CompletedProcess:
        """Runs berth; an exit status that isn't accepted is an error with what it said."""
        command = [str(self.program("berth")), "-c", str(self.client_configuration), *words]
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=timeout_s, check=False
        )
        if done.returncode not in accept:
            said = f"{done.stdout}{done.stderr}".strip()
            raise ServiceError(f"berth {' '.join(words)}: status {done.returncode}\n{said}")
        return done

    def send(self, *words: str) -> dict[str, Any]:
        """Sends one command, waits for its result and returns that."""
        done = self.berth("send", *words, "--wait", "--json", accept=(DONE, REFUSED))
        result = json.loads(done.stdout)
        succeeded = result["outcome"] == "SUCCEEDED"
        if succeeded != (done.returncode == DONE):
            raise ServiceError(f"{result['outcome']}, yet exit status {done.returncode}")
        return result

    def send_batch(self, lines: Sequence[str]) -> None:
        """Produces many commands at once, one a line, without waiting for results."""
        file = self.folder / f"batch-{uuid.uuid4()}"
        file.write_text("".join(line + "\n" for line in lines))
        self.berth("send", "--batch", str(file))

    def tail(self, topic: str) -> list[dict[str, Any]]:
        """All records of results, audit, spaces or dlq that a read_committed reader sees now."""
        said = self.berth("tail", topic, "--from-beginning", "--until-end", "--json").stdout
        return [json.loads(line) for line in said.splitlines()]

    # Harbor's API, as anybody with its password sees it.

    def harbor(self, path: str, registry: str = "alpha") -> Any:
        """GET; what isn't there (404) is None."""
        request = urllib.request.Request(f"{self.sandbox.url(registry)}/api/v2.0{path}")
        login = f"{self.sandbox.user}:{self.sandbox.password}".encode()
        request.add_header("Authorization", "Basic " + base64.b64encode(login).decode())
        request.add_header("X-Is-Resource-Name", "true")
        try:
            with urllib.request.urlopen(request, timeout=10) as reply:
                return json.load(reply)
        except urllib.error.HTTPError as error:
            if error.code == 404:
                return None
            raise

    def harbor_list(self, path: str, registry: str = "alpha") -> list[dict[str, Any]]:
        """All pages of a list."""
        found: list[dict[str, Any]] = []
        mark = "&" if "?" in path else "?"
        for page in range(1, 1000):
            part = self.harbor(f"{path}{mark}page={page}&page_size={PAGE}", registry)
            found += part
            if len(part) < PAGE:
                return found
        raise ServiceError(f"{path} has no end")

    def project(self, space: str, registry: str = "alpha") -> Optional[dict[str, Any]]:
        return self.harbor(f"/projects/{space}", registry)

    def robots(self, project_id: int, registry: str = "alpha") -> list[dict[str, Any]]:
        query = urllib.parse.quote(f"Level=project,ProjectID={project_id}", safe="")
        return self.harbor_list(f"/robots?q={query}", registry)

    def bound_in_harbor(self, space: str, registry: str = "alpha") -> Optional[list[str]]:
        """The workspaces whose robots Harbor has in a space, by our marker; None: no such space."""
        project = self.project(space, registry)
        if project is None:
            return None
        robots = self.robots(project["project_id"], registry)
        # Harbor leaves an empty description out.
        markers = [robot.get("description", "") for robot in robots]
        ours = [text for text in markers if text.startswith(f"berth={DEPLOYMENT};")]
        return sorted(text.partition(";ws=")[2] for text in ours)

    # Redis, as lookups read it.

    def spaces_in_redis(self, registry: str = "alpha") -> list[str]:
        names = self.redis.members(f"berth:v1:registry:{registry}")
        return sorted(name.removeprefix(f"{registry}/") for name in names)

    def spaces_of_workspace(self, workspace: str) -> list[str]:
        return self.redis.members(f"berth:v1:workspace:{workspace}")


__all__ = [
    "DONE", "EMBEDDED", "NO_ANSWER", "REAL", "REFUSED", "USAGE", "Stage", "Worker", "wait_until",
]  # fmt: skip
