"""The commands of `infin8`, one in each module."""
