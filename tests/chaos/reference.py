# SPDX-License-Identifier: Apache-2.0
"""What must come of commands that are done one after the other, each as if once: the rules of
docs/events.md as a model of one space, without Harbor, Kafka or Redis."""

from dataclasses import dataclass, field
from typing import Any, Optional

Source = tuple[str, int, int]  # Topic, partition, offset.

SUCCEEDED, REJECTED = "SUCCEEDED", "REJECTED"
BOUND, UNBOUND, UNCHANGED, FAILED = "BOUND", "UNBOUND", "UNCHANGED", "FAILED"

# Which of the two is told depends on whether an earlier attempt of the same command may have
# reached Harbor.
THERE_ALREADY = frozenset({"space.already_exists", "space.create_unproved"})


@dataclass(frozen=True)
class Command:
    """One command as a producer means it; all but issued_at_ms is its content."""

    kind: str
    command_id: str
    registry: str
    space: str
    issued_at_ms: int = 0
    visibility: Optional[str] = None
    quota_bytes: Optional[int] = None
    adopt: bool = False
    unbind: bool = False
    workspaces: frozenset[str] = frozenset()

    def content(self) -> tuple[Any, ...]:
        return (
            self.kind, self.registry, self.space, self.visibility, self.quota_bytes,
            self.adopt, self.unbind, self.workspaces,
        )  # fmt: skip


@dataclass
class Space:
    """One space as the commands so far have left it."""

    exists: bool = False
    visibility: str = "PRIVATE"
    quota_bytes: Optional[int] = None  # None: Harbor's default.
    bound: set[str] = field(default_factory=set)
    # Workspaces whose robot's name is taken by a robot that isn't berth's.
    foreign: frozenset[str] = frozenset()
    repositories: int = 0

    def view(self) -> Optional[dict[str, Any]]:
        """As results and audit records tell it, but for the project's number; None: no space."""
        if not self.exists:
            return None
        return {"visibility": self.visibility, "workspaces": sorted(self.bound)}


@dataclass
class Expected:
    """What the answer to one command must say. bindings None: not looked at."""

    outcome: str
    codes: frozenset[str]
    changed: bool = False
    bindings: Optional[dict[str, str]] = None


def refused(*codes: str, bindings: Optional[dict[str, str]] = None) -> Expected:
    return Expected(REJECTED, frozenset(codes), bindings=bindings)


def apply(command: Command, space: Space) -> Expected:
    """Does the command to the space, and says what is to be answered."""
    return PLANS[command.kind](command, space)


def create(command: Command, space: Space) -> Expected:
    if space.exists and not command.adopt:
        return refused(*THERE_ALREADY)
    if space.exists:
        changed = converge(command, space)
        return Expected(SUCCEEDED, frozenset({"space.adopted"}), changed)
    space.exists = True
    space.visibility = command.visibility or "PRIVATE"
    space.quota_bytes = command.quota_bytes
    return Expected(SUCCEEDED, frozenset({"space.created"}), True, {})


def update(command: Command, space: Space) -> Expected:
    if not space.exists:
        return refused("space.not_found")
    changed = converge(command, space)
    return Expected(SUCCEEDED, frozenset({"space.updated"}), changed, {})


def converge(command: Command, space: Space) -> bool:
    changed = False
    if command.visibility is not None and command.visibility != space.visibility:
        space.visibility = command.visibility
        changed = True
    if command.quota_bytes is not None and command.quota_bytes != space.quota_bytes:
        space.quota_bytes = command.quota_bytes
        changed = True
    return changed


def delete(command: Command, space: Space) -> Expected:
    deleted = frozenset({"space.deleted"})
    if not space.exists:
        return Expected(SUCCEEDED, deleted, False, {})
    if space.bound and not command.unbind:
        return refused("space.bound")
    if space.foreign and not command.unbind:
        return refused("space.foreign_robots")
    if space.repositories > 0:
        return refused("space.not_empty")
    gone = {workspace: UNBOUND for workspace in space.bound}
    space.exists, space.bound, space.foreign = False, set(), frozenset()
    return Expected(SUCCEEDED, deleted, True, gone)


def bind(command: Command, space: Space) -> Expected:
    if not space.exists:
        return refused("space.not_found")
    return change_bindings(space, set(command.workspaces), set(), "workspace.bound")


def unbind(command: Command, space: Space) -> Expected:
    if not space.exists:
        return refused("space.not_found")
    return change_bindings(space, set(), set(command.workspaces), "workspace.unbound")


def set_bindings(command: Command, space: Space) -> Expected:
    if not space.exists:
        return refused("space.not_found")
    wanted = set(command.workspaces)
    return change_bindings(space, wanted, space.bound - wanted, "workspace.bindings_set")


def change_bindings(space: Space, wanted: set[str], unwanted: set[str], code: str) -> Expected:
    changes = {}
    for workspace in unwanted:
        changes[workspace] = UNBOUND if workspace in space.bound else UNCHANGED
    for workspace in wanted:
        if workspace in space.foreign:
            changes[workspace] = FAILED
        else:
            changes[workspace] = UNCHANGED if workspace in space.bound else BOUND
    space.bound = (space.bound - unwanted) | (wanted - space.foreign)
    changed = not {BOUND, UNBOUND}.isdisjoint(changes.values())
    if FAILED in changes.values():
        codes = frozenset({"binding.foreign_robot"})
        return Expected(REJECTED, codes, changed, changes)
    return Expected(SUCCEEDED, frozenset({code}), changed, changes)


PLANS = {
    "CreateSpace": create,
    "UpdateSpace": update,
    "DeleteSpace": delete,
    "BindWorkspace": bind,
    "UnbindWorkspace": unbind,
    "SetWorkspaceBindings": set_bindings,
}
