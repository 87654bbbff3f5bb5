"""Single sign-on: what an organization's provider says of a person, and what that opens."""
