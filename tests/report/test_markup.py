"""Numbers as the report writes them."""

import pytest

from tracelab.report.markup import number, p_value, points, share

NAN = float("nan")


@pytest.mark.parametrize(
    ("written", "known", "wanted"),
    [
        (share, (0.5, 0.25, 0.75), "50.0 <small>[25.0, 75.0]</small>"),
        (share, (0.5, None, None), "50.0"),
        (share, (None, None, None), "–"),
        (points, (0.1, -1.7, 2.0), "+10.0 <small>[-100.0, +100.0]</small>"),
        (points, (0.1, NAN, NAN), "+10.0"),
        (points, (NAN, NAN, NAN), "–"),
        (number, (1.234, 1.0, 2.0), "1.23 <small>[1.00, 2.00]</small>"),
        (number, (1.234, None, 2.0), "1.23"),
    ],
)
def test_an_estimate_has_its_interval_where_that_is_known(written, known, wanted):
    assert written(*known) == wanted


def test_p_values():
    assert [p_value(p) for p in (0.25, 0.04, 1e-5, NAN)] == ["0.25", "0.040", "< 0.001", "–"]
