"""The addresses of a person: mailed tokens, and the confirmation that a mailbox is theirs."""
