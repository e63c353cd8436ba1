#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Derives a pull secret from the master key as docs/credentials.md says, without berth:

    derive_pull_secret.py MASTER_KEY_FILE WORKSPACE REGISTRY_UID PROJECT_ID ROBOT_ID

prints the key id, the workspace's key and the secret."""

import hashlib
import hmac
import sys
from pathlib import Path

DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def mac(key: bytes, text: str) -> bytes:
    return hmac.new(key, text.encode(), hashlib.sha256).digest()


def base62(data: bytes) -> str:
    """The bytes as one big-endian number, without leading zeros."""
    number = int.from_bytes(data, "big")
    text = ""
    while number > 0:
        number, digit = divmod(number, len(DIGITS))
        text = DIGITS[digit] + text
    return text or DIGITS[0]


def main() -> None:
    if len(sys.argv) != 6:
        sys.exit("usage: derive_pull_secret.py KEY_FILE WORKSPACE REGISTRY_UID PROJECT_ID ROBOT_ID")
    file, workspace, registry_uid, project_id, robot_id = sys.argv[1:]
    master_key = Path(file).read_bytes().removesuffix(b"\n").removesuffix(b"\r")
    workspace_key = mac(master_key, f"ws|{workspace}")
    secret = "Hb1" + base62(mac(workspace_key, f"v1|{registry_uid}|{project_id}|{robot_id}"))
    print(mac(master_key, "key id").hex()[:8])
    print(workspace_key.hex())
    print(secret)


if __name__ == "__main__":
    try:
        main()
    except OSError as error:
        sys.exit(str(error))
