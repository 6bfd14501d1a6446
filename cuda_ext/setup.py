"""pose_regressor_cuda: the projection loss in C++, and in CUDA where torch and nvcc both know it; PnP in C++."""

import sys
import sysconfig
from pathlib import Path

from setuptools import setup

# pip builds in an environment of its own. The extension must be compiled against the torch it will be loaded by, not
# against another copy downloaded for the build, so the one of the surrounding environment is looked for.
sys.path.append(sysconfig.get_path("purelib"))
try:
    from torch.utils import cpp_extension
except ImportError as error:
    sys.exit(
        f"error: pose_regressor_cuda is built against an installed torch, and none was found ({error}); "
        "if there is one elsewhere than beside pip: pip install --no-build-isolation ./cuda_ext"
    )

ROOT = Path(__file__).resolve().parent
# No fused multiply-adds: every backend must round alike, or points land in different pixels.
CXX = ["-O3", "-g0", "-ffp-contract=off", "-fno-trapping-math", "-fopenmp"]
NVCC = ["-O3", "--fmad=false"]


def extension():
    sources = ["op.cpp", "op_cpu.cpp", "pnp_op.cpp"]
    flags = {"cxx": list(CXX), "nvcc": NVCC}
    kind = cpp_extension.CppExtension
    if cpp_extension.CUDA_HOME and cpp_extension.torch.version.cuda:
        sources += ["op_cuda.cpp", "op.cu"]
        kind = cpp_extension.CUDAExtension
    return kind(
        "pose_regressor_cuda._C",
        [f"csrc/{name}" for name in sources],
        depends=[f"csrc/{path.name}" for path in (ROOT / "csrc").glob("*.h")],
        extra_compile_args=flags,
        extra_link_args=["-fopenmp"],
    )


setup(
    name="pose_regressor_cuda",
    version="0.2.0",
    description="The projection loss and PnP of pose_regressor as compiled torch operators",
    license="Apache-2.0",
    python_requires=">=3.10",
    install_requires=["torch>=2.4"],
    packages=["pose_regressor_cuda"],
    ext_modules=[extension()],
    cmdclass={"build_ext": cpp_extension.BuildExtension},
    zip_safe=False,
)
