"""The only home of fork, signals, sockets, deadlines, atomic files and sd_notify."""
