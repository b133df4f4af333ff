import houses
import numpy as np


def verify_batches_of_any_size(nav_runner):
    photos, facts = houses.batch(5, 40)
    outputs = nav_runner([photos, facts])
    assert outputs["price"].shape == outputs["sells"].shape == (5, 1)
    assert np.all(outputs["price"] > 0)
