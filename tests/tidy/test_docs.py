"""docs/rules.md shows the recipes as they are: each block of the cookbook is a file under docs/recipes.

Run as a program, this writes the blocks anew from the files.
"""

import pathlib
import re
import shutil
import subprocess

import pytest

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
PAGE = REPOSITORY / "docs" / "rules.md"
RECIPES = REPOSITORY / "docs" / "recipes"
BLOCK = re.compile(r"(\[`(recipes/(?:formulas/)?[a-z_]+/[0-9.]+\.lua)`\]\(\2\)[^\n]*\n\n```lua\n)"
                   r"(.*?)(```\n)", re.S)


def blocks():
    return [(found.group(2), found.group(3)) for found in BLOCK.finditer(PAGE.read_text())]


def recipes():
    return sorted(path for path in RECIPES.glob("**/*.lua") if not path.name.endswith("_test.lua"))


def test_each_recipe_is_shown_as_it_is():
    shown = dict(blocks())
    assert len(shown) == len(blocks()), "a recipe is shown twice"
    assert sorted(shown) == sorted(str(path.relative_to(PAGE.parent)) for path in recipes())
    changed = [name for name, text in shown.items() if text != (PAGE.parent / name).read_text()]
    assert not changed, f"run python3 {pathlib.Path(__file__).name} to show these anew: {changed}"


def test_there_are_twenty_and_each_has_its_test():
    assert len(recipes()) >= 20
    missing = [str(path) for path in recipes()
               if not path.with_name(path.stem + "_test.lua").exists()]
    assert not missing


def test_links_inside_the_page_lead_somewhere():
    text = PAGE.read_text()
    anchors = {re.sub(r"[^a-z0-9 -]", "", title.lower()).replace(" ", "-")
               for title in re.findall(r"^#+ (.+)$", text, re.M)}
    dead = [link for link in re.findall(r"\]\(#([^)]+)\)", text) if link not in anchors]
    dead += [link for link in re.findall(r"\]\(([^)#:]+)\)", text)
             if not (PAGE.parent / link).exists()]
    assert not dead, dead


def test_luacheck_has_nothing_to_say():
    tool = shutil.which("luacheck")
    if tool is None:
        pytest.skip("luacheck (the package lua-check) is not installed")
    done = subprocess.run([tool, "--no-color", "--codes", "-q", "scripts", "rules", "docs/recipes"],
                          cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    # The counter-check: a name that the sandbox has not is told of.
    wrong = subprocess.run([tool, "--no-color", "--codes", "--filename", "rules/x/1.0.0.lua", "-"],
                           cwd=REPOSITORY, input="return os.time()\n", capture_output=True,
                           text=True, check=False)
    assert wrong.returncode != 0 and "'os'" in wrong.stdout


if __name__ == "__main__":
    PAGE.write_text(BLOCK.sub(
        lambda found: found.group(1) + (PAGE.parent / found.group(2)).read_text() + found.group(4),
        PAGE.read_text()))
