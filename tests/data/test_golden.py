"""Small data sets are, byte for byte, what they were in earlier versions."""

import json
import os
import subprocess
import sys

from tests.helpers import golden
from tracelab.core.paths import CLONE


def test_the_bytes_are_what_they_were():
    code = "from tests.helpers import golden; golden.main()"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(CLONE), str(CLONE / "src")])}
    done = subprocess.run(
        [sys.executable, "-c", code, "--print"], env=environment, cwd=CLONE, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-3000:]
    found, recorded = json.loads(done.stdout), json.loads(golden.RECORD.read_text())
    assert [words for words in recorded if found[words] != recorded[words]] == []
    assert tuple(recorded) == golden.SETTINGS
    assert len(set(recorded.values())) == len(recorded)
