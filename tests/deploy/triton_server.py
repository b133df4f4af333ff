"""Triton's own server on a model repository: the one in PyTriton's wheel, which has its Python backend.

What its containers have in C++ are two scripts here, which the server takes for the backends of these names, so that a
repository is loaded as it was written.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tests.deploy.asking import Client, free_ports, ready, waited

if TYPE_CHECKING:
    from collections.abc import Iterator

BACKENDS = Path(__file__).parent / "triton_backends"
PLACES = "import sysconfig; print(sysconfig.get_path('purelib'), sysconfig.get_config_var('LIBDIR'), sep='\\n')"


def places(python: Path) -> tuple[Path, Path]:
    """Return the folders of an interpreter's packages and of its own library."""
    packages, library = subprocess.check_output([python, "-c", PLACES], text=True).splitlines()
    return Path(packages), Path(library)


@contextmanager
def tritonserver(python: Path, repository: Path, folder: Path, *, verbose: bool = False) -> Iterator[Client]:
    """Serve a repository until the block ends; models that cannot be loaded are left out.

    Args:
        python: the interpreter beside which Triton is installed; models run in the interpreter of the tests.
        repository: is read only.
        folder: an empty one, for the backends, the arrays of requests and server.log.
        verbose: whether the log has what the server does with each request.
    """
    packages, _ = places(python)
    http, grpc, metrics = free_ports(3)
    command = [
        packages / "pytriton" / "tritonserver" / "bin" / "tritonserver",
        f"--model-repository={repository}",
        f"--backend-directory={_backends(packages, folder / 'backends')}",
        f"--log-verbose={int(verbose)}",
        *("--exit-on-error=false", "--strict-readiness=false", "--exit-timeout-secs=5"),
        *("--http-address=127.0.0.1", f"--http-port={http}"),
        *("--grpc-address=127.0.0.1", f"--grpc-port={grpc}"),
        *("--metrics-address=127.0.0.1", f"--metrics-port={metrics}"),
    ]
    log = folder / "server.log"
    with log.open("w") as stream:
        process = subprocess.Popen(command, env=_environment(packages), stdout=stream, stderr=stream, text=True)
    try:
        waited(lambda: ready(http), process, log)
        with Client(python, folder, f"127.0.0.1:{http}", f"127.0.0.1:{grpc}") as client:
            yield client
    finally:
        process.terminate()
        process.wait(60)


def _backends(packages: Path, folder: Path) -> Path:
    """Make the server's folder of backends."""
    installed = packages / "pytriton" / "tritonserver"
    stub = f"python_backend_stubs/{sys.version_info.major}.{sys.version_info.minor}/triton_python_backend_stub"
    shutil.copytree(installed / "backends" / "python", folder / "python")
    shutil.copy(installed / stub, folder / "python")
    (folder / "python" / Path(stub).name).chmod(0o755)
    for script in BACKENDS.glob("*/model.py"):
        (folder / script.parent.name).mkdir()
        shutil.copy(script, folder / script.parent.name)
    return folder


def _environment(packages: Path) -> dict[str, str]:
    """Return what makes models run in this interpreter: its scripts first on the path, and its library."""
    libraries = (sysconfig.get_config_var("LIBDIR"), packages / "nvidia_pytriton.libs")
    return os.environ | {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "LD_LIBRARY_PATH": os.pathsep.join(map(str, libraries)),
    }
