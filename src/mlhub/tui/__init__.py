"""The live screen, `mlhub top`: its room; nothing lives here yet."""
