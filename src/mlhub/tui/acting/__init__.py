"""What a user does to runs from the screen: questions, threads, deeds."""
