"""A Ray cluster of several nodes on this machine, in a process of its own that does what it is told line by line.

`add NAME ...`, `remove NAME` (as if its power had gone), `take NAME` (other work holds its CPU), `free NAME`, `behead`;
each is answered by a line when it is done.
"""

from __future__ import annotations

import os
import sys

import ray
from ray.cluster_utils import Cluster
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

STORE = 78 << 20
HEALTH = {"health_check_period_ms": 500, "health_check_failure_threshold": 3}
"""A node that is gone is known as dead in seconds."""


@ray.remote(num_cpus=1)
class Other:
    def there(self):
        return True


def main():
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    head = {
        "num_cpus": 0,
        "include_dashboard": False,
        "object_store_memory": STORE,
        "_system_config": HEALTH,
    }
    cluster = Cluster(initialize_head=True, head_node_args=head)
    nodes, others = {}, {}

    def say(word):
        out.write(f"{word}\n")
        out.flush()

    say(cluster.address)
    for line in sys.stdin:
        verb, _, name = line.strip().partition(" ")
        if verb == "add":
            for one in name.split():
                labels = {"name": one, "rack": f"r-{one}"}
                nodes[one] = cluster.add_node(
                    wait=False, num_cpus=1, labels=labels, object_store_memory=STORE
                )
            cluster.wait_for_nodes()
        elif verb == "remove":
            cluster.remove_node(nodes.pop(name), allow_graceful=False)
        elif verb == "take":
            if not ray.is_initialized():
                ray.init(cluster.address, log_to_driver=False, logging_level="ERROR")
            only = NodeAffinitySchedulingStrategy(nodes[name].node_id, soft=False)
            others[name] = Other.options(scheduling_strategy=only).remote()
            ray.get(others[name].there.remote())
        elif verb == "free":
            ray.kill(others.pop(name))
            ray.shutdown()
        elif verb == "behead":
            cluster.head_node.kill_gcs_server()
        say("done")


if __name__ == "__main__":
    main()
