"""What runs exist. The only room that speaks SQL; it knows nothing of processes."""
