"""What `mlhub data check` looks for: images (`pictures`), duplicates and leaks (`alike`), captions (`said`)."""
