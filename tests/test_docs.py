"""Links in the pages lead somewhere, and the commands in them are understood."""

import re
import shlex

import pytest

PAGES = ("README.md", "docs/methods.md", "docs/reliability.md", "docs/speed.md")
LINKED = (*PAGES, "references/README.md")
COMMAND = re.compile(r"^ {4}((?:network-pruning|python -m network-pruning\.train) --.*)$", re.M)


def heading_anchor(heading):
    """The anchor that GitHub makes of a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


@pytest.mark.parametrize("page", LINKED)
def test_links_lead_somewhere(root, page):
    text = (root / page).read_text(encoding="utf-8")
    links = [link for link in re.findall(r"\]\(([^)\s]+)\)", text) if "://" not in link]
    for link in links:
        name, _, anchor = link.partition("#")
        target = (root / page).parent / name if name else root / page
        assert target.exists(), link
        if anchor:
            headings = re.findall(r"^#+ (.*)$", target.read_text(encoding="utf-8"), re.M)
            assert anchor in map(heading_anchor, headings), link


def commands(root):
    return [
        command.split("#")[0].strip()
        for page in PAGES
        for command in COMMAND.findall((root / page).read_text(encoding="utf-8"))
    ]


def test_commands_are_understood(root, cli, tmp_path):
    """Every flag and value is accepted: what is complained of is only the last, which is wrong."""
    found = commands(root)
    assert len(found) >= 4
    (tmp_path / "my_criteria.py").write_text(
        re.search(r"```python\n(from network_pruning import .*?)```", methods_page(root), re.S)[1]
    )
    for command in dict.fromkeys(found):
        flags = [word for word in shlex.split(command) if word.startswith("--")]
        done = cli(*flags, "--seed=-1", cwd=tmp_path)
        assert (done.returncode, done.stdout) == (2, ""), command
        assert "--seed must lie between" in done.stderr, command


def methods_page(root):
    return (root / "docs/methods.md").read_text(encoding="utf-8")


def test_the_readme_is_no_book(root):
    assert len((root / "README.md").read_text(encoding="utf-8").splitlines()) <= 300
