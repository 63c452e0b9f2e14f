"""Ray, as far as a fleet needs it: a cluster, its nodes, a worker on each, and its errors as reasons of one line."""

import os
import secrets
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from bench.fleet import plan
from bench.fleet import worker as workers
from bench.fleet.plan import DEAD, FAILED, BadFleet
from bench.profile.errors import printable
from bench.session import lock

STORE_BYTES = 80 << 20
"""Of the object store of a cluster of our own, which holds nothing: about the least that Ray takes."""
OF_RAY = "ray.io/"
"""Labels that Ray gives by itself begin so."""
GONE = "the cluster went away while it was measured: its head, or this machine's part of it, ended"
ADDRESS = "RAY_ADDRESS"
"""Would stand above any address that is given."""


class Lost(Exception):
    """A worker gave no answer that can be used: the state of the pass, and why in one line."""

    def __init__(self, state: str, reason: str) -> None:
        """Keep both."""
        super().__init__(reason)
        self.state, self.reason = state, printable(reason)


class Unreachable(Exception):
    """A worker cannot be reached for now, and may be again."""


@dataclass(frozen=True)
class Host:
    """A node of the cluster that may be measured."""

    id: str
    host: str
    address: str
    cpus: float
    gpus: float
    labels: dict[str, str] = field(default_factory=dict)


@contextmanager
def joined(address: str | None) -> Iterator[None]:
    """Within the cluster at an address, or one on this machine alone, which ends with it. Raises BadFleet.

    With a wrong address it may never begin: who started this process ends it then.
    """
    if address is not None:
        connect(address)
        yield
        return
    # paths of sockets are short, and those of temporary folders may not be
    folder = tempfile.mkdtemp(prefix="rnn-ray-", dir=lock.SYSTEM if lock.SYSTEM.is_dir() else None)
    try:
        connect(None, folder)
        yield
    finally:
        import ray

        ray.shutdown()
        shutil.rmtree(folder, ignore_errors=True)


def connect(address: str | None, folder: str | None = None) -> None:
    """Join the cluster at an address, or start one that keeps its files in a folder. Raises BadFleet."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    if address != "auto":
        os.environ.pop(ADDRESS, None)
    if address is None:  # nothing is left in the home folder, and nobody else is let in
        os.environ.setdefault("RAY_AUTH_MODE", "token")
        os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))
    import ray  # reads these when it is loaded

    common: dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR"}
    try:
        if address is None:
            ray.init(
                "local",
                include_dashboard=False,
                object_store_memory=STORE_BYTES,
                _system_config={"worker_niceness": 0},
                _temp_dir=folder,
                **common,
            )
        else:
            ray.init(address, **common)
    except Exception as error:
        where = "on this machine" if address is None else f"at {address}"
        raise BadFleet(f"Ray {where}: {_first(error)}: start it by ray start --head") from error
    ray.cloudpickle.register_pickle_by_value(workers)


def hosts(labels: Mapping[str, str]) -> list[Host]:
    """The nodes that are alive, have a CPU to give, and have these labels."""
    found = []
    for one in _nodes():
        own = {k: str(v) for k, v in (one.get("Labels") or {}).items() if not k.startswith(OF_RAY)}
        has = one.get("Resources") or {}
        if one["Alive"] and has.get("CPU", 0) and labels.items() <= own.items():
            host = own.get("name") or str(one["NodeManagerHostname"])
            where = str(one["NodeManagerAddress"])
            gpus = float(has.get("GPU", 0))
            found.append(Host(one["NodeID"], host, where, float(has["CPU"]), gpus, own))
    return sorted(found, key=lambda one: (one.host, one.id))


def by_name(found: Sequence[Host]) -> dict[str, Host]:
    """Nodes by the names of their folders."""
    names = plan.named((one.host, one.id) for one in found)
    return dict(zip(names, found, strict=True))


def gone() -> bool:
    """Whether the node that this process belongs to has left the cluster: nobody answers it any more."""
    import ray

    mine = ray.get_runtime_context().get_node_id()
    return not any(one["Alive"] for one in _nodes() if one["NodeID"] == mine)


def _nodes() -> list[dict[str, Any]]:
    import ray

    every: list[dict[str, Any]] = ray.nodes()
    return every


class Hand:
    """The worker on one node, which holds all its CPUs and GPUs until it is let go."""

    def __init__(self, host: Host) -> None:
        """Ask for it; it answers when the node has nothing else to do."""
        import ray
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        actor = ray.remote(workers.Worker)
        self._actor: Any = actor.options(
            scheduling_strategy=NodeAffinitySchedulingStrategy(node_id=host.id, soft=False),
            num_cpus=host.cpus,
            num_gpus=host.gpus,
            max_restarts=0,
            max_task_retries=0,
        ).remote()

    def ask(self, method: str, *given: Any) -> Any:
        """Call a method of the worker's; the answer is taken by `answer` once it is among those `ready`."""
        return getattr(self._actor, method).remote(*given)

    def let_go(self) -> None:
        """End the worker, and with it what it measures."""
        import ray

        ray.kill(self._actor, no_restart=True)


def ready(asked: Sequence[Any], seconds: float) -> list[Any]:
    """Which of these have an answer; after so long at most."""
    import ray

    if not asked:
        time.sleep(seconds)
        return []
    some, _ = ray.wait(list(asked), num_returns=1, timeout=seconds)
    if not some:
        return []
    every, _ = ray.wait(list(asked), num_returns=len(asked), timeout=0)
    return list(every)


def answer(ref: Any) -> Any:
    """An answer. Raises Lost, Unreachable."""
    import ray
    from ray import exceptions

    try:
        return ray.get(ref)
    except exceptions.ActorUnavailableError as error:
        raise Unreachable(_first(error)) from error
    except exceptions.ActorUnschedulableError as error:
        raise Lost(DEAD, "it is not in the cluster any more") from error
    except exceptions.RayTaskError as error:
        raise Lost(FAILED, f"its worker: {_first(error.cause)}") from error
    except exceptions.RayActorError as error:
        raise Lost(DEAD, _death(str(error))) from error
    except exceptions.RayError as error:
        raise Lost(FAILED, f"Ray: {_first(error)}") from error


def _death(said: str) -> str:
    """Of an actor, in a line: its node, or its process alone."""
    if "node has died" in said or "node was removed" in said or "Node Id" in said:
        return "the node died, or left the cluster"
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    why = next((one for one in lines if one.startswith("The actor is dead because")), lines[-1])
    return f"its worker died: {why}"


def _first(error: object) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
