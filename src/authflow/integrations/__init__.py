"""Thin pieces between authflow and one framework each; nothing is decided here, and each is imported by itself."""
