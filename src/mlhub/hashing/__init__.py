"""Cross-modal hashing: model, training, evaluation, index, search. Programs: the hub starts but never imports them."""

import os

# numpy's BLAS, read when it loads: our matrices are small, and its threads wait for each other longer than they work
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
