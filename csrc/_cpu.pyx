# cython: autotestdict=False, language_level=3
"""Which paths of the kernels this processor can run: the compiled side of `karyofast.kernels.dispatch.cpu_paths`."""


cdef extern from "cpu.h":
    int kf_path_there(int path) nogil


def path_there(int path):
    """Whether the path of that number (csrc/cpu.h) can run here."""
    return bool(kf_path_there(path))
