"""Several supervised programs in one container: supervisor, with the ends of its programs kept."""
