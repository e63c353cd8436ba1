# SPDX-License-Identifier: Apache-2.0
"""The producers, and a console that sees the answers come: one thread each, through all trouble."""

import threading
import time
from typing import Optional

from confluent_kafka import Message, Producer

from commands import Commands, Outgoing
from reference import Command, Source
from wire import GARBAGE, Codec, partitions_of, silent_consumer

# With so many unanswered the producers wait: they are people and programs, no flood.
UNANSWERED_MAX = 300
POLL_S = 0.05


class Traffic:
    """Sends so many records a second until told to stop, and notes when each was taken by Kafka and
    when its answer was seen. All times are of time.time()."""

    def __init__(self, brokers: str, seed: int, a_second: float) -> None:
        self.brokers = brokers
        self.a_second = a_second
        self.commands = Commands(seed)
        self.codec = Codec()
        # What the bytes of a record mean; None: no command.
        self.meanings: dict[bytes, Optional[Command]] = {}
        self.odd: dict[bytes, str] = {}
        self.delivered: dict[Source, float] = {}
        self.seen: dict[Source, float] = {}
        self.silent: set[Source] = set()  # Those that are no command get no answer.
        self.failures: list[str] = []
        self.sent = 0
        self.paused = threading.Event()
        self.stopped = threading.Event()
        self.threads = [
            threading.Thread(target=self.guarded, args=(work,), daemon=True)
            for work in (self.produce, self.follow)
        ]
        self.following = threading.Event()

    def start(self) -> None:
        for thread in self.threads:
            thread.start()
        if not self.following.wait(30):
            raise TimeoutError("the results can't be read")

    def pause(self) -> None:
        """Sends no more; what was sent is delivered, and answers are seen as before."""
        self.paused.set()

    def stop(self) -> None:
        self.paused.set()
        self.stopped.set()
        for thread in self.threads:
            thread.join(30)

    @property
    def unanswered(self) -> int:
        """Of those that Kafka has taken, and those that it hasn't."""
        taken = set(self.delivered)
        return len(taken - self.silent - self.seen.keys()) + self.sent - len(taken)

    def guarded(self, work: object) -> None:
        try:
            work()  # type: ignore[operator]
        except Exception as error:  # pylint: disable=broad-except
            self.failures.append(f"{type(error).__name__}: {error}")
            raise

    # The producers.

    def produce(self) -> None:
        producer = Producer(
            {
                "bootstrap.servers": self.brokers,
                "partitioner": "murmur2_random",
                # Not idempotent, as many aren't: an idempotent one breaks for good when a broker is
                # killed at the wrong moment, and what this one sends twice must be right, too.
                "enable.idempotence": False,
                "acks": "all",
                "max.in.flight": 1,
                "retries": 1_000_000,
                "linger.ms": 0,
                # Kafka's absence is no reason to give a command up.
                "message.timeout.ms": 900_000,
                "reconnect.backoff.max.ms": 500,
                "log_level": 0,
                "error_cb": lambda _error: None,
            }
        )
        due_s = time.monotonic()
        while not self.paused.is_set():
            while not self.paused.is_set() and (
                time.monotonic() < due_s or self.unanswered >= UNANSWERED_MAX
            ):
                producer.poll(min(POLL_S, max(0.001, due_s - time.monotonic())))
            if self.paused.is_set():
                break
            due_s = max(due_s + 1 / self.a_second, time.monotonic() - 1)
            self.commands.now_ms = int(time.time() * 1000)
            self.send(producer, self.commands.make())
            producer.poll(0)
        while len(producer) > 0 and not self.stopped.is_set():
            producer.flush(1)

    def send(self, producer: Producer, record: Outgoing) -> None:
        if record.command is None:
            value = GARBAGE + str(self.sent).encode()
        else:
            value = self.codec.encode(record.command)
        self.meanings[value] = record.command
        if record.odd is not None:
            self.odd[value] = record.odd
        self.sent += 1
        producer.produce(record.topic, value, record.key.encode(), on_delivery=self.was_delivered)

    def was_delivered(self, error: object, message: Message) -> None:
        if error is not None:
            self.failures.append(f"a record wasn't taken: {error}")
            return
        source = (message.topic(), message.partition(), message.offset())
        self.delivered[source] = time.time()
        if self.meanings[message.value()] is None:
            self.silent.add(source)

    # The console.

    def follow(self) -> None:
        consumer = silent_consumer(self.brokers, "chaos-console")
        try:
            consumer.assign(partitions_of(consumer, "berth.results"))
            self.following.set()
            while not self.stopped.is_set():
                message = consumer.poll(POLL_S)
                if message is not None and not message.error():
                    self.seen.setdefault(self.codec.source_of(message.value()), time.time())
        finally:
            consumer.close()

    # What it tells about stalls.

    def stall_after(self, at_s: float) -> float:
        """The longest time from at_s to the next answer, of all partitions of which a command was
        waiting then or came within the next second. 0: none did."""
        partitions = set()
        waited_s: dict[tuple[str, int], float] = {}
        for source, seen_s in list(self.seen.items()):
            if seen_s > at_s:
                place = source[:2]
                waited_s[place] = min(waited_s.get(place, seen_s - at_s), seen_s - at_s)
                if self.delivered.get(source, seen_s) <= at_s + 1:
                    partitions.add(place)
        return max((waited_s[place] for place in partitions), default=0)
