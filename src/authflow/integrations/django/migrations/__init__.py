"""One Django migration for each revision of our own history."""
