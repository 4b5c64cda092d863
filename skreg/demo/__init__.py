"""Small stories for a newcomer, behind ``skreg demo``.

Each module of `skreg.demo.stories` measures one thing within seconds, says in a sentence what came
out, and draws it. Processes of their own run them, and one HTML page shows the figures with the
code that made them.
"""
