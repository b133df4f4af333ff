import classifier
import jax
import numpy as np
import pytest


@pytest.fixture(scope="session")
def nav_model():
    return classifier.build()


@pytest.fixture(scope="session")
def nav_dataloader():
    def batch(size: int, length: int) -> dict[str, np.ndarray]:
        input_ids = np.random.randint(0, 1000, (size, length), dtype=np.int32)
        return {"input_ids": input_ids, "attention_mask": np.ones((size, length), np.float32)}

    return [batch(1, 8), batch(4, 32), batch(8, 16)]


def verify_the_same_class_wins(nav_runner, nav_source_runner):
    input_ids = jax.random.randint(jax.random.key(1), (5, 20), 0, 1000)
    sample = {"input_ids": input_ids, "attention_mask": jax.numpy.ones((5, 20))}
    assert (nav_runner(**sample)["logits"].argmax(-1) == nav_source_runner(**sample)["logits"].argmax(-1)).all()
