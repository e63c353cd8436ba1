# SPDX-License-Identifier: Apache-2.0
"""A front end with TLS before another server: a certificate of its own authority, and one asked of
each client. It hands bytes on and remembers what came."""

import socket
import ssl
import subprocess
import threading
from pathlib import Path
from types import TracebackType
from typing import Optional

PEER_S = 30


def make_certificates(folder: Path) -> None:
    """ca.pem, server.pem and client.pem with their .key, for localhost."""
    curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]

    def openssl(*words: str) -> None:
        done = subprocess.run(
            ["openssl", *words], cwd=folder, capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            raise RuntimeError(done.stderr)

    signs = ["-addext", "keyUsage=critical,keyCertSign,cRLSign"]
    names = ["-subj", "/CN=test CA", "-keyout", "ca.key", "-out", "ca.pem"]
    openssl("req", "-x509", *curve, *signs, *names)
    for name in ("server", "client"):
        openssl(
            *("req", "-x509", *curve, "-subj", "/CN=localhost", "-CA", "ca.pem", "-CAkey", "ca.key"),
            *("-addext", "subjectAltName=DNS:localhost", "-keyout", f"{name}.key"),
            *("-addext", "basicConstraints=critical,CA:FALSE", "-out", f"{name}.pem"),
        )


class FrontEnd:
    """Use with "with". Threads of their own; connections that it doesn't like are closed."""

    def __init__(self, folder: Path, target_port: int) -> None:
        self.target_port = target_port
        self.seen = b""
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(folder / "server.pem", folder / "server.key")
        self.context.load_verify_locations(folder / "ca.pem")
        self.context.verify_mode = ssl.CERT_REQUIRED
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]

    def __enter__(self) -> "FrontEnd":
        threading.Thread(target=self.accept, daemon=True).start()
        return self

    def __exit__(
        self,
        kind: Optional[type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        self.listener.close()

    def accept(self) -> None:
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(client,), daemon=True).start()

    def serve(self, raw: socket.socket) -> None:
        raw.settimeout(PEER_S)
        try:
            with (
                self.context.wrap_socket(raw, server_side=True) as client,
                socket.create_connection(("127.0.0.1", self.target_port), PEER_S) as target,
            ):
                back = threading.Thread(target=self.hand_back, args=(target, client), daemon=True)
                back.start()
                while data := client.recv(65536):
                    self.seen += data
                    target.sendall(data)
        except OSError:
            pass

    def hand_back(self, target: socket.socket, client: ssl.SSLSocket) -> None:
        try:
            while data := target.recv(65536):
                client.sendall(data)
        except OSError:
            pass
