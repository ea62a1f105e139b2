"""Data sets of image–text pairs, as JSONL: `items` reads one, `prepare` makes or finds one; `weights` finds a model's.

Light: nothing here imports numpy, Pillow or the emoji packages before a data set is being made.
"""
