"""Segmentation with masks that are wrong, or say little."""
