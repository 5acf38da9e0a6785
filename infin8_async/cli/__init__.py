"""The command line `infin8`. Only `__main__` imports it."""
