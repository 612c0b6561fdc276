"""Ask what is inside a trained model; which question, conf/probe/ has a file for each.

python -m tracelab.probe states run=runs/...
"""

from __future__ import annotations

from tracelab.core.settings import Count, Part, Places, settings
from tracelab.runs.entry import entry
from tracelab.runs.settings import OnDevices


@settings
class Probing:
    """The knobs of this command: conf/probe.yaml says what each is."""

    probe: Part
    run: Places
    trainer: OnDevices = OnDevices()
    threads: Count | None = None

    @property
    def problems(self) -> int | None:
        """Test problems that the probe is given, if any."""
        return self.probe.get("problems")


@entry("probe", Probing)
def main(asked: Probing) -> None:
    """Ask each run, and write what is found into its folder."""
    from tracelab.probes.base import Probe
    from tracelab.runs.build import build
    from tracelab.runs.tables import print_rows
    from tracelab.training.asking import each

    probe: Probe = build("probe", asked.probe)
    for run, path in each(asked, probe.file, probe):
        print_rows(run.name, *probe.shown(path), path)


if __name__ == "__main__":
    main()
