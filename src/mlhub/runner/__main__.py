"""The start line of a supervisor, readable in `ps`: `python -I -S …/mlhub/runner/__main__.py RUN_DIR ATTEMPT [PIPE]`.

Not for people: `mlhub run` starts it. `-I -S` keep the user's environment, and site-packages, out of it.
"""

import os
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))

from mlhub.runner.supervise import main

main(sys.argv[1:])
