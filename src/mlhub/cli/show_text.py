"""What `mlhub show` says of a run to people: facts, configuration, model, checkpoints, metrics, what it kept."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlhub.cli.hub import Hub
    from mlhub.paths import RunPaths
    from mlhub.store.runs import Run

#: columns of a command shown to people; --json has all of it
_COMMAND = 1000
#: rows of metrics shown to people; an evaluation has hundreds, and its log shows them as tables
_METRICS = 80
#: artifacts, keys of the configuration, and checkpoints shown to people
_ARTIFACTS, _KEYS, _CHECKPOINTS = 20, 40, 10


def print_run(hub: Hub, run: Run) -> None:
    """All that is known, in parts; what there is none of takes no room."""
    from mlhub.cli.out import say
    from mlhub.text import one_line

    paths = hub.home.run(run.id)
    say(f"run {run.id}  {one_line(run.name)}")
    for label, fact in (*_state(run, paths), *_belongs(run), *_process(run, paths), *_note(run), ("folder", run.dir)):
        if fact:
            say(f"  {label:<8} {fact}")
    _print_config(run)
    _print_checkpoints(run, paths)
    _print_metrics(run)
    _print_artifacts(run, paths)


def _state(run: Run, paths: RunPaths) -> Iterator[tuple[str, object]]:
    """How it is and what to do."""
    from mlhub.cli.out import status_word
    from mlhub.runner.advice import advice
    from mlhub.text import local_time, one_line

    yield "status", status_word(run.status) + (f" ({one_line(run.condition)})" if run.condition else "")
    yield "reason", run.reason and one_line(run.reason)
    yield "advice", one_line(advice(run, paths) or "")
    for alert in run.alerts:
        yield "alert", one_line(f"{local_time(alert.get('at'))} {alert.get('text')}")
    yield "left", run.orphans and f"processes {', '.join(map(str, run.orphans))}; mlhub stop {run.name} ends them"
    yield "attempt", run.attempt > 1 and str(run.attempt)
    yield "after", ", ".join(map(str, run.after))
    yield "gpus", ", ".join(map(str, run.gpus)) or (run.gpus_wanted and f"{run.gpus_wanted} wanted")
    yield "retries", run.retries and f"{run.retries} left"


def _belongs(run: Run) -> Iterator[tuple[str, object]]:
    """What it is and belongs to."""
    from mlhub.text import one_line

    yield "kind", run.kind
    yield "group", run.group and one_line(run.group)
    yield "tags", one_line(", ".join(run.tags))
    yield "project", run.project and one_line(run.project)
    yield "adapter", run.adapter and one_line(run.adapter)
    yield "preset", run.preset and one_line(run.preset)


def _process(run: Run, paths: RunPaths) -> Iterator[tuple[str, object]]:
    """When, where and by what it ran; what it trained."""
    import shlex

    from mlhub.runner.folder import read_spec
    from mlhub.runner.reconcile import elapsed
    from mlhub.text import duration, fit, local_time, one_line

    spec = read_spec(paths)
    command, git = spec.get("command"), spec.get("git")
    yield "started", local_time(run.started_at)
    yield "took", run.started_at and duration(elapsed(run))
    yield "pid", run.pid and f"{run.pid} (supervisor {run.supervisor_pid}) on {one_line(run.host)}"
    if isinstance(command, list):
        yield "command", fit(one_line(shlex.join(map(str, command))), _COMMAND)
    yield "code", _code_line(git) if isinstance(git, dict) else None
    yield "source", _source(spec.get("imported"))
    yield "model", _model(paths)


def _note(run: Run) -> Iterator[tuple[str, object]]:
    """Its lines, the label at the first."""
    from mlhub.text import clean

    for index, line in enumerate(clean(run.note or "").splitlines()):
        yield "note" * (not index), line


def _model(paths: RunPaths) -> str | None:
    """`Net, 3,412 parameters, 12 trainable`."""
    from mlhub.runner.captured import read_model
    from mlhub.text import one_line

    model = read_model(paths)
    if model is None:
        return None
    count, trainable = model["parameters"], model["trainable"]
    some = f", {trainable:,} of them trainable" if isinstance(trainable, int) and trainable != count else ""
    return one_line(str(model["class"])) + (f", {count:,} parameters{some}" if isinstance(count, int) else "")


def _print_config(run: Run) -> None:
    """Its leaves by dotted key, a line each, cut to the terminal; a run with a preset has it in config.yaml too."""
    from mlhub.cli.out import columns, say
    from mlhub.compare.configs import flatten
    from mlhub.text import fit, one_line, width

    leaves = {one_line(key): _shown(value) for key, value in flatten(run.config).items()} if run.config else {}
    if not leaves:
        return
    say()
    say("config")
    shown = list(leaves.items())[:_KEYS]
    wide = min(max(width(key) for key, _ in shown), columns() // 2)
    for key, value in shown:
        name = fit(key, wide)
        say(fit(f"  {name}{' ' * (wide - width(name))}  {value}", columns()))
    if len(leaves) > _KEYS:
        say(f"… {len(leaves) - _KEYS} more: mlhub show {run.name} --json")


def _shown(value: object) -> str:
    """A leaf as JSON has it, a text without quotes; on one line."""
    from json import dumps

    from mlhub.text import one_line

    return one_line(value if isinstance(value, str) else dumps(value, ensure_ascii=False, default=str))


def _print_checkpoints(run: Run, paths: RunPaths) -> None:
    """What capture saw saved, the newest first, best and last always among them."""
    from mlhub.cli.out import Column, say, table
    from mlhub.runner.captured import read_saved
    from mlhub.text import number

    found = read_saved(paths)
    if not found:
        return
    say()
    marked = [one for one in found if one.best or one.last]
    others = [one for one in found if one not in marked]
    heads = [Column("checkpoint", flex=True, least=20, path=True), Column("step", right=True)]
    heads += [Column("metric", flex=True), Column("score", right=True), Column("")]
    rows = [
        [
            one.path, number(one.step), one.monitor or "", number(one.score),
            ", ".join(word for word in ("best", "last", "missing") if getattr(one, word)),
        ]
        for one in [*marked, *others][:_CHECKPOINTS]
    ]  # fmt: skip
    for line in table(heads, rows):
        say(line.rstrip())
    if len(found) > _CHECKPOINTS:
        say(f"… {len(found) - _CHECKPOINTS} more: mlhub show {run.name} --json")


def _print_metrics(run: Run) -> None:
    from mlhub.cli.out import Column, say, table
    from mlhub.text import number

    if not run.summary:
        return
    say()
    keys = ("last", "min", "max", "step")
    heads = [Column("metric", flex=True), *(Column(key, right=True) for key in keys)]
    rows = [[name, *(number(entry.get(key)) for key in keys)] for name, entry in sorted(run.summary.items())]
    for line in table(heads, rows[:_METRICS]):
        say(line)
    if len(rows) > _METRICS:
        say(f"… {len(rows) - _METRICS} more: mlhub show {run.name} --json")


def _print_artifacts(run: Run, paths: RunPaths) -> None:
    from mlhub import artifacts
    from mlhub.cli.out import Column, say, table
    from mlhub.text import number, size

    found = artifacts.read(paths.root)
    if not found:
        return
    say()
    heads = [Column("artifact", flex=True), Column("kind"), Column("step", right=True), Column("size", right=True)]
    rows = [[one.name, one.kind, number(one.step), size(one.bytes), one.file] for one in found[-_ARTIFACTS:]]
    for line in table([*heads, Column("file", flex=True)], rows):
        say(line)
    if len(found) > _ARTIFACTS:
        say(f"… the newest {_ARTIFACTS} of {len(found)}: mlhub show {run.name} --json")


def _source(imported: object) -> str | None:
    """Where an imported run came from."""
    from mlhub.text import one_line

    return one_line(f"{imported.get('kind')}, {imported.get('path')}") if isinstance(imported, dict) else None


def _code_line(git: dict[str, object]) -> str:
    from mlhub.text import one_line

    commit = str(git.get("commit") or "no commit yet")[:12]
    branch = f" on {git['branch']}" if git.get("branch") else ""
    return one_line(f"{commit}{' + changes' if git.get('dirty') else ''}{branch} in {git.get('root')}")
