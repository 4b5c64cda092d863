"""Distributions moved onto others, in the latents of networks."""
