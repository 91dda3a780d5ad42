"""``make bench``: every comparison, one after the other; figures are for the machine they ran on."""

from bench import health_cost, idle, startup, throughput

for part in (startup, throughput, idle, health_cost):
    part.main()
    print(flush=True)
