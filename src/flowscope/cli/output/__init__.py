"""What the command line shows: the live display, the summary, texts."""
