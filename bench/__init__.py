"""Benchmarks: paired, interleaved, medians and ratios against the named peer in one run."""
