"""Following: new calls as they appear, each once."""
