TOPICS: dict = {}
