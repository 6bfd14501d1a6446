"""The ray tracer: Warp kernels that render `Scenes`, on the CPU and on CUDA."""
