"""First boot: facts, a plan, and its execution under a lock with a journal."""
