"""Projects: training code that lies in a folder or was cloned, its virtual environment, what can be run in it.

`registry` knows them, `git` clones, `environment` makes virtual environments, `detect` reads what is there, `plan` says
what `PROJECT:config.yaml` means. Nothing of a project is ever imported here.
"""
