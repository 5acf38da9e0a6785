"""One request: its form, its answer, its limits, its retries."""
