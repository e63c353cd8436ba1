#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Lists the spaces that the members of a workspace may pull from, as docs/lookups.md says:

    choose_image.py http://127.0.0.1:8780 WORKSPACE

prints one a line: registry/space, and why it is there: bound, or public."""

import http.client
import json
import sys
import time
import urllib.parse
from typing import Any, Iterator

PAGE = 100
PATIENCE_S = 60


def get(connection: http.client.HTTPConnection, target: str) -> Any:
    """Asks until there is an answer, as often as a 503 says that it is worth it. A kept connection
    that the server has closed is opened again by http.client."""
    give_up_s = time.monotonic() + PATIENCE_S
    while True:
        try:
            connection.request("GET", target)
            reply = connection.getresponse()
        except (http.client.RemoteDisconnected, ConnectionResetError):
            connection.close()
            if time.monotonic() > give_up_s:
                raise
            continue
        try:
            body = json.load(reply)
        except ValueError:
            sys.exit(f"{reply.status} without JSON: is that berthd's admin_listen?")
        if reply.status == 200:
            return body
        if reply.status != 503 or time.monotonic() > give_up_s:
            sys.exit(f"{reply.status} {body['error']['code']}: {body['error']['message']}")
        time.sleep(int(reply.headers.get("Retry-After", "1")))


def spaces_of(connection: http.client.HTTPConnection, workspace: str) -> Iterator[dict[str, Any]]:
    """All pages of what the workspace is bound to, and of what is public."""
    path = f"/v1/workspaces/{urllib.parse.quote(workspace, safe='')}/spaces"
    query = {"public": "true", "limit": str(PAGE)}
    while True:
        page = get(connection, f"{path}?{urllib.parse.urlencode(query)}")
        yield from page["spaces"]
        if page["next"] is None:
            return
        query["after"] = page["next"]


def why(space: dict[str, Any], workspace: str) -> str:
    """Why its images can be pulled; empty: they may well not be."""
    for binding in space["bindings"]:
        if binding["workspace"] == workspace and binding["state"] == "ACTIVE":
            return "bound"
    return "public" if space["visibility"] == "PUBLIC" else ""


def main() -> None:
    if len(sys.argv) != 3 or not urllib.parse.urlsplit(sys.argv[1]).netloc:
        sys.exit("usage: choose_image.py http://HOST:PORT WORKSPACE")
    url, workspace = sys.argv[1:]
    connection = http.client.HTTPConnection(urllib.parse.urlsplit(url).netloc, timeout=30)
    found = [
        (f"{space['registry']}/{space['space']}", why(space, workspace))
        for space in spaces_of(connection, workspace)
    ]
    width = max((len(name) for name, _ in found), default=0)
    for name, reason in found:
        if reason:
            print(f"{name:{width}}  {reason}")


if __name__ == "__main__":
    try:
        main()
    except (OSError, http.client.HTTPException) as error:
        sys.exit(f"{sys.argv[1]}: {error}")
    except KeyboardInterrupt:
        sys.exit(130)
