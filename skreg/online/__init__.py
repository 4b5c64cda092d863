"""Learning from streams of rows, with a certificate of regret."""

__all__: list[str] = []
