"""Delivering messages that were written in their change's transaction: at least once, one by one in a lane."""
