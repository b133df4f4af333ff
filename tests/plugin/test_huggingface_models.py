"""`--nav-model=hf:PATH`: a folder that `save_pretrained` wrote is all that a run needs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from blackbox import words

if TYPE_CHECKING:
    from blackbox import Nav

transformers = pytest.importorskip("transformers")
SIZES: dict[str, Any] = {"vocab_size": 64, "bos_token_id": 1, "eos_token_id": 1}
GPT2 = transformers.GPT2Config(**SIZES, n_positions=32, n_embd=8, n_layer=1, n_head=2)
BERT = transformers.BertConfig(
    vocab_size=64, hidden_size=8, intermediate_size=8, num_hidden_layers=1, num_attention_heads=2
)


@pytest.fixture
def saved(pytester: pytest.Pytester) -> pytest.Pytester:
    """A folder with an encoder and a decoder."""
    transformers.BertModel(BERT).save_pretrained("bert")
    transformers.GPT2LMHeadModel(GPT2).save_pretrained("models/gpt2")
    return pytester


@pytest.mark.slow
def test_an_encoder_and_a_decoder_are_checked_by_their_folders(saved: pytest.Pytester, nav: Nav) -> None:
    models = ("--nav-model=hf:bert", "--nav-model=hf:models/gpt2")
    # Measured too: a cache that grew from call to call would soon be longer than there are positions.
    result = nav("-v", *models, "--nav-package={model}.nav", "--nav-profile-seconds=0.1", profile=True)
    assert result.ret == 0
    assert words(result)["test_correctness[torchscript-trace-cpu]"] == "PASSED"
    ran = [line for line in result.outlines if "test_decoding[" in line]
    assert len(ran) == 2
    assert all(line.startswith("models/gpt2/config.json::") for line in ran)
    assert {path.name for path in saved.path.glob("*.nav")} == {"bert.nav", "gpt2.nav"}


COMPILED = "test_correctness[torch-compile-cpu]"


@pytest.mark.parametrize(
    ("model", "arguments", "checked"),
    [
        ("bert", (), True),
        ("models/gpt2", (), False),
        ("models/gpt2", ("--nav-runtimes=cpu,compile-cpu",), True),
        ("models/gpt2", ("--nav-runtimes=TorchCompileCPU",), True),
        ("models/gpt2", ("--nav-require=torch-compile-cpu",), True),
        ("models/gpt2", (f"models/gpt2/config.json::nav_model::{COMPILED}",), True),
    ],
)
def test_torch_compile_of_a_decoder_is_checked_where_it_is_named(
    saved: pytest.Pytester, model: str, arguments: tuple[str, ...], checked: bool
) -> None:
    own = ("--collect-only", "-q", f"--nav-model=hf:{model}", "-p", "no:randomly")
    result = saved.runpytest_inprocess(*own, *arguments)
    assert result.ret == 0
    assert any(line.endswith(COMPILED) for line in result.outlines) == checked


def test_samples_of_one_s_own_win_and_are_no_generation(saved: pytest.Pytester, nav: Nav) -> None:
    saved.makeconftest(
        "import pytest, torch\n\n@pytest.fixture(scope='session')\ndef nav_dataloader():\n"
        "    return [{'input_ids': torch.ones(rows, 4, dtype=torch.int64)} for rows in (1, 2)]\n"
    )
    result = nav("-v", "--nav-model=hf:models/gpt2", "-k", "source or decoding")
    assert words(result) == {"test_source": "PASSED"}


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("hf:no-such/model", "there is no folder */no-such/model, and the hub cannot be reached; where there is a *"),
        ("hf:.", "the folder * has no config.json: name one that model.save_pretrained(folder) wrote"),
        ("hf:odd", "the configuration */odd/config.json cannot be read: *"),
    ],
)
def test_what_is_no_model_is_a_usage_error(
    pytester: pytest.Pytester, nav: Nav, monkeypatch: pytest.MonkeyPatch, spec: str, message: str
) -> None:
    import huggingface_hub

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    (pytester.mkdir("odd") / "config.json").write_text("{", encoding="utf-8")
    result = nav(f"--nav-model={spec}")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: --nav-model={spec}: {message}"])
    assert "Traceback" not in result.stderr.str()


def test_weights_that_are_gone_fail_the_source(saved: pytest.Pytester, nav: Nav) -> None:
    (saved.path / "bert" / "model.safetensors").unlink()
    result = nav("-v", "--nav-model=hf:bert")
    assert words(result)["test_source"] == "FAILED"
    result.stdout.fnmatch_lines(["*--nav-model=hf:bert: the model in */bert cannot be loaded: *"])
