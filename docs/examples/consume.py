#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A consumer that uses nothing of berth but its schemas: prints results as they come.

Debian: apt-get install python3-confluent-kafka python3-avro

    consume.py --bootstrap 127.0.0.1:9092 --group console [--id UUID] [--timeout SECONDS]

One line of JSON for each result. With --id it ends with the first answer to that command: status 0
if it succeeded, 1 if it was rejected or failed, or Kafka refuses. Status 3: nothing more came within
the time.
"""

import argparse
import io
import json
import time
from pathlib import Path
from typing import Any, Optional

try:
    import avro.io
    import avro.schema
    from confluent_kafka import Consumer, KafkaException
except ImportError as missing:
    raise SystemExit(
        f"{missing}: on Debian, apt-get install python3-confluent-kafka python3-avro and run this with "
        "/usr/bin/python3"
    ) from None

SCHEMAS = Path(__file__).resolve().parents[2] / "schemas"
# The schema's fingerprint, from the table in schemas/README.md. A later berth may write with a
# later schema: its fingerprint gets a line of its own here, with that schema.
SCHEMA_FILES = {"12ef2f7996974bc8": "CommandResult.avsc"}
FRAME_BYTES = 10
NO_ANSWER = 3


class Decoder:
    def __init__(self) -> None:
        self.readers = {
            fingerprint: avro.io.DatumReader(avro.schema.parse((SCHEMAS / name).read_text()))
            for fingerprint, name in SCHEMA_FILES.items()
        }

    def decode(self, value: bytes) -> Optional[dict[str, Any]]:
        """The record in a value; None: of a schema that isn't known here."""
        if len(value) < FRAME_BYTES or value[:2] != b"\xc3\x01":
            return None
        reader = self.readers.get(value[2:FRAME_BYTES][::-1].hex())
        if reader is None:
            return None
        return reader.read(avro.io.BinaryDecoder(io.BytesIO(value[FRAME_BYTES:])))


def show(result: dict[str, Any], headers: dict[str, bytes]) -> None:
    shown = {
        "event_id": headers["ce_id"].decode(),
        "replayed": headers.get("berth-replayed") == b"true",
    }
    for name in ("command_id", "space", "outcome", "changed", "code", "message", "source"):
        shown[name] = result[name]
    print(json.dumps(shown, default=str), flush=True)


def follow(consumer: Consumer, command_id: Optional[str], timeout_s: float) -> int:
    """Shows results until the answer to the command came, or none at all for so long."""
    decoder = Decoder()
    deadline = time.monotonic() + timeout_s
    while (left_s := deadline - time.monotonic()) > 0:
        message = consumer.poll(left_s)
        if message is None:
            continue
        if message.error():
            raise KafkaException(message.error())
        result = decoder.decode(message.value() or b"")
        wanted = result is not None and command_id in (None, str(result["command_id"]))
        if wanted:
            show(result, dict(message.headers() or []))
            deadline = time.monotonic() + timeout_s
        # Only now: after a crash the same event is read again, under the same ce_id.
        consumer.commit(message, asynchronous=False)
        if wanted and command_id is not None:
            return 0 if result["outcome"] == "SUCCEEDED" else 1
    return NO_ANSWER


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--bootstrap", required=True, metavar="HOST:PORT")
    parser.add_argument("--group", required=True)
    parser.add_argument("--id", type=str.lower, help="the command whose answer is waited for")
    parser.add_argument("--timeout", type=float, default=30, metavar="SECONDS")
    options = parser.parse_args()
    consumer = Consumer(
        {
            "bootstrap.servers": options.bootstrap,
            "group.id": options.group,
            # What berth took back (an aborted transaction) must not be seen.
            "isolation.level": "read_committed",
            # See "Read with" in docs/events.md: the default is half a second.
            "fetch.wait.max.ms": 25,
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
        }
    )
    consumer.subscribe(["berth.results"])
    try:
        return follow(consumer, options.id, options.timeout)
    finally:
        consumer.close()


if __name__ == "__main__":
    try:
        raise SystemExit(main())
    except KafkaException as error:
        raise SystemExit(f"Kafka: {error.args[0].str()}") from None
    except KeyboardInterrupt:
        raise SystemExit(130) from None
