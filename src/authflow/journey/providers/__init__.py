"""An organization's provider: tried, connected, kept and taken away."""
