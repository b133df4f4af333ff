import houses
import keras
import pytest

from pytest_navigator import NavConfig, OnnxConfig, TensorFlowSavedModelConfig

nav_config = NavConfig(
    formats=[TensorFlowSavedModelConfig(jit_compile=(None, True)), OnnxConfig(opset=17)],
    require=["onnx"],
)


@pytest.fixture(scope="session")
def nav_model() -> keras.Model:
    return houses.model()


@pytest.fixture(scope="session")
def nav_dataloader():
    return [houses.batch(size, pixels) for size, pixels in ((1, 32), (4, 48), (8, 64))]
