"""The multi-task network, its configuration, the file it is kept in, and what runs it.

Only backbone.py, heads.py, network.py and torch_runner.py import torch.
"""
