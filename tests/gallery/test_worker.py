"""A real gallery run on the embedded default: SQLite, and a broker that is a folder."""

from __future__ import annotations

from pathlib import Path

from tests.sites import site, wait

# A tomograph so small that its gallery takes seconds.
ASK = """
from gallery import snapshot
from gallery.models import Run
from modalities import physics
from modalities.models import Modality
spec = snapshot.take(physics.load("electron_tomography"))
spec["shape"] = [8, 48, 8]
# Two scenes at home, one away, which is of the same kind as one at home.
spec["scenes"], spec["away"] = spec["scenes"][:2], [spec["scenes"][1] | {"tiers": ["public"]}]
for step in spec["chain"]:
    few = {"views": 9, "step": 15.0}
    step["args"] |= {name: few[name] for name in few.keys() & step["args"].keys()}
made = Run.objects.enqueue(
    modality=Modality.objects.get(key="electron_tomography"),
    method="wbp", spec=spec, spec_hash=snapshot.digest(spec),
)
"""


def test_run_whose_worker_was_killed_is_taken_up_and_succeeds_once(tmp_path: Path):
    with site(tmp_path, PWM_LEASE_SECONDS="6") as embedded:
        embedded.prepare()
        embedded.manage("sync_catalogue", "--verbosity", "0")
        embedded.do(ASK)
        first = embedded.worker()
        wait(lambda: embedded.do("Run.objects.get().percent") > 0)
        first.kill()
        assert embedded.do("Run.objects.get().state") == "running"
        embedded.worker()
        wait(lambda: embedded.do("Run.objects.get().state") == "succeeded")
        events = embedded.do("list(Run.objects.get().events.values_list('event', flat=True))")
        assert events == ["queued", "claimed", "reclaimed", "claimed", "succeeded"]
        assert embedded.do("Run.objects.get().results.count()") == 12
        assert embedded.do("Run.objects.get().results.filter(group='away').count()") == 4
        found = embedded.do("[Run.objects.get().calibrated, Run.objects.get().calibrated_away]")
        assert found[0].keys() == found[1].keys()
        assert found[0] != found[1], "each group is calibrated by itself"
        assert "All invariants hold" in embedded.manage("check_invariants")
        # Files of the first attempt may be left behind; the sweep of orphans leaves the others.
        embedded.do("from modalities.jobs.files import delete_orphans")
        embedded.do("delete_orphans()")
        kept = {path.parent.name for path in (tmp_path / "media" / "runs").rglob("*.webp")}
        assert kept == {"2"}
