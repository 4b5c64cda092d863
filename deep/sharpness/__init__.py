"""Flat minima and trust regions."""
