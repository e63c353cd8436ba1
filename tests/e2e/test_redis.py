# SPDX-License-Identifier: Apache-2.0
"""Redis as people have it: behind TLS that asks for a certificate, or on a Unix socket. berthd works
there, and what berth says names the address and the cause."""

import subprocess
from pathlib import Path

from run import run_tests
from service import free_port, tail_of
from stage import NO_ANSWER, REFUSED, Worker, wait_until
from workload import StageCase

SOON_S = 60
NAME = "redis.example.test"
# An authority, what it signed, and another authority.
MAKE_CERTIFICATES = f"""
new="-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes"
for authority in ours other; do
    openssl req -x509 $new -days 2 -subj /CN=$authority -keyout $authority.key -out $authority.pem
done
for name in {NAME} client; do
    openssl req $new -subj /CN=$name -keyout $name.key -out $name.csr
    echo "subjectAltName=DNS:$name" >$name.ext
    openssl x509 -req -days 2 -in $name.csr -extfile $name.ext -CA ours.pem -CAkey ours.key \\
        -CAcreateserial -out $name.pem
done
"""


class OtherWays(StageCase):
    def setUp(self) -> None:
        super().setUp()
        redis = self.stage.redis
        self.certificates = redis.folder
        subprocess.run(
            ["sh", "-ec", MAKE_CERTIFICATES], cwd=redis.folder, check=True, capture_output=True
        )
        self.tls_address = f"127.0.0.1:{free_port()}"
        self.socket = redis.folder / "redis.sock"
        redis.options = (
            "--tls-port", self.tls_address.split(":")[1], "--tls-ca-cert-file", "ours.pem",
            "--tls-cert-file", f"{NAME}.pem", "--tls-key-file", f"{NAME}.key",
            "--unixsocket", str(self.socket),
        )  # fmt: skip
        redis.restart()

    def tls(self, **changes: str) -> str:
        """The lines of [redis]; an option that is changed to nothing is left out."""
        options = {
            "tls": "yes",
            "ca_file": str(self.certificates / "ours.pem"),
            "client_cert_file": str(self.certificates / "client.pem"),
            "client_key_file": str(self.certificates / "client.key"),
            "server_name": NAME,
        } | changes
        lines = [f"{name} = {value}" for name, value in options.items() if value]
        return "\n".join([f"address = {self.tls_address}", *lines])

    def reach_by(self, configuration: Path, lines: str) -> None:
        text = configuration.read_text()
        plain = f"address = {self.stage.redis.address}"
        self.assertIn(plain, text)
        configuration.write_text(text.replace(plain, lines, 1))

    def assert_works(self, lines: str) -> None:
        worker = Worker(self.stage, "worker-1")
        self.stage.workers.append(worker)
        worker.choose_ports()
        self.reach_by(worker.configuration, lines)
        self.reach_by(self.stage.client_configuration, lines)
        worker.launch()
        wait_until("berthd is ready", worker.ready, SOON_S)
        self.assertEqual(
            self.stage.send("create-space", "-r", "alpha", "-s", "tea", "--private")["code"],
            "space.created",
        )
        self.assertIn("alpha/tea", self.stage.berth("bindings", "-r", "alpha").stdout)
        checked = self.stage.berth("check").stdout
        address = lines.splitlines()[0].removeprefix("address = ")
        self.assertRegex(checked, rf"ok +redis +{address} answers")

    def test_berthd_and_berth_work_by_tls_with_a_certificate(self) -> None:
        self.assert_works(self.tls())

    def test_berthd_and_berth_work_on_a_unix_socket(self) -> None:
        self.assert_works(f"address = {self.socket}")

    def test_each_failure_of_tls_is_told_with_the_address_and_the_cause(self) -> None:
        whole = self.stage.client_configuration.read_text()
        for changes, cause in (
            ({"ca_file": str(self.certificates / "other.pem")}, "its certificate isn't accepted"),
            ({"client_cert_file": "", "client_key_file": ""}, "set client_cert_file"),
            ({"server_name": "other.example.test"}, "hostname mismatch"),
        ):
            with self.subTest(cause):
                self.stage.client_configuration.write_text(whole)
                self.reach_by(self.stage.client_configuration, self.tls(**changes))
                asked = self.stage.berth("bindings", "-r", "alpha", accept=(NO_ANSWER,))
                self.assertIn(f"Redis at {self.tls_address}: TLS: ", asked.stderr)
                self.assertIn(cause, asked.stderr)
                checked = self.stage.berth("check", accept=(REFUSED,)).stdout
                self.assertRegex(checked, rf"problem +redis +{self.tls_address}: TLS: .*{cause}")

    def test_berthd_names_what_it_can_not_reach(self) -> None:
        worker = Worker(self.stage, "worker-1")
        self.stage.workers.append(worker)
        worker.choose_ports()
        self.reach_by(worker.configuration, self.tls(server_name="other.example.test"))
        worker.launch()
        wanted = f'address={self.tls_address} reason="TLS: its certificate isn\'t accepted: hostname'
        wait_until("the reason in the log", lambda: wanted in tail_of(worker.log, 1000), SOON_S)


if __name__ == "__main__":
    run_tests(OtherWays)
