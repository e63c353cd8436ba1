# SPDX-License-Identifier: Apache-2.0
"""What operators, retention and time do to Kafka: groups and records that go, topics made anew.
Each is one request of Kafka's protocol to the only broker, in its last version without tagged
fields."""

import socket
import struct

from services import receive

OFFSET_COMMIT, DELETE_TOPICS, DELETE_RECORDS, DELETE_GROUPS = 8, 20, 21, 42
CREATE_ACLS, DELETE_ACLS, INCREMENTAL_ALTER_CONFIGS = 30, 31, 44
TIMEOUT_MS = 10_000
# Of resources, of patterns of their names, and of what may be done with them.
TOPIC, LITERAL = 2, 3
ANY_OPERATION, READ, WRITE = 2, 3, 4
DENY, ALLOW = 2, 3
SET, DELETE = 0, 1
# UNKNOWN_MEMBER_ID (of the empty one, while there are others) and NON_EMPTY_GROUP.
SOMEBODY_IS_IN_IT = (25, 68)


class KafkaError(Exception):
    """An error code of Kafka's protocol."""

    def __init__(self, code: int) -> None:
        super().__init__(f"Kafka answers with error {code}")
        self.code = code


def text(value: str) -> bytes:
    data = value.encode()
    return struct.pack(">h", len(data)) + data


def ask(port: int, api: int, version: int, body: bytes) -> bytes:
    """One request; the reply without its header."""
    request = struct.pack(">hhi", api, version, 1) + text("tests") + body
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        connection.sendall(struct.pack(">i", len(request)) + request)
        (size,) = struct.unpack(">i", receive(connection, 4))
        return receive(connection, size)[4:]


def check(code: int) -> None:
    if code != 0:
        raise KafkaError(code)


def after_text(data: bytes) -> bytes:
    """What follows a text."""
    (length,) = struct.unpack(">h", data[:2])
    return data[2 + length :]


def delete_group(port: int, group: str) -> None:
    """The group and its offsets, as when they have expired. Nobody may be in it."""
    reply = ask(port, DELETE_GROUPS, 1, struct.pack(">i", 1) + text(group))
    (code,) = struct.unpack(">h", after_text(reply[8:])[:2])  # After throttling and a count.
    check(code)


def commit_offset(port: int, group: str, topic: str, partition: int, offset: int) -> None:
    """Sets the offset of a group that nobody is in."""
    body = text(group) + struct.pack(">i", -1) + text("") + struct.pack(">q", -1)
    body += struct.pack(">i", 1) + text(topic)
    body += struct.pack(">iiq", 1, partition, offset) + text("")
    reply = ask(port, OFFSET_COMMIT, 2, body)
    (code,) = struct.unpack(">h", after_text(reply[4:])[8:10])
    check(code)


def delete_records(port: int, topic: str, partition: int, below: int) -> None:
    """What retention does."""
    body = struct.pack(">i", 1) + text(topic) + struct.pack(">iiq", 1, partition, below)
    reply = ask(port, DELETE_RECORDS, 1, body + struct.pack(">i", TIMEOUT_MS))
    # After throttling, counts, the name, the partition and its new start.
    (code,) = struct.unpack(">h", after_text(reply[8:])[16:18])
    check(code)


def delete_topic(port: int, topic: str) -> None:
    body = struct.pack(">i", 1) + text(topic) + struct.pack(">i", TIMEOUT_MS)
    reply = ask(port, DELETE_TOPICS, 3, body)
    (code,) = struct.unpack(">h", after_text(reply[8:])[:2])
    check(code)


def alter_topic(port: int, topic: str, **configs: str) -> None:
    """Sets configs of a topic, with _ for the dots; an empty value takes one back."""
    body = struct.pack(">ib", 1, TOPIC) + text(topic) + struct.pack(">i", len(configs))
    for name, value in configs.items():
        operation = SET if value else DELETE
        body += text(name.replace("_", ".")) + struct.pack(">b", operation)
        body += text(value) if value else struct.pack(">h", -1)
    reply = ask(port, INCREMENTAL_ALTER_CONFIGS, 0, body + struct.pack(">?", False))
    (code,) = struct.unpack(">h", reply[8:10])  # After throttling and a count.
    check(code)


def deny(port: int, topic: str, operation: int) -> None:
    """Nobody but the super users may do this with the topic; all else of it stays allowed."""
    for permission, operations in ((ALLOW, ANY_OPERATION), (DENY, operation)):
        body = struct.pack(">ib", 1, TOPIC) + text(topic) + struct.pack(">b", LITERAL)
        body += text("User:*") + text("*") + struct.pack(">bb", operations, permission)
        reply = ask(port, CREATE_ACLS, 1, body)
        (code,) = struct.unpack(">h", reply[8:10])
        check(code)


def allow(port: int, topic: str) -> None:
    """Takes back what deny() did."""
    body = struct.pack(">b", TOPIC) + text(topic) + struct.pack(">b", LITERAL)
    # Whoever, from wherever, whatever.
    body += struct.pack(">hhbb", -1, -1, 1, 1)
    reply = ask(port, DELETE_ACLS, 1, struct.pack(">i", 1) + body)
    (code,) = struct.unpack(">h", reply[8:10])
    check(code)
