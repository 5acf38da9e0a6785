"""What the client costs beside what others do, and beside what could be done at best: `python -m tests.benchmarks`."""
