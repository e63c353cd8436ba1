#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A producer that uses nothing of berth but its schemas: asks for a registry space.

Debian: apt-get install python3-confluent-kafka python3-avro

    produce.py --bootstrap 127.0.0.1:9092 --registry main --space team-a [--public] [--id UUID]

Prints the command's id and the place of its record, as JSON. Sending the same command again with
the same --id is safe.
"""

import argparse
import io
import json
import uuid
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

try:
    import avro.io
    import avro.schema
    from confluent_kafka import KafkaException, Producer
except ImportError as missing:
    raise SystemExit(
        f"{missing}: on Debian, apt-get install python3-confluent-kafka python3-avro and run this with "
        "/usr/bin/python3"
    ) from None

SCHEMAS = Path(__file__).resolve().parents[2] / "schemas"
# The schema's fingerprint, from the table in schemas/README.md.
CREATE_SPACE = "61999f97f462d983"


def frame(fingerprint: str, body: bytes) -> bytes:
    """Avro's single-object encoding: two marker bytes, the fingerprint lowest byte first, body."""
    return b"\xc3\x01" + bytes.fromhex(fingerprint)[::-1] + body


def encode(schema: avro.schema.Schema, command: dict[str, Any]) -> bytes:
    body = io.BytesIO()
    avro.io.DatumWriter(schema).write(command, avro.io.BinaryEncoder(body))
    return body.getvalue()


def create_space(options: argparse.Namespace) -> bytes:
    schema = avro.schema.parse((SCHEMAS / "CreateSpace.avsc").read_text())
    command = {
        "command_id": str(options.id),
        "issued_at": datetime.now(timezone.utc),
        "actor": options.actor,
        "registry": options.registry,
        "space": options.space,
        "visibility": "PUBLIC" if options.public else "PRIVATE",
        "quota_bytes": None,
        "if_exists": "FAIL",
    }
    return frame(CREATE_SPACE, encode(schema, command))


def send(options: argparse.Namespace, value: bytes) -> dict[str, Any]:
    """Produces the record, waits until Kafka has it, and returns its place."""
    producer = Producer(
        {
            "bootstrap.servers": options.bootstrap,
            # Java's choice of the partition, not librdkafka's own: the order of a space's
            # commands depends on all producers choosing alike.
            "partitioner": "murmur2_random",
            "enable.idempotence": True,
        }
    )
    places = []

    def delivered(error: Any, record: Any) -> None:
        if error is not None:
            raise KafkaException(error)
        places.append(
            {"topic": record.topic(), "partition": record.partition(), "offset": record.offset()}
        )

    producer.produce(
        f"berth.commands.{options.registry}",
        key=f"{options.registry}/{options.space}".encode(),
        value=value,
        on_delivery=delivered,
    )
    producer.flush(options.delivery_timeout)
    if not places:
        raise SystemExit(f"Kafka did not take the record within {options.delivery_timeout:g} s")
    return places[0]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--bootstrap", required=True, metavar="HOST:PORT")
    parser.add_argument("--registry", required=True)
    parser.add_argument("--space", required=True)
    parser.add_argument("--public", action="store_true")
    parser.add_argument("--actor", default="example")
    parser.add_argument("--id", type=uuid.UUID, default=uuid.uuid4(), help="the command's; a new one")
    parser.add_argument("--delivery-timeout", type=float, default=30, metavar="SECONDS")
    options = parser.parse_args()
    source = send(options, create_space(options))
    print(json.dumps({"command_id": str(options.id), "source": source}))


if __name__ == "__main__":
    try:
        main()
    except KafkaException as error:
        raise SystemExit(f"Kafka did not take the record: {error.args[0].str()}") from None
    except KeyboardInterrupt:
        raise SystemExit(130) from None
