"""The single-threaded process that owns sockets, signals, workers and the drain."""
