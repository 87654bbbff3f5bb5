"""Second factors: enrolling them, passing them at sign-in, and the ways back when one is lost."""
