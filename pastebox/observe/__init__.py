"""What the outside sees: logs, access log, status, metrics, the health port."""
