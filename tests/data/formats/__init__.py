"""Every form of data sets: a small sample, true to form, and hostile ones."""
