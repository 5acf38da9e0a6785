"""What the client costs, compared with other clients and with the best possible: `python -m tests.benchmarks`."""
