"""An application server for FastCGI, SCGI and AJP 1.3: one I/O thread, a pool of threads."""
