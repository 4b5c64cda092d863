"""The order of the gallery: that of the list in its header."""

import re
from pathlib import Path


class OrderOfTheHeader:
    """Sorts the scripts of a folder as ``GALLERY_HEADER.rst`` lists them."""

    def __init__(self, src_dir):
        header = Path(src_dir, "GALLERY_HEADER.rst")
        # the configuration is checked with an empty folder
        self.names = re.findall(r"plot_\w+\.py", header.read_text()) if header.exists() else []

    def __repr__(self):
        return f"<{type(self).__name__}>"

    def __call__(self, filename):
        return self.names.index(Path(filename).name)
