"""Where every file lives: `Home` and `RunPaths`, one property a file. Nothing here reads, writes or creates."""

from __future__ import annotations

from dataclasses import dataclass

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class RunPaths:
    """The folder of one run. The files are the truth about the run; the database is an index over them."""

    root: Path

    @property
    def config(self) -> Path:
        return self.root / "config.yaml"

    @property
    def spec(self) -> Path:
        return self.root / "spec.json"

    @property
    def metrics(self) -> Path:
        return self.root / "metrics.jsonl"

    @property
    def system(self) -> Path:
        return self.root / "system.jsonl"

    @property
    def config_json(self) -> Path:
        """The same for a program that reads JSON; only there for one."""
        return self.root / "config.json"

    @property
    def invocation(self) -> Path:
        """How config and script became the command line, for `rerun`; 0600, as the words may hold anything."""
        return self.root / "invocation.json"

    @property
    def log(self) -> Path:
        return self.root / "output.log"

    @property
    def lock(self) -> Path:
        """Held by the run's supervisor for as long as it lives."""
        return self.root / "lock"

    @property
    def exit(self) -> Path:
        return self.root / "exit.json"

    @property
    def process(self) -> Path:
        return self.root / "process.json"

    @property
    def outcome(self) -> Path:
        """The trainer's own word on how it ended, written by our training code: the second witness."""
        return self.root / "outcome.json"

    @property
    def queue(self) -> Path:
        """What the queue knows of the run: a copy of the row's facts, from which a lost database is made anew."""
        return self.root / "queue.json"

    @property
    def capture(self) -> Path:
        """What a captured training said of itself: hyperparameters, model, versions; the last exception."""
        return self.root / "capture.json"

    @property
    def saved(self) -> Path:
        """A line for each checkpoint that a captured training saved, when it did."""
        return self.root / "checkpoints.jsonl"

    @property
    def labels(self) -> Path:
        """Tags and note, from the first time on that a user changed one of them."""
        return self.root / "labels.json"

    @property
    def archive_lock(self) -> Path:
        """Held while metrics are compacted or unpacked: never while somebody appends to them."""
        return self.root / "archive.lock"

    @property
    def alerts(self) -> Path:
        return self.root / "alerts.jsonl"

    @property
    def checkpoints(self) -> Path:
        return self.root / "checkpoints"

    @property
    def index(self) -> Path:
        return self.root / "index"

    @property
    def artifacts(self) -> Path:
        return self.root / "artifacts"

    @property
    def artifact_index(self) -> Path:
        """What was kept by `mlhub.log_artifact` and its like, one record a line."""
        return self.root / "artifacts.jsonl"

    def attempt(self, number: int) -> AttemptPaths:
        return AttemptPaths(self.root / "attempts" / str(number))


@dataclass(frozen=True, slots=True)
class AttemptPaths:
    """The folder of one start of a run's process."""

    root: Path

    @property
    def lock(self) -> Path:
        return self.root / "lock"

    @property
    def slot(self) -> Path:
        return self.root / "exit.slot"

    @property
    def exit(self) -> Path:
        return self.root / "exit.json"

    @property
    def process(self) -> Path:
        return self.root / "process.json"

    @property
    def order(self) -> Path:
        """What is to be started, environment included, while it waits or may be started again; 0600, then removed."""
        return self.root / "order.json"

    @property
    def launch(self) -> Path:
        """What the supervisor is to start: argument list, folder, grace."""
        return self.root / "launch.json"

    @property
    def stop(self) -> Path:
        """Who asked for the end of this attempt, and when; written before any signal is sent."""
        return self.root / "stop.json"


@dataclass(frozen=True, slots=True)
class Home:
    """`MLHUB_HOME`: everything mlhub writes lies below it, unless a setting names another folder."""

    root: Path
    data: Path
    checkpoints: Path | None = None
    logs: Path | None = None
    projects: Path | None = None
    venvs: Path | None = None

    @property
    def database(self) -> Path:
        return self.root / "mlhub.db"

    @property
    def config(self) -> Path:
        return self.root / "config.toml"

    @property
    def migrate_lock(self) -> Path:
        return self.root / "migrate.lock"

    @property
    def tidied(self) -> Path:
        """Touched when old runs were last compressed."""
        return self.root / "tidied"

    @property
    def runs(self) -> Path:
        return self.root / "runs"

    def run(self, run_id: int) -> RunPaths:
        return RunPaths(self.runs / str(run_id))

    def dataset(self, name: str) -> Path:
        return self.data / name

    @property
    def adapters(self) -> Path:
        """Adapters of the user's own, a YAML file each."""
        return self.root / "adapters"

    @property
    def registry(self) -> Path:
        """What projects there are, a JSON file each."""
        return self.root / "registry"

    @property
    def clones(self) -> Path:
        """The projects that were cloned, a folder each."""
        return self.projects or self.root / "projects"

    def venv(self, project: str) -> Path:
        """The virtual environment that is a project's own."""
        return (self.venvs or self.root / "venvs") / project
