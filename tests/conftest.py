"""Set-up of JAX for all tests: float64, and compiled programs kept between runs."""

import gc
import os
from importlib.metadata import version
from pathlib import Path


# In the environment, so that the processes that tests start share the cache. It keeps
# every program: compiling takes most of the time of the suite, running very little.
CACHE = Path(__file__).resolve().parents[1] / ".cache" / "jax"
os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(CACHE))
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES", "-1")
os.environ.setdefault("MPLBACKEND", "Agg")
# Workers share the cores: threads of the linear algebra would wait for each other.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
# Compiling takes most of the time of the suite: without fusion emitters and the costly
# passes of LLVM it takes half of it. An XLA that lacks a flag ends the process.
if version("jaxlib").startswith("0.10."):
    os.environ.setdefault(
        "XLA_FLAGS",
        "--xla_cpu_use_fusion_emitters=false --xla_backend_optimization_level=0"
        " --xla_llvm_disable_expensive_passes=true"
        " --xla_cpu_parallel_codegen_split_count=1",
    )
# Lowering writes the Python stack beside every operation, for profilers only.
os.environ.setdefault("JAX_TRACEBACK_IN_LOCATIONS_LIMIT", "0")
# Batched factorizations of jaxlib 0.10 can wait for each other in a small pool.
os.environ.setdefault("NPROC", "16")

import jax  # after the environment that it reads when imported


# Not in the environment: a process that a test starts decides on its own precision.
jax.config.update("jax_enable_x64", True)
# Devices that share the cores, for tests of what is spread over several; the others use
# the first.
jax.config.update("jax_num_cpu_devices", 4)


# Tracing makes many small objects that live; looking through them costs a tenth of it.
gc.set_threshold(200_000, 50, 100)

# Every compiled program holds a few maps of memory, and Linux gives a process 65530.
# A slow test may compile programs of some 5,000 maps, a module of fast ones of 10,000.
MANY_MAPS = 45_000


def pytest_runtest_teardown(item, nextitem):
    """Drop the programs of earlier tests before there are too many."""
    ends = nextitem is None or nextitem.path != item.path
    if not ends and item.get_closest_marker("slow") is None:
        return
    maps = Path("/proc/self/maps")
    if maps.exists() and maps.read_bytes().count(b"\n") > MANY_MAPS:
        jax.clear_caches()
        gc.collect()
