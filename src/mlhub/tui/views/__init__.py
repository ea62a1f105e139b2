"""The seven views, one a file. What each shows comes from `mlhub.tui.model`; its keys from `mlhub.tui.keys`."""
