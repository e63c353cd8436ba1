# SPDX-License-Identifier: Apache-2.0
"""What happens at a registry without berth: people who work in Harbor by hand, and pulls. Harbor's
API and its registry's as anybody meets them."""

import base64
import json
import urllib.error
import urllib.parse
import urllib.request
from typing import Any, Optional

from service import ServiceError
from services import Sandbox

Login = tuple[str, str]

# Any image of a space: nobody has pushed one, so who may look is told that it isn't there.
IMAGE = "web"
TAG = "1.0"


class ByHand:
    """A person with the account "admin", which isn't berth's, on one registry."""

    def __init__(self, sandbox: Sandbox, registry: str = "alpha") -> None:
        self.url = sandbox.url(registry)
        self.login = ("admin", sandbox.password)

    def make_project(self, space: str, public: bool = False) -> int:
        """Makes a project and returns its number."""
        body = {"project_name": space, "metadata": {"public": str(public).lower()}}
        self.ask("POST", "/projects", body)
        return self.ask("GET", f"/projects/{space}")["project_id"]

    def delete_project(self, space: str) -> None:
        self.ask("DELETE", f"/projects/{space}")

    def set_public(self, space: str, public: bool) -> None:
        self.ask("PUT", f"/projects/{space}", {"metadata": {"public": str(public).lower()}})

    def make_robot(self, space: str, name: str) -> Login:
        """A robot account that may pull, as Harbor's own page makes it."""
        access = [{"resource": "repository", "action": "pull"}]
        permission = {"kind": "project", "namespace": space, "access": access}
        body = {"name": name, "level": "project", "duration": -1, "permissions": [permission]}
        made = self.ask("POST", "/robots", body)
        return made["name"], made["secret"]

    def quota_bytes(self, project_id: int) -> int:
        """The storage that the project may take; -1: as much as it likes."""
        (quota,) = self.ask("GET", f"/quotas?reference=project&reference_id={project_id}")
        return quota["hard"]["storage"]

    def keep_quotas(self, keep: bool) -> None:
        """For projects that are made from now on."""
        self.ask("PUT", "/configurations", {"quota_per_project_enable": keep})

    def sync_quotas(self) -> None:
        """Makes one for each project that has none."""
        self.ask("POST", "/syncquota", base="/api/internal")

    def ask(self, method: str, path: str, body: Any = None, base: str = "/api/v2.0") -> Any:
        """One call of Harbor's API; what it refuses is an error with its words."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.url}{base}{path}", data, method=method)
        request.add_header("Authorization", basic(self.login))
        request.add_header("Content-Type", "application/json")
        request.add_header("X-Is-Resource-Name", "true")
        try:
            with urllib.request.urlopen(request, timeout=10) as reply:
                text = reply.read()
        except urllib.error.HTTPError as error:
            said = error.read().decode(errors="replace")
            raise ServiceError(f"Harbor: {method} {path}: {error.code} {said}") from None
        return json.loads(text) if text else None


def basic(login: Login) -> str:
    return "Basic " + base64.b64encode(":".join(login).encode()).decode()


def actions_of(
    sandbox: Sandbox, space: str, login: Optional[Login], registry: str = "alpha"
) -> list[str]:
    """What the registry's token service lets a login do with an image; None: without any login."""
    return actions_in(token_of(sandbox, space, login, registry))


def may_pull(
    sandbox: Sandbox, space: str, login: Optional[Login] = None, registry: str = "alpha"
) -> bool:
    """Pulls as a client does: gets a token, then asks for the manifest with it. Both must agree."""
    token = token_of(sandbox, space, login, registry)
    allowed = "pull" in actions_in(token)
    url = f"{sandbox.url(registry)}/v2/{space}/{IMAGE}/manifests/{TAG}"
    request = urllib.request.Request(url)
    request.add_header("Authorization", f"Bearer {token}")
    try:
        urllib.request.urlopen(request, timeout=10).close()
        status = 200
    except urllib.error.HTTPError as error:
        status = error.code
    # 404: it was let in and found no such image. 401: it wasn't let in.
    if status != (404 if allowed else 401):
        raise ServiceError(f"{space}: the token allows a pull: {allowed}, the manifest: {status}")
    return allowed


def token_of(sandbox: Sandbox, space: str, login: Optional[Login], registry: str) -> str:
    scope = urllib.parse.quote(f"repository:{space}/{IMAGE}:pull", safe="")
    path = f"/service/token?service=harbor-registry&scope={scope}"
    request = urllib.request.Request(sandbox.url(registry) + path)
    if login is not None:
        request.add_header("Authorization", basic(login))
    with urllib.request.urlopen(request, timeout=10) as reply:
        return json.load(reply)["token"]


def actions_in(token: str) -> list[str]:
    payload = token.split(".")[1]
    padded = payload + "=" * (-len(payload) % 4)
    (access,) = json.loads(base64.urlsafe_b64decode(padded))["access"]
    return access["actions"] or []


__all__ = ["ByHand", "Login", "actions_of", "may_pull"]
