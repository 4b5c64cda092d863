"""The stories, a module each.

The docstring of a module is its text on the page: a title, what is measured, and when not to use
the method. ``SHOWN`` is the function whose source stands on the page; the measurement calls that
very function. ``measure(seed)`` returns numbers, ``sentence(measured)`` says what they are, and
``draw(measured)`` makes the figure with its caption.
"""
