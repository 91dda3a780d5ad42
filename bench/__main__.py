"""``make bench``: every comparison, one after the other, for the machine it runs on."""

from bench import health_cost, idle, servers, startup, throughput

for part in (startup, throughput, servers, idle, health_cost):
    part.main()
    print(flush=True)
