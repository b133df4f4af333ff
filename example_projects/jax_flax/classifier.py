"""A text classifier in flax.linen, with the masked mean over a sequence of any length."""

import jax
import jax.numpy as jnp
from flax import linen


class Classifier(linen.Module):
    vocabulary: int = 1000
    width: int = 64
    classes: int = 4

    @linen.compact
    def __call__(self, input_ids: jax.Array, attention_mask: jax.Array) -> dict[str, jax.Array]:
        hidden = linen.Embed(self.vocabulary, self.width)(input_ids)
        hidden = hidden + linen.Dense(self.width)(linen.gelu(linen.Dense(4 * self.width)(linen.LayerNorm()(hidden))))
        mask = attention_mask[..., None]
        mean = (hidden * mask).sum(axis=1) / mask.sum(axis=1)
        return {"logits": linen.Dense(self.classes)(mean), "embedding": mean}


def build() -> tuple[Classifier, dict]:
    """Return the module and its variables; load your own here, with orbax for example."""
    module = Classifier()
    return module, module.init(jax.random.key(0), jnp.zeros((1, 8), jnp.int32), jnp.ones((1, 8)))
