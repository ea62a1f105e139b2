"""What waits and for what: the view."""
