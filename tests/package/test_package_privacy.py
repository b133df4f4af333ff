from __future__ import annotations

import pytest

from pytest_navigator.package.privacy import public_url
from pytest_navigator.package.privacy import scrubbed
from pytest_navigator.package.privacy import scrubber


@pytest.fixture(autouse=True)
def surroundings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/srv/people/jane")
    monkeypatch.setenv("DEPLOY_PASSWORD", "correct horse")
    monkeypatch.setenv("CI_TOKEN", "ci")
    monkeypatch.setenv("NAV_DEBUG", "a value of no secret")


@pytest.mark.parametrize(
    ("text", "public"),
    [
        ('File "/srv/people/jane/repo/model.py"', 'File "~/repo/model.py"'),
        ("/srv/people/jane", "~"),
        ("/srv/people/jane2/x", "/srv/people/jane2/x"),
        ("/home/joe/x and /Users/joe/y", "~/x and ~/y"),
        ("C:\\Users\\joe\\x", "~\\x"),
        ("/tmp/pytest-of-joe/pytest-0", "/tmp/pytest-of-user/pytest-0"),
        ("pip install https://joe:pw@example.org/simple", "pip install https://example.org/simple"),
        ("git+ssh://git@example.org/x.git", "git+ssh://example.org/x.git"),
        ("password 'correct horse'", "password '***'"),
        # Too short to be told from a word.
        ("ci.py", "ci.py"),
        ("a value of no secret", "a value of no secret"),
        ("model/home/fc.weight at 10:30", "model/home/fc.weight at 10:30"),
        ("logits: max abs 3.1e-3 (sample 4, [2,17])", "logits: max abs 3.1e-3 (sample 4, [2,17])"),
    ],
)
def test_what_is_private_goes_and_the_rest_stays(text: str, public: str) -> None:
    assert scrubber()(text) == public


def test_plain_data_is_scrubbed_at_every_depth() -> None:
    data = {"/home/joe": [("/home/joe", 1.5), {"a": None, "b": True}]}

    assert scrubbed(data, scrubber()) == {"~": [["~", 1.5], {"a": None, "b": True}]}


def test_a_home_at_the_root_does_not_eat_the_text(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/")

    assert scrubber()("/usr/lib/x / y") == "/usr/lib/x / y"


@pytest.mark.parametrize(
    ("url", "public"),
    [
        ("https://joe:pw@example.org:8443/x.git?access_token=1#f", "https://example.org:8443/x.git"),
        ("https://ghp_token@example.org/x", "https://example.org/x"),
        ("git@example.org:team/x.git", "example.org:team/x.git"),
        ("ssh://git@example.org/x", "ssh://example.org/x"),
        ("../bare.git", "../bare.git"),
    ],
)
def test_the_address_of_a_remote_has_no_user(url: str, public: str) -> None:
    assert public_url(url) == public
