"""Sessions: the server rows behind the value a browser keeps, and what makes one elevated."""
