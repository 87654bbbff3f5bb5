"""Past-tense facts, one module per slice, and the one table that says what each records."""
