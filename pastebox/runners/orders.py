"""What a master can order a worker of ours to do, as lines on the worker's orders socket."""

LAME = b"lame\n"
"""Answer with ``Connection: close`` from now on, but go on accepting."""

DRAIN = b"drain"
"""``drain SECONDS``: stop accepting, finish by then, end. The end of the stream says it too."""

HOLD = b"hold\n"
"""Leave newcomers in the queue: what answers them is being loaded. A server that cannot goes on."""

RESUME = b"resume\n"
"""It did not load: take them after all."""
