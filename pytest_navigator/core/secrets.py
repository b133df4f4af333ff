"""What looks like a secret: by the name of its variable, by its form, or by chance of its letters (pure)."""

from __future__ import annotations

import math
import re
from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from pytest_navigator.core.own_words import is_own

if TYPE_CHECKING:
    from collections.abc import Mapping

# The part of a variable's name that says that its value is one.
NAME = re.compile(
    r"(?i)(?:^|[_-])(?:\w*TOKENS?|\w*SECRETS?|\w*PASSW\w*|\w*PASSPHRASE|PASS|\w*PWD|PAT|KEY|\w*APIKEY|\w*AUTH|COOKIES?|"
    r"\w*CREDENTIALS?|CREDS?|\w*WEBHOOK\w*|DSN|BEARER|JWT|SIGNATURE|CONNECTION_?STRING|CONN_?STR|AUTHORIZATION)(?=$|[_\d-])"
)

# Names that only look like that: of a folder, of a socket.
NO_NAME = re.compile(r"(?i)^(?:OLD)?PWD$|^SSH_AUTH_SOCK$|^XAUTHORITY$|(?:_|^)KEY_?BINDINGS?$|^GPG_KEY$")

SURE = 8  # A value of so many characters is found inside of words too
SHORTEST = 4  # A shorter one is found nowhere: it appears by chance

# Values that nobody can mean, as short as they are.
WORDS = frozenset(
    ("true", "false", "none", "null", "test", "user", "root", "main", "default", "auto", "basic", "bearer", "token")
)

# Variables whose random value is no secret: of a commit, of an image.
NO_CHANCE = re.compile(r"(?i)SHA|COMMIT|REVISION|DIGEST|CHECKSUM|VERSION|(?:^|_)(?:REF|PATH|TAG|IMAGE)(?:$|_)")

# What a value that nobody could remember looks like, and the bits of each of its letters.
RANDOM = re.compile(r"[A-Za-z0-9_+=.~-]{20,}")
ENTROPY = 3.5

OPAQUE = "***"


class Form(NamedTuple):
    """What finds something, and texts in small letters of which all that it finds has one.

    Most texts have none of them. To look for a text takes a hundredth of the time that an expression does, and these
    were half of what it takes to write a package.
    """

    pattern: re.Pattern[str]
    needs: tuple[str, ...]

    def sub(self, replacement: str, text: str) -> str:
        """Return a text with what is found replaced."""
        # Beyond ASCII, expressions take more letters for one than `lower` does.
        if text.isascii() and not any(map(text.lower().__contains__, self.needs)):
            return text
        return self.pattern.sub(replacement, text)


def _joined(*words: str) -> tuple[str, ...]:
    return tuple(sign.join(word.split()) for word in words for sign in ("", "-", "_"))


# Well-known tokens, and private keys.
FORMS = (
    Form(
        re.compile(r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----.*?(?:-----END [A-Z0-9 ]*PRIVATE KEY-----|\Z)", re.DOTALL),
        ("-----begin ",),
    ),
    Form(
        re.compile(r"\b(?:gh[pousr]_[A-Za-z0-9]{10,}|github_pat_\w{10,}|gl(?:pat|ptt|dt|rt|cbt)-[\w-]{10,})"),
        ("ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_", "glpat-", "glptt-", "gldt-", "glrt-", "glcbt-"),
    ),
    Form(
        re.compile(r"\b[srp]k[-_](?:live|test|proj|ant|or|svcacct|admin)[-_][\w-]{3,}"),
        _joined("k live", "k test", "k proj", "k ant", "k or", "k svcacct", "k admin"),
    ),
    Form(
        re.compile(r"\b(?:sk-[A-Za-z0-9_-]{16,}|whsec_[\w-]{8,}|rk_[a-z]+_\w{8,})"),
        ("sk-", "whsec_", "rk_"),
    ),
    Form(
        re.compile(r"\b(?:AKIA|ASIA|AGPA|AROA|ABIA|ACCA)[A-Z0-9]{12,}\b"),
        ("akia", "asia", "agpa", "aroa", "abia", "acca"),
    ),
    Form(
        re.compile(r"\bxox[a-z]-[\w-]{6,}|\bxapp-[\w-]{8,}|hooks\.slack\.com/(?:services|workflows)/[^\s'\"]+"),
        ("xox", "xapp-", "hooks.slack.com/"),
    ),
    Form(
        re.compile(r"\bdiscord(?:app)?\.com/api/webhooks/[^\s'\"]+|\bwebhook\.office\.com/[^\s'\"]+"),
        ("/api/webhooks/", "webhook.office.com/"),
    ),
    Form(
        re.compile(r"\bAIza[\w-]{20,}|\bya29\.[\w.-]{10,}|\bGOCSPX-[\w-]{10,}"),
        ("aiza", "ya29.", "gocspx-"),
    ),
    Form(
        re.compile(r"\bhf_[A-Za-z0-9]{10,}|\bnpm_[A-Za-z0-9]{20,}|\bpypi-[\w-]{16,}|\bdop_v1_[a-f0-9]{20,}"),
        ("hf_", "npm_", "pypi-", "dop_v1_"),
    ),
    Form(
        re.compile(r"\bSG\.[\w-]{10,}\.[\w-]{10,}|\bkey-[0-9a-f]{32}\b|\bnvapi-[\w-]{16,}|\bdckr_pat_[\w-]{10,}"),
        ("sg.", "key-", "nvapi-", "dckr_pat_"),
    ),
    # At the start of a word with hyphens alone: of the many that one word may hold, each would be followed to its end.
    Form(re.compile(r"(?<![\w-])eyJ[\w-]{8,}\.[\w-]{8,}(?:\.[\w-]*)?"), ("eyj",)),
)

# What stands after a word that says what it is; the word stays.
SAID = (
    Form(re.compile(r"(?i)(\b(?:bearer|basic|digest)\s+)[\w.~+/=-]{8,}"), ("bearer", "basic", "digest")),
    Form(
        re.compile(
            r"(?i)(\b(?:[\w-]{0,16}passw(?:or)?d|passwd|passphrase|client[_-]?secret|api[_-]?key|access[_-]?key|secret[_-]?key|"
            r"private[_-]?key|access[_-]?token|auth[_-]?token|refresh[_-]?token|proxy-authorization|authorization|set-cookie|cookie)"
            r"\b[\"']?\s*[:=]\s*(?:(?:bearer|basic)\s+)?[\"']?)[^\s\"',;&]+"
        ),
        (
            *("passw", "passphrase", "authorization", "cookie"),
            *_joined("client secret", "api key", "access key", "secret key", "private key"),
            *_joined("access token", "auth token", "refresh token"),
        ),
    ),
    Form(
        re.compile(
            r"(?i)([?&](?:token|key|sig|signature|code|secret|access_token|api_key|password|pwd|auth)=)[^&\s'\"]+"
        ),
        ("=",),
    ),
)

# A variable with its value, as a shell or a dump of the environment prints it.
VARIABLE = re.compile(r"\b([A-Z][A-Z0-9_]{2,80})([\"']?\s*[:=]\s*[\"']?)([^\s\"',;]+)")


def secret_name(name: str) -> bool:
    """Whether a variable of this name holds a secret."""
    return NAME.search(name) is not None and NO_NAME.search(name) is None


def secrets(variables: Mapping[str, str]) -> set[str]:
    """Return the values of an environment that are secrets, each line of several too."""
    named = {value for name, value in variables.items() if secret_name(name)}
    chance = {value for name, value in variables.items() if not NO_CHANCE.search(name) and _random(value)}
    lines = {line.strip() for value in named for line in value.splitlines() if "\n" in value and len(line) >= 2 * SURE}
    found = {value.strip() for value in named | chance} | lines
    return {v for v in found if len(v) >= SHORTEST and v.lower() not in WORDS and not is_own(v)}


def pattern(values: set[str]) -> re.Pattern[str] | None:
    """Return what finds these values, the longest first; short ones as whole words only."""
    ordered = sorted(values, key=lambda value: (-len(value), value))
    parts = [re.escape(v) if len(v) >= SURE else rf"(?<![\w.-]){re.escape(v)}(?![\w-])" for v in ordered]
    escaped = [re.escape(v.encode("unicode_escape").decode("ascii")) for v in ordered if "\n" in v]
    return re.compile("|".join([*escaped, *parts])) if parts else None


def hidden(text: str) -> str:
    """Return a text without what has the form of a secret, or is said to be one."""
    for form in FORMS:
        text = form.sub(OPAQUE, text)
    for said in SAID:
        text = said.sub(rf"\1{OPAQUE}", text)
    return VARIABLE.sub(_variable, text)


def _variable(found: re.Match[str]) -> str:
    return f"{found[1]}{found[2]}{OPAQUE}" if secret_name(found[1]) else found[0]


def _random(value: str) -> bool:
    words = re.search(r"[a-z]{8}|[A-Z]{8}", value)  # which are the name of something
    digits = sum(letter.isdigit() for letter in value)
    return bool(RANDOM.fullmatch(value)) and not words and 3 <= digits < len(value) and _entropy(value) >= ENTROPY


def _entropy(value: str) -> float:
    shares = (count / len(value) for count in Counter(value).values())
    return -sum(share * math.log2(share) for share in shares)
