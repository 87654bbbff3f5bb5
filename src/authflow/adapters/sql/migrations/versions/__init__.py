"""One module per revision, named for it."""
