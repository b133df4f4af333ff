"""What follows from one cause is one line of pytest's own summary."""

from __future__ import annotations

from typing import TYPE_CHECKING

from turned import edit

if TYPE_CHECKING:
    import pytest
    from blackbox import Nav
    from turned import Write


def test_all_that_depends_on_a_failed_export_is_one_line(turned: Write, nav: Nav, pytester: pytest.Pytester) -> None:
    """However far away it is: a comparison needs a conversion, which needs the export."""
    turned()
    edit(
        pytester.path / "conftest.py", "[TurnedConfig()]", "[FakeConfig(mode='raise', where='export'), TurnedConfig()]"
    )

    result = nav("-rs", "--nav-in-process", formats="")

    result.assert_outcomes(failed=1, skipped=3, passed=2)
    (line,) = [line for line in result.outlines if line.startswith("SKIPPED")]
    assert line.startswith("SKIPPED [3] conftest.py:")
    assert line.count("export.fake failed: ") == 1
