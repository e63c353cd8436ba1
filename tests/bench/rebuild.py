# SPDX-License-Identifier: Apache-2.0
"""How long berthd takes to rebuild the data set in an empty Redis from berth.spaces, and how much
memory: 100,000 spaces with two bindings each, on a real broker. rebuild.py --build DIR [--spaces N]"""

import argparse
import re
import socket
import struct
import sys
import uuid
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))

from service import exit_on_sigterm, wait_until  # noqa: E402
from services import receive  # noqa: E402
from stage import REGISTRY_UIDS, Stage, Worker  # noqa: E402

# Single-object encoding of schemas/SpaceState.avsc. Another schema would be skipped, which is checked.
FRAME = b"\xc3\x01" + struct.pack("<Q", 0xD4BDB2E75854A7EC)
BATCH = 1000
NO_LEADER = 6
TIMEOUT_S = 600


def avro_long(number: int) -> bytes:
    zigzag = (number << 1) ^ (number >> 63)
    out = bytearray()
    while zigzag > 0x7F:
        out.append(zigzag & 0x7F | 0x80)
        zigzag >>= 7
    out.append(zigzag)
    return bytes(out)


def avro_text(text: str) -> bytes:
    return avro_long(len(text)) + text.encode()


def state(number: int, space: str) -> bytes:
    """One SpaceState, field by field as the schema has them."""
    some = avro_long(1)
    bindings = b"".join(
        avro_text(f"team-{workspace}") + avro_long(2 * number + 1) + some + avro_text("0badc0de")
        for workspace in (number % 100, 100 + number % 37)
    )
    return FRAME + b"".join(
        [
            avro_text("alpha") + avro_text(REGISTRY_UIDS["alpha"]) + avro_text(space),
            avro_long(number + 1),
            some + avro_long(number % 2),
            some + avro_long(-1),
            avro_long(2) + bindings + avro_long(0),
            some + avro_text(str(uuid.UUID(int=number))),
            some + avro_text(str(uuid.UUID(int=number))),
            avro_long(1_700_000_000_000 + number),
            avro_long(1_700_000_000_000_000 + number),
        ]
    )


def crc32c_table() -> list[int]:
    table = []
    for number in range(256):
        for _ in range(8):
            number = number >> 1 ^ (0x82F63B78 if number & 1 else 0)
        table.append(number)
    return table


CRC32C = crc32c_table()


def crc32c(data: bytes) -> int:
    crc = 0xFFFFFFFF
    for byte in data:
        crc = CRC32C[(crc ^ byte) & 0xFF] ^ crc >> 8
    return crc ^ 0xFFFFFFFF


def record_batch(records: list[tuple[bytes, bytes]]) -> bytes:
    """Kafka's record batch, version 2. Its numbers are zigzags like Avro's."""
    body = bytearray()
    for delta, (key, value) in enumerate(records):
        one = b"\0" + avro_long(0) + avro_long(delta)
        one += avro_long(len(key)) + key + avro_long(len(value)) + value + avro_long(0)
        body += avro_long(len(one)) + one
    time_ms = 1_700_000_000_000
    last, none = len(records) - 1, -1
    rest = struct.pack(
        ">hiqqqhii", 0, last, time_ms, time_ms, none, none, none, len(records)
    ) + bytes(body)
    return struct.pack(">qiibI", 0, len(rest) + 9, none, 2, crc32c(rest)) + rest


def produce(stage: Stage, spaces: int) -> None:
    """A plain client of the broker: berth's own tools send commands."""
    host, port = stage.kafka.address.split(":")
    with socket.create_connection((host, int(port)), timeout=60) as connection:
        for first in range(0, spaces, BATCH):
            names = [f"space-{n:06}" for n in range(first, min(first + BATCH, spaces))]
            records = [
                (f"alpha/{name}".encode(), state(first + place, name))
                for place, name in enumerate(names)
            ]
            batch = record_batch(records)
            partition = first // BATCH % stage.partitions
            wait_until("a leader", lambda: sent(connection, partition, batch), TIMEOUT_S)


def sent(connection: socket.socket, partition: int, batch: bytes) -> bool:
    """Produce, version 3. False: the partition, just made, has no leader yet."""
    topic = b"berth.spaces"
    header = struct.pack(">hhih", 0, 3, 1, -1)
    request = header + struct.pack(">hhiih", -1, -1, 30000, 1, len(topic)) + topic
    request += struct.pack(">iii", 1, partition, len(batch)) + batch
    connection.sendall(struct.pack(">i", len(request)) + request)
    (size,) = struct.unpack(">i", receive(connection, 4))
    reply = receive(connection, size)
    # Behind correlation id, number of topics, the name, number of partitions, the partition.
    (error,) = struct.unpack_from(">h", reply, 4 + 4 + 2 + len(topic) + 4 + 4)
    if error not in (0, NO_LEADER):
        raise SystemExit(f"Kafka refuses the states: error {error}")
    return error == 0


def peak_kib(worker: Worker) -> int:
    text = Path(f"/proc/{worker.pid}/status").read_text()
    found = re.search(r"VmHWM:\s+(\d+) kB", text)
    assert found is not None
    return int(found[1])


def rebuild(build: Path, spaces: int) -> tuple[int, int]:
    """Milliseconds of the rebuild, and the worker's peak memory in KiB after it."""
    with Stage(build) as stage:
        produce(stage, spaces)
        worker = Worker(stage, "worker-1")
        stage.workers.append(worker)
        worker.choose_ports()
        worker.launch()
        pattern = r"rebuild\.done states=(\d+) skipped=(\d+) .*ms=(\d+)"
        done = wait_until(
            "rebuild.done", lambda: re.search(pattern, worker.log.read_text()), TIMEOUT_S, 0.05
        )
        assert done is not None
        if (int(done[1]), int(done[2])) != (spaces, 0):
            raise SystemExit(f"not what was produced: {done[0]}")
        there = stage.redis.ask("ZCARD", "berth:v1:registry:alpha") if spaces else 0
        if there != spaces:
            raise SystemExit(f"{there} spaces in Redis, not {spaces}")
        return int(done[3]), peak_kib(worker)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", type=Path, required=True, help="build folder with bin/berthd")
    parser.add_argument("--spaces", type=int, default=100_000)
    arguments = parser.parse_args()
    exit_on_sigterm()
    _, idle_kib = rebuild(arguments.build, 0)
    took_ms, peak = rebuild(arguments.build, arguments.spaces)
    print(
        f"rebuild: {arguments.spaces} spaces with 2 bindings each in {took_ms / 1000:.1f} s; "
        f"berthd's peak memory {peak / 1024:.1f} MiB ({idle_kib / 1024:.1f} MiB without any)"
    )


if __name__ == "__main__":
    main()
