"""Readers of what other trackers left on disk: TensorBoard, Lightning's CSV logs, W&B offline, MLflow's file stores.

Each is pure: paths in, records and facts out. What becomes of them (a run of ours) is `mlhub.runner.importing`'s; files
that a run of ours writes meanwhile are followed by `mlhub.runner`, with the same readers. Everything read here is
outside data: bounded, never executed, never a pickle.
"""
