# SPDX-License-Identifier: Apache-2.0
"""A Kafka as people run it: a listener for each way to log in, beside the plain one that tests
administrate it by, and an authorizer whose rules can be switched."""

import subprocess
from pathlib import Path

from service import free_port
from services import Kafka

USER = "berth"
PASSWORD = "Kafka-Passw0rd"
KEY_PASSWORD = "Key-Passw0rd"

# The broker's names of its listeners, and the protocol that clients call them by.
LISTENERS = {
    "TLS": "SSL",
    "MTLS": "SSL",
    "SASL": "SASL_PLAINTEXT",
    "SASLTLS": "SASL_SSL",
}
SCRAM = ("SCRAM-SHA-256", "SCRAM-SHA-512")

# Whoever comes by the plain listener may do all: the tests themselves. Others may do what no rule
# is about.
SECURED_PROPERTIES = """\
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:ANONYMOUS
allow.everyone.if.no.acl.found=true
ssl.keystore.type=PEM
ssl.keystore.location={certificates}/broker.pem
ssl.truststore.type=PEM
ssl.truststore.location={certificates}/ca.pem
listener.name.mtls.ssl.client.auth=required
listener.name.sasl.sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256
listener.name.sasltls.sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512
"""


class Certificates:
    """What a broker and its clients show each other, made with openssl: an authority, a broker's
    and a client's certificate of it, and an authority that nobody knows."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        for authority in ("ca", "other-ca"):
            self.openssl("req", "-x509", *self.new_key(authority), "-subj", f"/CN={authority}",
                         "-days", "2", "-out", f"{authority}.pem")  # fmt: skip
        for name in ("broker", "client"):
            self.sign(name)
        self.openssl("pkcs8", "-topk8", "-in", "client.key", "-passout", f"pass:{KEY_PASSWORD}",
                     "-v2", "aes-256-cbc", "-out", "client-locked.key")  # fmt: skip
        self.write("broker.pem", self.read("broker.key") + self.read("broker.crt"))

    def new_key(self, name: str) -> list[str]:
        return ["-newkey", "rsa:2048", "-nodes", "-keyout", f"{name}.key"]

    def sign(self, name: str) -> None:
        self.write("san", "subjectAltName=IP:127.0.0.1,DNS:localhost\n")
        self.openssl("req", *self.new_key(name), "-subj", f"/CN={name}", "-out", f"{name}.csr")
        self.openssl("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca.key",
                     "-CAcreateserial", "-days", "2", "-extfile", "san",
                     "-out", f"{name}.crt")  # fmt: skip

    def openssl(self, *words: str) -> None:
        subprocess.run(["openssl", *words], cwd=self.folder, check=True, capture_output=True)

    def path(self, name: str) -> Path:
        return self.folder / name

    def read(self, name: str) -> str:
        return self.path(name).read_text()

    def write(self, name: str, text: str) -> None:
        self.path(name).write_text(text)


class SecuredKafka(Kafka):
    """One broker; `login` gives the lines of [kafka] for a way to log in."""

    formatted_name = "formatted-with-users"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.certificates = Certificates(folder / "certificates")
        self.ports: dict[str, int] = {}
        for name, text in (("password", PASSWORD), ("wrong-password", "Not-The-Passw0rd"),
                           ("key-password", KEY_PASSWORD)):  # fmt: skip
            self.certificates.write(name, text + "\n")
            self.file(name).chmod(0o600)

    def file(self, name: str) -> Path:
        return self.certificates.path(name)

    def choose_ports(self) -> None:
        self.ports = {listener: free_port() for listener in LISTENERS}
        super().choose_ports()

    def address_of(self, listener: str) -> str:
        return f"127.0.0.1:{self.ports[listener]}"

    def write_properties(self) -> None:
        super().write_properties()
        lines = dict(
            line.split("=", 1) for line in self.properties.read_text().splitlines() if "=" in line
        )
        places = ",".join(f"{name}://{self.address_of(name)}" for name in LISTENERS)
        lines["listeners"] += f",{places}"
        lines["advertised.listeners"] += f",{places}"
        protocols = ",".join(f"{name}:{protocol}" for name, protocol in LISTENERS.items())
        lines["listener.security.protocol.map"] += f",{protocols}"
        for listener in ("sasl", "sasltls"):
            start = f"listener.name.{listener}"
            lines[f"{start}.plain.sasl.jaas.config"] = (
                "org.apache.kafka.common.security.plain.PlainLoginModule required "
                f'user_{USER}="{PASSWORD}";'
            )
            for mechanism in SCRAM:
                lines[f"{start}.{mechanism.lower()}.sasl.jaas.config"] = (
                    "org.apache.kafka.common.security.scram.ScramLoginModule required;"
                )
        text = SECURED_PROPERTIES.format(certificates=self.certificates.folder)
        text += "".join(f"{name}={value}\n" for name, value in lines.items())
        self.properties.write_text(text)

    def format_options(self) -> list[str]:
        options = []
        for mechanism in SCRAM:
            options += ["--add-scram", f"{mechanism}=[name={USER},password={PASSWORD}]"]
        return options

    def login(self, listener: str, mechanism: str = "", **changes: str) -> list[str]:
        """The lines of [kafka]; changes: more of them, with _ for the dots, "" takes one away."""
        lines = {
            "bootstrap.servers": self.address_of(listener),
            "security.protocol": LISTENERS[listener],
        }
        if lines["security.protocol"].endswith("SSL"):
            lines["ssl.ca.location"] = str(self.file("ca.pem"))
        if listener == "MTLS":
            lines["ssl.certificate.location"] = str(self.file("client.crt"))
            lines["ssl.key.location"] = str(self.file("client.key"))
        if mechanism:
            lines["sasl.mechanism"] = mechanism
            lines["sasl.username"] = USER
            lines["sasl.password_file"] = str(self.file("password"))
        for name, value in changes.items():
            lines[name.replace("_", ".").replace(".file", "_file")] = value
        return [f"{name} = {value}" for name, value in lines.items() if value]


__all__ = ["LISTENERS", "SCRAM", "SecuredKafka"]
