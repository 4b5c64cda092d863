"""Pretrained networks on new tasks: fine-tuning, and classes that come one task at a time."""
