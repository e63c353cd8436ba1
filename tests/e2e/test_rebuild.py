# SPDX-License-Identifier: Apache-2.0
"""Redis loses its data, or gets an older copy of it back: berth rebuilds what it knows of the
spaces from berth.spaces, and everything that was commanded is done once."""

import base64
import json
import urllib.parse
import urllib.request
import uuid
from typing import Any

from run import run_tests
from stage import QUICK_LEASE_S, Worker, wait_until
from workload import WORKSPACES, StageCase, Workload, answers, make_workload, wait_for_answers

COMMANDS = 300
ANSWERED_BEFORE = 30
# Slow enough that work is still under way when the trouble begins.
HARBOR_LATENCY_MS = 60
# A lease, the lock of a worker that died (10 s), and what a busy machine may add.
REBUILT_S = QUICK_LEASE_S + 10 + 30


class Rebuild(StageCase):
    quick_leases = True

    def begin_work(self, commands: int = COMMANDS) -> Workload:
        self.stage.sandbox.faults(latency_ms=HARBOR_LATENCY_MS)
        load = make_workload(commands, seed=9)
        self.stage.send_batch(load.lines)
        wait_for_answers(self.stage, ANSWERED_BEFORE)
        return load

    def assert_under_way(self, load: Workload) -> None:
        self.assertLess(len(answers(self.stage)), len(load.ids), "the trouble came too late")

    def do_all(self, load: Workload) -> None:
        before = len(answers(self.stage))
        self.stage.send_batch(load.lines)
        wait_for_answers(self.stage, before + len(load.ids))

    def lines(self, worker: Worker, event: str) -> list[str]:
        return [line for line in worker.log.read_text().splitlines() if f" {event} " in line]

    def wait_rebuilt(self, worker: Worker, times: int) -> None:
        wait_until(
            "the data set is rebuilt",
            lambda: len(self.lines(worker, "rebuild.done")) >= times,
            REBUILT_S,
            pause_s=0.1,
        )

    def pulls(self, workspace: str, space: str) -> bool:
        """Whether the credential that berth derives lets the workspace pull."""
        where = ("--registry", "alpha", "--space", space, "--output", "user-password")
        line = self.stage.berth("pull-secret", "--workspace", workspace, *where).stdout
        _, user, password = line.rstrip("\n").split("\t")
        scope = urllib.parse.quote(f"repository:{space}/img:pull", safe="")
        url = f"{self.stage.sandbox.url('alpha')}/service/token"
        request = urllib.request.Request(f"{url}?service=harbor-registry&scope={scope}")
        login = base64.b64encode(f"{user}:{password}".encode()).decode()
        request.add_header("Authorization", f"Basic {login}")
        with urllib.request.urlopen(request, timeout=10) as reply:
            payload = json.load(reply)["token"].split(".")[1]
        padded = payload + "=" * (-len(payload) % 4)
        (access,) = json.loads(base64.urlsafe_b64decode(padded))["access"]
        return "pull" in (access["actions"] or [])

    def assert_usable(self, load: Workload) -> None:
        """One binding pulls, and one more command is done with what was rebuilt."""
        self.stage.sandbox.faults()
        space, bound = next((name, some) for name, some in load.expected.items() if some)
        self.assertTrue(self.pulls(sorted(bound)[0], space))
        words = ("--registry", "alpha", "--space", space, "--workspace", "team-fox")
        result = self.stage.send("bind-workspace", *words)
        self.assertEqual(result["outcome"], "SUCCEEDED")
        self.assertTrue(self.pulls("team-fox", space))

    def test_redis_loses_its_data_while_idle_and_the_spaces_are_there_again(self) -> None:
        worker = self.stage.add_worker()
        load = make_workload(100, seed=4)
        self.do_all(load)
        self.stage.redis.kill_and_lose_data()
        self.stage.redis.start_again()
        self.wait_rebuilt(worker, 2)
        self.assert_promises(load)
        # What was rebuilt is cold: Harbor is read before it is relied on.
        space = next(name for name, bound in load.expected.items() if bound is not None)
        self.assertEqual(self.stage.redis.hash(f"berth:v1:space:alpha/{space}")["verified_at"], "0")
        self.assert_usable(load)

    def test_redis_loses_its_data_in_the_middle_of_work_and_everything_is_done(self) -> None:
        worker = self.stage.add_worker()
        load = self.begin_work()
        self.stage.redis.kill_and_lose_data()
        self.assert_under_way(load)
        self.stage.redis.start_again()
        self.assert_promises(load)
        self.assertEqual(len(self.lines(worker, "rebuild.done")), 2)
        self.assert_usable(load)

    def test_redis_is_emptied_beneath_its_connections_and_everything_is_done(self) -> None:
        worker = self.stage.add_worker()
        load = self.begin_work()
        self.stage.redis.ask("FLUSHALL")
        self.assert_under_way(load)
        self.assert_promises(load)
        self.assertEqual(len(self.lines(worker, "rebuild.done")), 2)
        self.assert_usable(load)

    def test_an_older_copy_of_redis_is_noticed_and_brought_up_to_date(self) -> None:
        worker = self.stage.add_worker()
        first = make_workload(100, seed=4)
        self.do_all(first)
        copy = self.stage.redis.copy_data()

        # What the copy doesn't know: spaces that are gone, bindings that were made, new spaces.
        second = Workload(expected=dict(first.expected))
        kept = [space for space, bound in first.expected.items() if bound]
        second.add("delete-space", kept[0], "--unbind")
        second.expected[kept[0]] = None
        second.add("bind-workspace", kept[1], f"--workspace {WORKSPACES[0]}")
        second.expected[kept[1]] = (first.expected[kept[1]] or set()) | {WORKSPACES[0]}
        second.add("create-space", "late", "--public")
        second.expected["late"] = set()
        self.do_all(second)
        self.stage.redis.stop_and_restore(copy)
        self.stage.redis.start_again()
        self.wait_rebuilt(worker, 2)
        self.assert_harbor_as_commanded(second)
        self.assert_redis_as_harbor(second)
        self.assertIn("alpha/late", self.stage.redis.members("berth:v1:registry:alpha:public"))
        self.assert_usable(second)

    def test_an_older_copy_comes_back_in_the_middle_of_work_and_everything_is_done(self) -> None:
        self.stage.add_worker()
        load = self.begin_work()
        copy = self.stage.redis.copy_data()
        wait_for_answers(self.stage, 2 * ANSWERED_BEFORE)
        self.stage.redis.stop_and_restore(copy)
        self.assert_under_way(load)
        self.stage.redis.start_again()
        self.assert_promises(load)

    def test_one_of_two_workers_rebuilds_and_both_go_on(self) -> None:
        one = self.stage.add_worker("worker-1")
        two = self.stage.add_worker("worker-2")
        before = len(self.lines(one, "rebuild.done")) + len(self.lines(two, "rebuild.done"))
        self.assertEqual(before, 1, "the first start is a rebuild, too")
        load = self.begin_work()
        self.stage.redis.kill_and_lose_data()
        self.assert_under_way(load)
        self.stage.redis.start_again()
        self.assert_promises(load)
        after = len(self.lines(one, "rebuild.done")) + len(self.lines(two, "rebuild.done"))
        self.assertEqual(after, 2)

    def test_a_worker_killed_while_it_rebuilds_is_replaced_by_another(self) -> None:
        workers = [self.stage.add_worker(f"worker-{number}") for number in (1, 2)]
        load = self.begin_work()
        self.stage.redis.kill_and_lose_data()
        self.assert_under_way(load)
        self.stage.redis.start_again()

        def at_it() -> list[Worker]:
            return [one for one in workers if self.lines(one, "rebuild.waits")]

        (builder,) = wait_until("one rebuilds", at_it, REBUILT_S)
        builder.kill()
        self.assertIsNone(self.stage.redis.ask("GET", "berth:v1:epoch"))
        self.assert_promises(load)
        (other,) = [one for one in workers if one is not builder]
        self.assertGreaterEqual(len(self.lines(other, "rebuild.done")), 1)

    def test_while_it_is_rebuilt_nothing_is_claimed_and_the_worker_says_so(self) -> None:
        worker = self.stage.add_worker()
        self.do_all(make_workload(20, seed=4))
        self.stage.redis.kill_and_lose_data()
        self.stage.redis.start_again()
        wait_until("it waits", lambda: self.lines(worker, "rebuild.waits"), REBUILT_S)
        self.assertEqual(worker.admin_status("/readyz"), 503)
        self.assertEqual(worker.admin_status("/livez"), 200)
        self.stage.berth("send", "create-space", "--registry", "alpha", "--space", "later")
        self.assertEqual(self.stage.redis.ask("KEYS", "berth:v1:command:*"), [])
        self.wait_rebuilt(worker, 2)
        wait_until("the space", lambda: self.stage.project("later"), REBUILT_S)
        self.assertEqual(worker.admin_status("/readyz"), 200)

    def test_who_created_what_is_known_after_the_loss_or_said_to_be_unproved(self) -> None:
        # An account that others use, too: that it owns a project proves nothing.
        worker = self.shared_account_worker()
        self.assertEqual(self.create("ours")["code"], "space.created")
        self.assertEqual(worker.stop(), 0)
        self.make_project("theirs")
        self.stage.redis.kill_and_lose_data()
        self.stage.redis.start_again()
        # These are there when the data set begins: who knows whether they were claimed before?
        ids = {space: str(uuid.uuid4()) for space in ("ours", "theirs")}
        lines = [
            f"create-space --registry alpha --space {space} --id {command_id}"
            for space, command_id in ids.items()
        ]
        self.stage.send_batch(lines)
        worker.start_again()
        wait_for_answers(self.stage, 3)
        codes = {one["command_id"]: one["code"] for one in answers(self.stage)}
        self.assertEqual(codes[ids["theirs"]], "space.create_unproved")
        self.assertEqual(codes[ids["ours"]], "space.already_exists", "its creator is in berth.spaces")
        # One that comes after the beginning was never claimed before.
        self.assertEqual(self.create("theirs")["code"], "space.already_exists")

    def shared_account_worker(self) -> Worker:
        worker = Worker(self.stage, "worker-1")
        self.stage.workers.append(worker)
        worker.choose_ports()
        text = worker.configuration.read_text()
        worker.configuration.write_text(text.replace("dedicated = yes", "dedicated = no"))
        worker.launch()
        worker.wait_ready()
        return worker

    def create(self, space: str) -> dict[str, Any]:
        return self.stage.send("create-space", "--registry", "alpha", "--space", space)

    def make_project(self, name: str) -> None:
        """As somebody does by hand."""
        body = json.dumps({"project_name": name, "metadata": {"public": "false"}}).encode()
        url = f"{self.stage.sandbox.url('alpha')}/api/v2.0/projects"
        request = urllib.request.Request(url, body, method="POST")
        login = f"{self.stage.sandbox.user}:{self.stage.sandbox.password}".encode()
        request.add_header("Authorization", "Basic " + base64.b64encode(login).decode())
        request.add_header("Content-Type", "application/json")
        with urllib.request.urlopen(request, timeout=10) as reply:
            self.assertEqual(reply.status, 201)


if __name__ == "__main__":
    run_tests(StageCase)
