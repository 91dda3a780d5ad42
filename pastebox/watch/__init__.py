"""What is watched, and how a change is seen: by events or by polling, in a process of its own."""
