"""The pages for readers: their code runs, and what they point to is there."""

import re
from itertools import pairwise
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FOLDERS = ".", ".github", "examples", "examples/benchmarks"
PAGES = [page for folder in FOLDERS for page in sorted((ROOT / folder).glob("*.md"))]

each_page = pytest.mark.parametrize(
    "page", PAGES, ids=lambda page: str(page.relative_to(ROOT))
)


@each_page
def test_code_prints_what_follows_it(page, capsys, tmp_path, monkeypatch):
    """Run the python blocks in order; a text block after one is its output."""
    monkeypatch.chdir(tmp_path)
    namespace: dict = {}
    for (language, code), following in pairwise([*blocks(page), ("", "")]):
        if language == "python":
            exec(code, namespace)
            printed = capsys.readouterr().out
            assert printed == (following[1] if following[0] == "text" else "")


def blocks(page):
    """Return language and text of the blocks of a page, but for those of shells."""
    found = re.findall(r"^( *)```(\w+)\n(.*?)^ *```$", page.read_text(), re.M | re.S)
    return [
        (language, re.sub(f"^{indent}", "", text, flags=re.M))
        for indent, language, text in found
        if language != "sh"
    ]


@each_page
def test_links_lead_to_files_and_headings(page):
    for target in re.findall(r"\]\((?!https?:)(.*?)\)", without_blocks(page)):
        name, _, anchor = target.partition("#")
        linked = page.parent / name if name else page
        assert linked.exists(), target
        assert not anchor or anchor in anchors(linked), target


def anchors(page):
    """Return what GitHub calls the headings of a page."""
    headings = re.findall(r"^#+ (.*)$", without_blocks(page), re.M)
    plain = [re.sub(r"\[(.*?)\]\(.*?\)", r"\1", heading) for heading in headings]
    return [re.sub(r"[^\w -]", "", text.lower()).replace(" ", "-") for text in plain]


def without_blocks(page):
    return re.sub(r"^ *```.*?^ *```$", "", page.read_text(), flags=re.M | re.S)


@each_page
def test_pictures_are_small(page):
    for picture in re.findall(r"!\[.*?\]\((.*?)\)", page.read_text()):
        assert (page.parent / picture).stat().st_size < 150_000
