"""Benchmarks: Centro beside the bare commands it is made of (docs/howto/bench.md)."""
