# SPDX-License-Identifier: Apache-2.0
"""What producers send, made from a seed: many spaces and a few hot ones, commands that mostly make
sense, duplicates and resends of ids, ids used again for something else, and records that are no
command."""

import random
import uuid
from collections import deque
from dataclasses import dataclass, replace
from typing import Optional

from reference import Command, Space, apply

REGISTRIES = ("alpha", "beta")
ACTOR = "chaos"
WORKSPACES = [f"team-{name}" for name in ("ant", "bee", "cat", "dog", "eel", "fox", "gnu", "hen")]
HOT_SPACES = 2
SPACES = 40
HOT_SHARE = 0.35
GIB = 1 << 30

# Made by hand before anything is sent, by somebody else's account.
UNTOUCHED, NAMESAKE, ROBOTS, IMAGES = "by-hand", "by-hand-2", "by-hand-3", "by-hand-4"
FOREIGN_WORKSPACE = WORKSPACES[-1]

# Shares of all that is sent, in percent.
DUPLICATE, RESEND, REUSED_ID, ODD, BY_HAND = 6, 6, 1, 1, 3
RESENT_AFTER = 150

# Records that are no command to anybody, or are refused before anything is looked at: what they
# are, and the code of their one answer (None: a dead letter, without an answer).
ODD_KINDS = {
    "no command at all": None,
    "under another space's key": "command.key_mismatch",
    "for a registry that nobody knows": "registry.unknown",
}


@dataclass(frozen=True)
class Outgoing:
    """One record to be sent. command None: bytes that are no command."""

    topic: str
    key: str
    command: Optional[Command]
    odd: Optional[str] = None  # One of ODD_KINDS.


def first_spaces() -> dict[tuple[str, str], Space]:
    """What is there before the first command."""
    made: dict[tuple[str, str], Space] = {}
    for registry in REGISTRIES:
        made[registry, UNTOUCHED] = Space(exists=True)
        made[registry, NAMESAKE] = Space(exists=True)
        made[registry, ROBOTS] = Space(exists=True, foreign=frozenset({FOREIGN_WORKSPACE}))
        made[registry, IMAGES] = Space(exists=True, repositories=1)
    return made


class Commands:
    """An endless sequence of records to send, the same for the same seed."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.now_ms = 0  # The caller's clock, for issued_at.
        # How the spaces would be if all went as meant, so that most commands make sense.
        self.spaces = first_spaces()
        self.late: deque[tuple[int, Command]] = deque()
        self.earlier: deque[Command] = deque(maxlen=500)
        self.made = 0

    def make(self) -> Outgoing:
        self.made += 1
        if self.late and self.late[0][0] <= self.made:
            return outgoing(replace(self.late.popleft()[1], issued_at_ms=self.now_ms))
        chance = self.random.uniform(0, 100)
        if self.earlier and chance < DUPLICATE:
            return outgoing(self.earlier[-1])
        if self.earlier and chance < DUPLICATE + REUSED_ID:
            return outgoing(self.other_content(self.random.choice(self.earlier)))
        if chance > 100 - ODD:
            return self.odd_one()
        if chance > 100 - ODD - BY_HAND:
            command = self.command_for_foreign()
        else:
            command = self.sensible_command()
        if self.random.uniform(0, 100) < RESEND:
            self.late.append((self.made + RESENT_AFTER, command))
        self.earlier.append(command)
        return outgoing(command)

    def sensible_command(self) -> Command:
        registry = self.random.choice(REGISTRIES)
        hot = self.random.random() < HOT_SHARE
        number = self.random.randrange(HOT_SPACES if hot else SPACES)
        name = f"{'hot' if hot else 'space'}-{number:02}"
        space = self.spaces.setdefault((registry, name), Space())
        command = self.command(self.kind_for(space, hot), registry, name)
        apply(command, space)
        return command

    def kind_for(self, space: Space, hot: bool) -> str:
        if not space.exists and self.random.random() < 0.8:
            return "CreateSpace"
        kinds = {
            "BindWorkspace": 30, "UnbindWorkspace": 20, "SetWorkspaceBindings": 15,
            "UpdateSpace": 20, "DeleteSpace": 5 if hot else 12, "CreateSpace": 5,
        }  # fmt: skip
        return self.random.choices(list(kinds), list(kinds.values()))[0]

    def command(self, kind: str, registry: str, space: str) -> Command:
        chance = self.random.random
        some = frozenset(self.random.sample(WORKSPACES, self.random.choice((1, 1, 2, 3))))
        command = Command(kind, self.new_id(), registry, space, self.now_ms)
        if kind == "CreateSpace":
            visibility = self.random.choice((None, "PRIVATE", "PUBLIC"))
            quota = self.random.randrange(1, 100) * GIB if chance() < 0.3 else None
            adopt = chance() < 0.2
            return replace(command, visibility=visibility, quota_bytes=quota, adopt=adopt)
        if kind == "UpdateSpace":
            if chance() < 0.3:
                return replace(command, quota_bytes=self.random.randrange(1, 100) * GIB)
            return replace(command, visibility=self.random.choice(("PRIVATE", "PUBLIC")))
        if kind == "DeleteSpace":
            return replace(command, unbind=chance() < 0.6)
        if kind == "SetWorkspaceBindings" and chance() < 0.1:
            some = frozenset()
        return replace(command, workspaces=some)

    def command_for_foreign(self) -> Command:
        """What may be asked of projects that others made, and mustn't harm what is in them."""
        registry = self.random.choice(REGISTRIES)
        make = self.random.choice(("namesake", "bind", "unbind", "images"))
        if make == "namesake":
            command = self.command("CreateSpace", registry, NAMESAKE)
            command = replace(command, adopt=False)
        elif make == "images":
            command = replace(self.command("DeleteSpace", registry, IMAGES), unbind=True)
        else:
            kind = "BindWorkspace" if make == "bind" else "UnbindWorkspace"
            command = self.command(kind, registry, ROBOTS)
        apply(command, self.spaces[registry, command.space])
        return command

    def other_content(self, command: Command) -> Command:
        """The same id for the same space, and something else is meant."""
        other = self.command("UpdateSpace", command.registry, command.space)
        if other.content() == command.content():
            other = self.command("DeleteSpace", command.registry, command.space)
        return replace(other, command_id=command.command_id)

    def odd_one(self) -> Outgoing:
        odd = self.random.choice(list(ODD_KINDS))
        command = self.command("BindWorkspace", self.random.choice(REGISTRIES), "space-00")
        right = outgoing(command)
        if odd == "no command at all":
            return replace(right, command=None, odd=odd)
        if odd == "under another space's key":
            return replace(right, key=f"{command.registry}/space-01", odd=odd)
        lost = replace(command, registry="gamma")
        return replace(right, key="gamma/space-00", command=lost, odd=odd)

    def new_id(self) -> str:
        return str(uuid.UUID(int=self.random.getrandbits(128), version=4))

def outgoing(command: Command) -> Outgoing:
    topic = f"berth.commands.{command.registry}"
    return Outgoing(topic, f"{command.registry}/{command.space}", command)
