# SPDX-License-Identifier: Apache-2.0
"""Kafka and Avro as a producer and a consumer see them, with nothing of berth but its schemas."""

import io
import re
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Iterator, Optional

import avro.io
import avro.schema
from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from commands import ACTOR
from reference import Command, Source

SCHEMAS = Path(__file__).resolve().parents[2] / "schemas"
MARKER = b"\xc3\x01"
FRAME_BYTES = 10
CALL_TIMEOUT_S = 30
# Records that begin as a framed one doesn't, for whoever tells them apart by their bytes.
GARBAGE = b"no command at all, number "


def fingerprints() -> dict[str, bytes]:
    """Record name to the eight bytes of its schema, from the table in schemas/README.md."""
    text = (SCHEMAS / "README.md").read_text()
    rows = re.findall(r"^\| `(\w+)` \| `([0-9a-f]{16})` \|", text, re.MULTILINE)
    return {name: bytes.fromhex(digits)[::-1] for name, digits in rows}


class Codec:
    """Commands to bytes, results from bytes."""

    def __init__(self) -> None:
        self.fingerprints = fingerprints()
        self.schemas = {
            name: avro.schema.parse((SCHEMAS / f"{name}.avsc").read_text())
            for name in self.fingerprints
        }
        self.result_reader = avro.io.DatumReader(self.schemas["CommandResult"])

    def encode(self, command: Command) -> bytes:
        schema = self.schemas[command.kind]
        body = io.BytesIO()
        everything = {
            "command_id": command.command_id,
            "issued_at": datetime.fromtimestamp(command.issued_at_ms / 1000, timezone.utc),
            "actor": ACTOR,
            "registry": command.registry,
            "space": command.space,
            "visibility": command.visibility,
            "quota_bytes": command.quota_bytes,
            "if_exists": "ADOPT" if command.adopt else "FAIL",
            "unbind": command.unbind,
            "workspaces": sorted(command.workspaces),
        }
        wanted = {field.name: everything[field.name] for field in schema.fields}
        avro.io.DatumWriter(schema).write(wanted, avro.io.BinaryEncoder(body))
        return MARKER + self.fingerprints[command.kind] + body.getvalue()

    def source_of(self, value: bytes) -> Source:
        """The record that a result answers."""
        if value[:FRAME_BYTES] != MARKER + self.fingerprints["CommandResult"]:
            raise ValueError("a result of an unknown schema")
        result = self.result_reader.read(avro.io.BinaryDecoder(io.BytesIO(value[FRAME_BYTES:])))
        source: dict[str, Any] = result["source"]
        return source["topic"], source["partition"], source["offset"]


@dataclass(frozen=True)
class Raw:
    """One record as it is in a topic."""

    source: Source
    key: bytes
    value: Optional[bytes]


def silent_consumer(brokers: str, group: str) -> Consumer:
    """Reads committed records, is in no group, and keeps quiet while Kafka is away."""
    return Consumer(
        {
            "bootstrap.servers": brokers,
            "group.id": group,
            "isolation.level": "read_committed",
            "fetch.wait.max.ms": 25,
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
            "enable.partition.eof": False,
            "reconnect.backoff.max.ms": 500,
            "log_level": 0,
            "error_cb": lambda _error: None,
        }
    )


def partitions_of(consumer: Consumer, topic: str) -> list[TopicPartition]:
    metadata = consumer.list_topics(topic, timeout=CALL_TIMEOUT_S).topics[topic]
    return [TopicPartition(topic, number, 0) for number in sorted(metadata.partitions)]


def read_whole_topic(brokers: str, topic: str) -> Iterator[Raw]:
    """Everything in a topic that has no transactions in it, as it is now."""
    consumer = silent_consumer(brokers, "chaos-whole")
    try:
        for place in partitions_of(consumer, topic):
            first, end = consumer.get_watermark_offsets(place, timeout=CALL_TIMEOUT_S)
            consumer.assign([TopicPartition(topic, place.partition, first)])
            while first < end:
                message = consumer.poll(CALL_TIMEOUT_S)
                if message is None:
                    raise KafkaException(KafkaError._TIMED_OUT)
                if message.error():
                    raise KafkaException(message.error())
                first = message.offset() + 1
                yield Raw(
                    (topic, message.partition(), message.offset()), message.key(), message.value()
                )
    finally:
        consumer.close()


def committed_offsets(brokers: str, group: str, topic: str) -> dict[int, tuple[int, int]]:
    """Partition to what the group has committed, and to the end of the log."""
    consumer = silent_consumer(brokers, group)
    try:
        found = {}
        for place in consumer.committed(partitions_of(consumer, topic), timeout=CALL_TIMEOUT_S):
            _first, end = consumer.get_watermark_offsets(place, timeout=CALL_TIMEOUT_S)
            found[place.partition] = (place.offset, end)
        return found
    finally:
        consumer.close()
