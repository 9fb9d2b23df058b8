# SPDX-License-Identifier: GPL-3.0-or-later
"""One job as the person sees it: how far it is, how long it still takes, what went wrong. No bpy."""

import time
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

from ..wire.errors import PianoHandsError
from ..wire.kind import is_recording
from ..wire.messages import Failed, Finished, Generate, JobCancelled, Progress, Warned
from .client import Died, Event

#: Of each way to a clip the stages in their order, with the share of the work that each takes (the planner's measured on
#: pieces of one to five minutes; S2C's depend on model, steps and device).
STAGES = {
    "planner": {
        "reading": 0.01,
        "aligning": 0.01,
        "fingering": 0.03,
        "planning": 0.06,
        "solving": 0.71,
        "sound": 0.14,
        "saving": 0.04,
    },
    "heard": {
        "reading": 0.01,
        "loading": 0.02,
        "transcribing": 0.87,
        "fingering": 0.01,
        "planning": 0.01,
        "solving": 0.07,
        "saving": 0.01,
    },
    "s2c": {
        "reading": 0.01,
        "aligning": 0.01,
        "transcribing": 0.10,
        "loading": 0.07,
        "listening": 0.06,
        "sampling": 0.64,
        "fingering": 0.01,
        "planning": 0.01,
        "solving": 0.07,
        "saving": 0.02,
    },
    "raw": {"reading": 0.01, "loading": 0.08, "listening": 0.07, "sampling": 0.82, "saving": 0.02},
}
FIRST_ESTIMATE = 1.0  # seconds of work before a remaining time is worth showing


class Phase(Enum):
    """Where a job stands."""

    WORKING = "working"
    CANCELLING = "cancelling"
    READY = "ready"  # the clip lies there, the scene not yet
    DONE = "done"
    CANCELLED = "cancelled"
    FAILED = "failed"


@dataclass
class Job:
    """A job's state, changed by what is heard from the backend."""

    request: Generate
    scene_uid: int = 0  # the scene that asked for it
    phase: Phase = Phase.WORKING
    stage: str = ""
    stage_fraction: float = 0.0
    fraction: float = 0.0  # of the whole job
    warnings: list[PianoHandsError] = field(default_factory=list)
    remarks: tuple[str, ...] = ()  # notes left out, rolled or shared, in words
    error: PianoHandsError | None = None
    clip: Path | None = None
    log_tail: str = ""
    began: float = field(default_factory=time.monotonic)
    took: float = 0.0  # seconds from the start to the clip

    def __post_init__(self) -> None:
        self._way = way_of(self.request)

    @property
    def running(self) -> bool:
        return self.phase in (Phase.WORKING, Phase.CANCELLING, Phase.READY)

    def hear(self, event: Event) -> None:
        """Take in what the backend said; messages about other jobs are passed over."""
        if self.phase not in (Phase.WORKING, Phase.CANCELLING):
            return  # late words about something that is over
        if isinstance(event, Died):
            self._died(event)
        elif isinstance(event, Failed):
            if event.job in (None, self.request.job):
                self.fail(PianoHandsError(event.code, event.message, event.hint))
        elif getattr(event, "job", None) == self.request.job:
            self._hear_own(event)

    def fail(self, error: PianoHandsError) -> None:
        if self.running:
            self.phase, self.error = Phase.FAILED, error

    def remaining(self) -> float | None:
        """Seconds still to wait, once there is something to judge by."""
        spent = time.monotonic() - self.began
        if spent < FIRST_ESTIMATE or self.fraction < 0.02:
            return None
        return spent * (1.0 - self.fraction) / self.fraction

    def _hear_own(self, event: Event) -> None:
        if isinstance(event, Progress):
            self.stage = event.stage
            self.stage_fraction = min(1.0, event.done / max(1, event.total))
            self.fraction = max(self.fraction, overall(event, self._way))
        elif isinstance(event, Warned):
            self.warnings.append(PianoHandsError(event.code, event.message, event.hint))
        elif isinstance(event, Finished):
            # A cancel that came too late still keeps the scene as it is.
            self.phase = Phase.READY if self.phase is Phase.WORKING else Phase.CANCELLED
            self.clip, self.fraction = Path(event.clip), 1.0
            self.took = time.monotonic() - self.began
        elif isinstance(event, JobCancelled):
            self.phase = Phase.CANCELLED

    def _died(self, event: Died) -> None:
        self.log_tail = event.log_tail
        if self.phase is Phase.CANCELLING:
            self.phase = Phase.CANCELLED
            return
        self.fail(death(event))


def death(event: Died) -> PianoHandsError:
    """A dead backend as an error, with its last words."""
    last = (event.log_tail.splitlines() or [""])[-1]
    if event.greeted:
        what, hint = "ended in the middle of the work", "Nothing was lost: press Generate again, or copy the report and send it."
    else:
        what, hint = (
            "did not start",
            "See whether the Python or the command in the preferences is right; empty is Blender's own. Or copy the report.",
        )
    return PianoHandsError("backend-died", f"The backend {what} (code {event.exit_code}). {last}".strip(), hint)


def way_of(request: Generate) -> str:
    """Which of `STAGES` the job goes through."""
    if request.raw:
        return "raw"
    return "heard" if request.prior == "planner" and is_recording(Path(request.input)) else request.prior


def overall(progress: Progress, way: str) -> float:
    """Share of the whole job that is done; 0 for a stage without a known share."""
    before = 0.0
    for stage, share in STAGES[way].items():
        if stage == progress.stage:
            return before + share * min(1.0, progress.done / max(1, progress.total))
        before += share
    return 0.0
