# SPDX-License-Identifier: Apache-2.0
"""The services that integration and e2e tests and the demo run on, all real and all on loopback:
Apache Kafka (one broker, KRaft), redis-server, and berth-sandbox (the Harbor stand-in)."""

import fcntl
import hashlib
import json
import os
import re
import shutil
import socket
import struct
import subprocess
import urllib.request
from pathlib import Path
from typing import Any, Optional

from service import Service, ServiceError, free_port, wait_until

ROOT = Path(__file__).resolve().parents[2]

# Filled by ./dev: the jars, and what makes a broker start quickly.
KAFKA_HOME = ROOT / "build" / "kafka"
KAFKA_CLUSTER_ID = "MkU3OEVBNTcwNTJENDM2Qg"
JAVA_VERSION_MIN = 17
JAVA_OPTIONS = ["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC"]

# What is not about places and ports makes a single broker quick: no replicas to wait for, and a
# restart after SIGKILL that needn't wait until the controller has given the old session up.
KAFKA_PROPERTIES = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller_port}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
controller.listener.names=CONTROLLER
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT
inter.broker.listener.name=PLAINTEXT
log.dirs={data}
offsets.topic.replication.factor=1
offsets.topic.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=1
group.initial.rebalance.delay.ms=0
num.network.threads=2
num.io.threads=2
log.cleaner.dedupe.buffer.size=2097152
transaction.abort.timed.out.transaction.cleanup.interval.ms=1000
auto.create.topics.enable=false
broker.heartbeat.interval.ms=200
broker.session.timeout.ms=1000
"""


def java_version(java: Path) -> int:
    """The major version of a java program; 0 when it can't be told."""
    release = java.resolve().parent.parent / "release"
    if release.exists():
        found = re.search(r'JAVA_VERSION="(\d+)', release.read_text(errors="replace"))
    else:
        said = subprocess.run([java, "-version"], capture_output=True, text=True, check=False)
        found = re.search(r'version "(\d+)', said.stderr)
    return int(found.group(1)) if found else 0


def find_java() -> Path:
    """The first that is new enough of: JAVA_HOME's, the one on the path, those of /usr/lib/jvm."""
    candidates = []
    if "JAVA_HOME" in os.environ:
        candidates.append(Path(os.environ["JAVA_HOME"]) / "bin" / "java")
    on_path = shutil.which("java")
    if on_path:
        candidates.append(Path(on_path))
    candidates += sorted(Path("/usr/lib/jvm").glob("*/bin/java"))
    for java in candidates:
        if java.exists() and java_version(java) >= JAVA_VERSION_MIN:
            return java
    raise ServiceError(f"no java {JAVA_VERSION_MIN} or newer found: run ./dev test")


class Kafka(Service):
    """One Kafka broker that is its own controller; a cluster of its own if it is given another id."""

    formatted_name = "formatted"

    def __init__(self, folder: Path, cluster_id: str = KAFKA_CLUSTER_ID) -> None:
        super().__init__("kafka", folder)
        self.java = find_java()
        self.cluster_id = cluster_id
        self.data = folder / "data"
        self.properties = folder / "server.properties"
        self.port = 0
        self.controller_port = 0

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def choose_ports(self) -> None:
        self.port = free_port()
        self.controller_port = free_port()
        self.write_properties()
        formatted = self.formatted_data()
        shutil.rmtree(self.data, ignore_errors=True)
        shutil.copytree(formatted, self.data)
        meta = self.data / "meta.properties"
        meta.write_text(meta.read_text().replace(KAFKA_CLUSTER_ID, self.cluster_id))

    def write_properties(self) -> None:
        self.properties.write_text(
            KAFKA_PROPERTIES.format(
                port=self.port, controller_port=self.controller_port, data=self.data
            )
        )

    def command(self) -> list[str]:
        archive = self.archive()
        options = [f"-XX:SharedArchiveFile={archive}"] if archive.exists() else []
        return self.java_command("-Xmx256m", *options) + ["kafka.Kafka", str(self.properties)]

    def java_command(self, *options: str) -> list[str]:
        lib = KAFKA_HOME / "lib"
        if not lib.is_dir():
            raise ServiceError(f"Kafka's jars are not in {lib}: run ./dev test, which gets them")
        # The same class path, in the same order, at every start: the class archive insists on it.
        jars = ":".join(sorted(str(jar) for jar in lib.glob("*.jar")))
        quiet = "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn"
        return [str(self.java), *JAVA_OPTIONS, *options, quiet, "-cp", jars]

    def ready(self) -> bool:
        return broker_count(self.port) > 0

    def archive(self) -> Path:
        """Java's archive of loaded classes: it halves the start. One for each java and jar set."""
        names = [str(self.java.resolve())]
        names += sorted(jar.name for jar in (KAFKA_HOME / "lib").glob("*.jar"))
        digest = hashlib.sha256("|".join(names).encode()).hexdigest()
        return KAFKA_HOME / f"classes-{digest[:16]}.jsa"

    def formatted_data(self) -> Path:
        """A formatted, empty data folder, made once: formatting takes as long as a start."""
        KAFKA_HOME.mkdir(parents=True, exist_ok=True)
        formatted = KAFKA_HOME / self.formatted_name
        with open(KAFKA_HOME / "lock", "w", encoding="ascii") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not formatted.exists():
                self.format_into(formatted)
        return formatted

    def format_into(self, formatted: Path) -> None:
        command = self.java_command("-Xmx128m") + ["kafka.tools.StorageTool", "format"]
        command += ["-t", KAFKA_CLUSTER_ID, "-c", str(self.properties), *self.format_options()]
        with open(self.log, "ab") as log:
            done = subprocess.run(command, stdout=log, stderr=log, timeout=60, check=False)
        if done.returncode != 0:
            raise ServiceError(f"formatting Kafka's data folder failed; see {self.log}")
        # Renamed last, so that half a copy never counts.
        partial = formatted.with_suffix(".partial")
        shutil.rmtree(partial, ignore_errors=True)
        shutil.copytree(self.data, partial)
        partial.rename(formatted)

    def format_options(self) -> list[str]:
        """More for the formatter: users, say."""
        return []

    def make_archive(self) -> None:
        """Runs a broker once so that Java writes its class archive."""
        archive = self.archive()
        if archive.exists():
            return
        partial = archive.with_suffix(".partial")
        self.choose_ports()
        command = self.java_command("-Xmx256m", f"-XX:ArchiveClassesAtExit={partial}")
        command += ["kafka.Kafka", str(self.properties)]
        self.command = lambda: command  # type: ignore[method-assign]
        self.start_again()
        self.stop()
        if partial.exists():
            partial.rename(archive)


def broker_count(port: int) -> int:
    """Asks for the cluster's metadata (Metadata version 4) and returns the number of brokers."""
    client_id = b"ready"
    header = struct.pack(">hhih", 3, 4, 1, len(client_id)) + client_id
    no_topics_no_creation = struct.pack(">i?", 0, False)
    request = header + no_topics_no_creation
    with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
        connection.sendall(struct.pack(">i", len(request)) + request)
        (size,) = struct.unpack(">i", receive(connection, 4))
        reply = receive(connection, size)
    _correlation_id, _throttle_ms, brokers = struct.unpack(">iii", reply[:12])
    return int(brokers)


def receive(connection: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        more = connection.recv(size - len(data))
        if not more:
            raise EOFError("the connection was closed")
        data += more
    return data


class Redis(Service):
    """redis-server as berth needs it: nothing is evicted, every write is logged."""

    def __init__(self, folder: Path) -> None:
        super().__init__("redis", folder)
        self.port = 0
        self.options: tuple[str, ...] = ()  # More of the program's.

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def program(self) -> str:
        return "redis-server"

    def choose_ports(self) -> None:
        self.port = free_port()

    def command(self) -> list[str]:
        return [
            self.program(), "--bind", "127.0.0.1", "--port", str(self.port),
            "--dir", str(self.folder), "--daemonize", "no", "--loglevel", "notice",
            "--maxmemory-policy", "noeviction", "--appendonly", "yes", "--save", "",
            *self.options,
        ]  # fmt: skip

    def ready(self) -> bool:
        return self.ask("PING") == "PONG"

    def ask(self, *words: str) -> Any:
        """One command, one reply; what is not there is None. A reply with an error is an error."""
        request = b"*%d\r\n" % len(words)
        for word in words:
            data = word.encode()
            request += b"$%d\r\n%s\r\n" % (len(data), data)
        with socket.create_connection(("127.0.0.1", self.port), timeout=5) as connection:
            connection.sendall(request)
            with connection.makefile("rb") as stream:
                return read_redis_reply(stream)

    # What is in its files.

    def kill_and_lose_data(self) -> None:
        """SIGKILL, and its files are gone."""
        self.kill()
        shutil.rmtree(self.folder / "appendonlydir")

    def copy_data(self) -> Path:
        """A copy of its files as they are now. Nothing may be asked of it meanwhile."""
        copy = self.folder / "copy"
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(self.folder / "appendonlydir", copy)
        return copy

    def stop_and_restore(self, copy: Path) -> None:
        """An orderly stop; at its next start it is as it was when the copy was made."""
        self.stop()
        shutil.rmtree(self.folder / "appendonlydir")
        shutil.copytree(copy, self.folder / "appendonlydir")

    def hash(self, key: str) -> dict[str, str]:
        flat = self.ask("HGETALL", key)
        return dict(zip(flat[::2], flat[1::2]))

    def members(self, key: str) -> list[str]:
        return sorted(self.ask("ZRANGE", key, "0", "-1"))


class Valkey(Redis):
    """The same with Valkey: the one that ./dev has built, or the system's."""

    def program(self) -> str:
        built = ROOT / "build" / "valkey" / "bin" / "valkey-server"
        found = str(built) if built.exists() else shutil.which("valkey-server")
        if found is None:
            raise ServiceError("there is no valkey-server: ./dev test integration gets it")
        return found


def read_redis_reply(stream: Any) -> Any:
    line = stream.readline()
    if not line.endswith(b"\r\n"):
        raise EOFError("the connection was closed")
    kind, text = line[:1], line[1:-2].decode()
    if kind == b"+":
        return text
    if kind == b"-":
        raise OSError(f"redis: {text}")
    if kind == b":":
        return int(text)
    if text == "-1":
        return None
    if kind == b"$":
        return stream.read(int(text) + 2)[:-2].decode(errors="replace")
    return [read_redis_reply(stream) for _ in range(int(text))]


SESSION_CALLS = ("GET /systeminfo", "POST /c/login", "GET /c/log_out", "GET /users/current")


class Sandbox(Service):
    """berth-sandbox: two registries that behave like Harbor, alpha and beta, and an embedded Kafka
    if topics are given to make there."""

    registries = ("alpha", "beta")
    user = "berth"
    password = "Sandbox-Passw0rd"

    def __init__(self, folder: Path, build: Path, topics: Optional[dict[str, int]] = None) -> None:
        super().__init__("sandbox", folder)
        self.topics = topics
        self.options: tuple[str, ...] = ()  # More of the program's.
        self.program = build / "bin" / "berth-sandbox"
        self.password_file = folder / "harbor-password"
        self.password_file.write_text(self.password)
        self.password_file.chmod(0o600)
        self.ports: dict[str, int] = {}
        self.admin_port = 0

    def choose_ports(self) -> None:
        self.ports = {name: free_port() for name in self.registries}
        self.admin_port = free_port()

    def command(self) -> list[str]:
        words = [str(self.program)]
        for name, port in self.ports.items():
            words += ["--registry", f"{name}={port}"]
        words += ["--admin-port", str(self.admin_port), "--user", self.user]
        if self.topics is not None:
            words += ["--kafka"]
            for name, partitions in self.topics.items():
                words += ["--topic", f"{name}={partitions}"]
        return words + ["--password-file", str(self.password_file), *self.options]

    def launch(self) -> None:
        # The word "ready" of an earlier start must not count for this one.
        self.log.unlink(missing_ok=True)
        super().launch()

    def ready(self) -> bool:
        return "ready" in self.log.read_text(errors="replace").splitlines()

    @property
    def kafka_address(self) -> str:
        """Of the embedded Kafka, which chooses its port by itself."""
        found = re.search(r"^kafka (\S+)$", self.log.read_text(), re.MULTILINE)
        if found is None:
            raise ServiceError("berth-sandbox names no embedded Kafka")
        return found.group(1)

    def url(self, registry: str) -> str:
        return f"http://127.0.0.1:{self.ports[registry]}"

    @property
    def admin_url(self) -> str:
        return f"http://127.0.0.1:{self.admin_port}"

    def counters(self, registry: str = "alpha") -> dict[str, int]:
        """How often each call was made, by method and route, since the last reset."""
        return self.admin("GET", registry, "counters")

    def calls(self, registry: str = "alpha") -> dict[str, int]:
        """The calls that were made, without those of a session: its login and its proofs."""
        counters = self.counters(registry).items()
        return {call: count for call, count in counters if count and call not in SESSION_CALLS}

    def reset_counters(self, registry: str = "alpha") -> None:
        self.admin("DELETE", registry, "counters")

    def writes(self, registry: str = "alpha") -> list[dict[str, Any]]:
        return self.admin("GET", registry, "writes")

    def faults(self, registry: str = "alpha", **faults: Any) -> None:
        """Sets all faults of a registry (docs/sandbox.md); what isn't named is off."""
        self.admin("PUT", registry, "faults?reset", faults)

    def add_rule(self, registry: str = "alpha", **rule: Any) -> None:
        """One more rule of faults on top of the others."""
        self.admin("POST", registry, "faults", rule)

    def forget_sessions(self, registry: str = "alpha") -> None:
        self.admin("DELETE", registry, "sessions")

    def change_csrf_key(self, registry: str = "alpha") -> None:
        self.admin("DELETE", registry, "csrf-key")

    def push(self, space: str, repository: str, registry: str = "alpha") -> None:
        """What a push of a first image does: the space has this repository."""
        self.admin("PUT", registry, f"repositories/{space}/{repository}")

    def remove_repository(self, space: str, repository: str, registry: str = "alpha") -> None:
        self.admin("DELETE", registry, f"repositories/{space}/{repository}")

    def admin(self, method: str, registry: str, what: str, body: Optional[dict] = None) -> Any:
        url = f"{self.admin_url}/registries/{registry}/{what}"
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(url, data, method=method)
        request.add_header("Content-Type", "application/json")
        with urllib.request.urlopen(request, timeout=10) as reply:
            text = reply.read()
        return json.loads(text) if text else None


__all__ = [
    "Kafka", "Redis", "Sandbox", "Service", "ServiceError", "Valkey", "free_port", "wait_until",
]  # fmt: skip
