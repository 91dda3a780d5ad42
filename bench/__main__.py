"""``make bench``: every comparison, one after the other, for the machine it runs on."""

from bench import health_cost, idle, startup, throughput, workers

for part in (startup, throughput, workers, idle, health_cost):
    part.main()
    print(flush=True)
