import pytest
import torch
from task import batch


@pytest.fixture(scope="module")
def held_out():
    generator_state = torch.random.get_rng_state()
    torch.manual_seed(1)
    yield batch(256, longest=16)
    torch.random.set_rng_state(generator_state)


def accuracy(model, inputs, answers) -> float:
    return (model(**inputs).argmax(dim=1) == answers).float().mean().item()


def verify_accuracy(nav_runner, nav_source_runner, held_out):
    inputs, answers = held_out
    measured = accuracy(nav_runner, inputs, answers)
    assert measured >= 0.9
    assert measured == pytest.approx(accuracy(nav_source_runner, inputs, answers), abs=0.01)
