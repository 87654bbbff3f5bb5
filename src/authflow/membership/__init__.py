"""Members of an organization and the invitations by which they come: two machines and the consent that waits."""
