"""git's question for a name and a password, answered from the environment: a credential helper, run by git.

Standard library only. It stores nothing: of git's three words (get, store, erase) it knows the first.
"""

from __future__ import annotations

import os
import sys

if __name__ == "__main__" and sys.argv[1:] == ["get"]:
    user, token = os.environ.get("MLHUB_CREDENTIAL_USER", ""), os.environ.get("MLHUB_CREDENTIAL", "")
    if token and "\n" not in user + token:
        sys.stdout.write(f"username={user}\npassword={token}\n")
