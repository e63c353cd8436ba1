# SPDX-License-Identifier: Apache-2.0
"""From a stage that is quiet to the evidence that the checks are made over."""

import json
import urllib.request
from typing import Any

from by_hand import ByHand, may_pull
from checks import Evidence, SpaceId
from commands import (
    FOREIGN_WORKSPACE,
    IMAGES,
    NAMESAKE,
    REGISTRIES,
    ROBOTS,
    UNTOUCHED,
    WORKSPACES,
    first_spaces,
)
from stage import DEPLOYMENT, Stage
from traffic import Traffic
from wire import committed_offsets, read_whole_topic

PREFIX = "berth:v1:"
MARKER = f"berth={DEPLOYMENT};"
# What is made by hand stays as it is; in ROBOTS that is the robot.
BY_HAND = (UNTOUCHED, NAMESAKE, ROBOTS, IMAGES)


def make_by_hand(stage: Stage) -> None:
    """Projects, robots and images of somebody else's account."""
    for registry in REGISTRIES:
        admin = ByHand(stage.sandbox, registry)
        for name in BY_HAND:
            admin.make_project(name)
        admin.make_robot(UNTOUCHED, "builder")
        admin.make_robot(ROBOTS, f"ws-{FOREIGN_WORKSPACE}")
        stage.sandbox.push(IMAGES, "web", registry)
        stage.sandbox.admin("DELETE", registry, "writes")


def look_at_foreign(stage: Stage) -> dict[SpaceId, Any]:
    """Everything about what berth mustn't touch."""
    found: dict[SpaceId, Any] = {}
    for registry in REGISTRIES:
        for name in BY_HAND:
            project = stage.project(name, registry) or {}
            robots = stage.robots(project["project_id"], registry) if project else []
            foreign = [one for one in robots if not one.get("description", "").startswith(MARKER)]
            found[registry, name] = (
                {**project, "update_time": None},
                sorted(foreign, key=lambda one: one["id"]),
            )
    return found


def collect(stage: Stage, traffic: Traffic, foreign_before: dict[SpaceId, Any]) -> Evidence:
    evidence = Evidence(first=first_spaces(), untouched_before=foreign_before)
    evidence.untouched_after = look_at_foreign(stage)
    evidence.seen = dict(traffic.seen)
    collect_topics(stage, traffic, evidence)
    for registry in REGISTRIES:
        collect_writes(stage, registry, evidence)
        collect_harbor(stage, registry, evidence)
        collect_redis(stage, registry, evidence)
    for workspace in WORKSPACES:
        members = stage.spaces_of_workspace(workspace)
        evidence.redis_workspaces[workspace] = {space_id(member) for member in members}
        collect_pulls(stage, workspace, evidence)
    return evidence


def space_id(text: str) -> SpaceId:
    registry, space = text.split("/")
    return registry, space


def collect_topics(stage: Stage, traffic: Traffic, evidence: Evidence) -> None:
    brokers = stage.kafka.address
    for registry in REGISTRIES:
        topic = f"berth.commands.{registry}"
        for record in read_whole_topic(brokers, topic):
            assert record.value is not None
            evidence.records[record.source] = traffic.meanings[record.value]
            if record.value in traffic.odd and traffic.meanings[record.value] is not None:
                evidence.odd[record.source] = traffic.odd[record.value]
        for number, offsets in committed_offsets(brokers, "berth", topic).items():
            evidence.offsets[topic, number] = offsets
    evidence.results = stage.tail("results")
    evidence.audit = stage.tail("audit")
    evidence.spaces = stage.tail("spaces")
    evidence.dlq = stage.tail("dlq")


def collect_writes(stage: Stage, registry: str, evidence: Evidence) -> None:
    url = f"{stage.sandbox.admin_url}/registries/{registry}/writes"
    with urllib.request.urlopen(url, timeout=60) as reply:
        evidence.writes[registry] = json.load(reply)
        evidence.writes_dropped += int(reply.headers["X-Dropped-Count"])


def collect_harbor(stage: Stage, registry: str, evidence: Evidence) -> None:
    admin = ByHand(stage.sandbox, registry)
    for project in stage.harbor_list("/projects", registry):
        if project["name"] == "library":
            continue
        ours, foreign = {}, []
        for robot in stage.robots(project["project_id"], registry):
            text = robot.get("description", "")
            if text.startswith(MARKER):
                ours[text.partition(";ws=")[2]] = robot["id"]
            else:
                foreign.append(robot["name"])
        evidence.harbor[registry, project["name"]] = {
            "id": project["project_id"],
            "visibility": "PUBLIC" if project["metadata"]["public"] == "true" else "PRIVATE",
            "robots": ours,
            "foreign": foreign,
            "quota_bytes": admin.quota_bytes(project["project_id"]),
        }


def collect_redis(stage: Stage, registry: str, evidence: Evidence) -> None:
    redis = stage.redis
    for kind, found in (("", evidence.redis_spaces), (":public", evidence.redis_public)):
        members = redis.members(f"{PREFIX}registry:{registry}{kind}")
        found[registry] = {space_id(member)[1] for member in members}
    for key in redis.ask("KEYS", f"{PREFIX}space:{registry}/*"):
        fields = redis.hash(key)
        if fields.get("state") == "present":
            where = space_id(key.removeprefix(f"{PREFIX}space:"))
            evidence.redis[where] = {
                "id": int(fields["project_id"]),
                "visibility": fields["visibility"],
                "robots": {
                    name.removeprefix("binding:"): int(value.split()[0])
                    for name, value in fields.items()
                    if name.startswith("binding:")
                },
            }


def collect_pulls(stage: Stage, workspace: str, evidence: Evidence) -> None:
    """Logs in with what berth derives, as whoever deploys would."""
    if not stage.spaces_of_workspace(workspace):
        return
    words = ("pull-secret", "--workspace", workspace, "--output", "user-password")
    for line in stage.berth(*words, timeout_s=120).stdout.splitlines():
        name, user, password = line.split("\t")
        where = space_id(name)
        login = (user, password)
        evidence.pulls[workspace, where] = may_pull(stage.sandbox, where[1], login, where[0])


__all__ = ["collect", "look_at_foreign", "make_by_hand"]
