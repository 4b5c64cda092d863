"""Checks that every link inside of the built site leads to a page and a place that exist."""

import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urldefrag, urlsplit


class Page(HTMLParser):
    """Links of a page, and the places that links may lead to."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.links: list[str] = []
        self.places: set[str] = set()
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Collect what a tag links to and how it is called."""
        given = dict(attrs)
        if given.get("id"):
            self.places.add(str(given["id"]))
        for name in ("href", "src"):
            if given.get(name) and tag != "link":
                self.links.append(str(given[name]))


def broken_links(site: Path) -> list[str]:
    """Links inside of a site that lead nowhere, as ``page: link``.

    Parameters
    ----------
    site : Path
        The folder of the built pages.

    Returns
    -------
    list of str
        Empty if all is well.
    """
    pages = {path: Page(path) for path in _pages(site)}
    broken = []
    for path, page in pages.items():
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            address, place = urldefrag(link)
            target = (path.parent / unquote(urlsplit(address).path)).resolve() if address else path
            if target.is_dir():
                target /= "index.html"
            missing_place = place and target in pages and unquote(place) not in pages[target].places
            if not target.exists() or missing_place:
                broken.append(f"{path.relative_to(site)}: {link}")
    return broken


def _pages(site: Path) -> list[Path]:
    """Pages of a site, without the templates that a theme keeps among its static files."""
    return [p for p in sorted(site.rglob("*.html")) if "_static" not in p.parts]


if __name__ == "__main__":
    found = broken_links(Path(sys.argv[1]).resolve())
    print(*found, sep="\n", end="\n" if found else "")
    sys.exit(f"{len(found)} links inside of the site lead nowhere" if found else 0)
