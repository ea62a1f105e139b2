"""The same without a screen: one picture as text or JSON, then changes as lines."""
