from __future__ import annotations

import pytest

from pytest_navigator.core.privacy import public_url, redact, scrubbed, scrubber
from pytest_navigator.errors import ConfigError


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


PEM = "-----BEGIN RSA PRIVATE KEY-----\nMIIEpAIBAAKCAQEA7bq9\nabcdefghijklmnop1234\n-----END RSA PRIVATE KEY-----"

NAMED = {
    "GH_PAT": "zq81",
    "MYSQL_PWD": "s3cr3t!",
    "AUTH_HEADER": "Zm9vOmJhcg==",
    "SLACK_WEBHOOK": "T00/B00/abcdef",
    "SESSION_COOKIE": "id=8f3k2; Path=/",
    "OPENAI_KEY": "open-sesame",
    "DEPLOY_KEY": PEM,
    "db_passphrase": "a b c d",
    "X_API_KEY_2": "qwx9",
    "SOME_THING": "f3Kq9ZbX7LmP2vRt8WnY4cDg",
}


@pytest.mark.parametrize("name", NAMED)
@pytest.mark.parametrize("text", ["{}", "said: {} and no more", "('{}',)", "x={}\ny"])
def test_a_value_of_the_environment_goes_whatever_prints_it(
    monkeypatch: pytest.MonkeyPatch, name: str, text: str
) -> None:
    monkeypatch.setenv(name, NAMED[name])

    public = scrubber()(text.format(NAMED[name]))

    assert NAMED[name] not in public
    assert not any(line in public for line in NAMED[name].splitlines() if len(line) > 16)
    assert "***" in public


def test_a_key_over_several_lines_goes_line_by_line_and_in_a_literal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEPLOY_KEY", PEM)

    for text in ("\n".join(f"INFO {line}" for line in PEM.splitlines()), repr(PEM), PEM.replace("\n", "\r\n")):
        assert "MIIEpAIBAAKCAQEA7bq9" not in scrubber()(text)


@pytest.mark.parametrize(
    "secret",
    [
        "sk-live-1a2b3c",
        "sk_test_1a2b3c4d",
        "ghp_16C7e42F292c6912E7",
        "github_pat_11ABCDEFG0123456789",
        "glpat-abcdefghij0123456789",
        "xoxb-12345-67890-abcdef",
        "AKIAIOSFODNN7EXAMPLE",
        "hf_abcdefghijklmnopqrst",
        "AIzaSyA1234567890abcdefghijklmnop",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.abc-def",
        "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEA\n-----END OPENSSH PRIVATE KEY-----",
        "-----BEGIN PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEA and what was cut",
        "https://hooks.slack.com/services/T000/B000/XXXX",
    ],
)
def test_a_well_known_form_goes_without_any_variable(secret: str) -> None:
    data = {"key": secret, "list": [f"found {secret}!"]}

    found = str(scrubbed(data, scrubber()))

    assert secret.removeprefix("https://") not in found
    assert "b3BlbnNzaC1rZXktdjEA" not in found
    assert "***" in found


@pytest.mark.parametrize(
    ("text", "public"),
    [
        ("Authorization: Bearer abc.def-123", "Authorization: Bearer ***"),
        ("authorization=Basic Zm9vOmJhcg==", "authorization=Basic ***"),
        ("{'password': 'x1'}", "{'password': '***'}"),
        ("api-key: k1", "api-key: ***"),
        ("https://example.org/x?token=abc&a=1", "https://example.org/x?token=***&a=1"),
        ("GH_PAT=x DEBUG=1", "GH_PAT=*** DEBUG=1"),
        ("environ({'MYSQL_PWD': 'pw', 'A': 'b'})", "environ({'MYSQL_PWD': '***', 'A': 'b'})"),
    ],
)
def test_what_stands_after_the_name_of_a_secret_goes(text: str, public: str) -> None:
    assert scrubber()(text) == public


@pytest.mark.parametrize(
    "text",
    [
        "max_tokens=128, eos_token_id: 2, keys: 4",
        "key torch.nn.Linear; attention_key.weight (8, 8)",
        "PATH=/usr/bin KEYBOARD=us AUTHOR=x TOKENIZERS_PARALLELISM=false",
        "sha256 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "distilbert-base-uncased-finetuned-sst-2-english",
        "class CookieCutter: pass",
    ],
)
def test_what_only_looks_like_a_secret_stays(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("MODEL", "distilbert-base-uncased-finetuned-sst-2-english")
    monkeypatch.setenv("GITHUB_SHA", "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08")
    monkeypatch.setenv("HF_TOKEN", "true")
    monkeypatch.setenv("PWD", "/usr/bin")

    assert scrubber()(f"{text} true /usr/bin") == f"{text} true /usr/bin"


def test_the_name_of_the_user_goes_as_a_word_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("USER", "janedoe")

    assert scrubber()("by janedoe on /data/janedoe/x, janedoes") == "by user on /data/user/x, janedoes"


@pytest.mark.parametrize("name", ["root", "runner", "torch", "x"])
def test_a_name_that_is_nobodys_stays(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    for variable in ("USER", "LOGNAME", "USERNAME", "SUDO_USER"):
        monkeypatch.setenv(variable, name)

    assert scrubber()(f"{name} is at {name}") == f"{name} is at {name}"


def test_what_is_asked_for_goes_too(monkeypatch: pytest.MonkeyPatch) -> None:
    before = redact([r"project-\w+", "customer"])
    monkeypatch.setenv("NAV_REDACT", "site \\d+\n")
    try:
        assert scrubber()("project-x of a customer at site 12") == "*** of a *** at ***"
    finally:
        redact(before)
    assert scrubber()("project-x") == "project-x"


@pytest.mark.parametrize("pattern", ["(", "a*", ""])
def test_a_pattern_that_is_none_is_named(pattern: str) -> None:
    with pytest.raises(ConfigError, match=r"--nav-redact=.*: (no regular expression|it matches nothing at all)"):
        redact([pattern])


KEY = "private_key access_key secret_key api_key apikey api-key ACCESS-KEY client_secret ClientSecret access_token"
MORE = (
    "auth-token refreshToken password passwd passphrase proxy-authorization authorization set-cookie Cookie db_password"
)


@pytest.mark.parametrize(
    "token",
    [
        *(f"gh{kind}_0123456789" for kind in "pousr"),
        *(f"gl{kind}-0123456789" for kind in ("pat", "ptt", "dt", "rt", "cbt")),
        *(f"{k}k-{kind}-abc" for k in "srp" for kind in ("live", "test", "proj", "ant", "or", "svcacct", "admin")),
        *(f"{kind}ABCDEFGH0123" for kind in ("AKIA", "ASIA", "AGPA", "AROA", "ABIA", "ACCA")),
        *("github_pat_0123456789", "sk_live_abc", "sk-0123456789abcdef", "whsec_01234567", "rk_live_01234567"),
        *("xoxb-012345", "xapp-01234567", "hooks.slack.com/services/T0", "hooks.slack.com/workflows/T0"),
        *("discord.com/api/webhooks/1", "discordapp.com/api/webhooks/1", "webhook.office.com/x"),
        *("AIza0123456789abcdefghij", "ya29.0123456789", "GOCSPX-0123456789", "hf_0123456789"),
        *("npm_0123456789abcdefghij", "pypi-0123456789abcdef", "dop_v1_0123456789abcdef0123"),
        *("SG.0123456789.0123456789", f"key-{'0a' * 16}", "nvapi-0123456789abcdef", "dckr_pat_0123456789"),
        *("eyJ01234567.01234567.x", "-----BEGIN EC PRIVATE KEY-----\nx\n-----END EC PRIVATE KEY-----"),
    ],
)
@pytest.mark.parametrize("around", ["a {} b", "ä {} b"], ids=["ascii", "unicode"])
def test_every_form_of_a_token_is_found(token: str, around: str) -> None:
    assert scrubber()(around.format(token)) == around.format("***")


@pytest.mark.parametrize("name", [*KEY.split(), *MORE.split()])
def test_what_a_word_says_is_a_secret_goes_in_small_and_large_letters(name: str) -> None:
    for said in (name, name.upper()):
        assert scrubber()(f"{said}: {'x' * 9}") == f"{said}: ***"
    for word in ("Bearer", "basic", "DIGEST"):
        assert scrubber()(f"{word} {'x' * 9}") == f"{word} ***"
