"""Open a report.html of thousands of images in a headless Chromium, filter it, sort it and leaf through it.

    make check-page
    python tests/check_page.py --images 5000 --picture page.png

The rows are made up and share the pictures of a few drawn cells. Prints what the page told and ends with 1 where it is
not what the rows say.
"""

import argparse
import html
import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from karyotypes import bars, karyotype, label

from karyofast import report
from karyofast.summary import SummaryRow, failed_row

CELLS = ("46,XX", "45,X", "47,XY,+21")
CASES = 40

ACTIONS = """
<script>
const said = {};
const shown = () => find("#shown").textContent;
const set = (name, value) => { fields[name].value = value; fields[name].dispatchEvent(new Event("input")); };
said.all = shown();
set("kind", "failed"); said.failed = shown();
set("kind", "count"); set("case", "case1"); said.count_of_case1 = shown();
set("kind", ""); set("case", ""); set("text", "IMAGE00007."); said.by_name = shown();
set("text", ""); document.querySelectorAll("button.case")[2].click(); said.case_by_click = shown();
set("case", ""); set("kind", "karyotyped"); said.karyotyped = shown();
find("button", heads[1]).click(); said.first_by_name = find(".name").textContent;
find("#images tbody tr:not([hidden]) img").click(); said.large = pictures[0].getAttribute("src");
find("#next").click(); said.next = pictures[1].getAttribute("src");
find("#close").click(); said.open = large.open; set("kind", "");
document.title = JSON.stringify(said);
</script>
"""


def made_up(count: int, folder: Path) -> tuple[list[SummaryRow], dict[str, str]]:
    """Rows and folders of `count` images, one in a hundred of them failed."""
    for text in CELLS:
        crops, names = bars(text)
        report.write(karyotype(crops, [label(name) for name in names]), folder / f"cell {text}")
    rows, folders = [], {}
    for number in range(count):
        name, text = f"image{number:05}.tif", CELLS[number % len(CELLS)]
        if number % 100 == 99:
            row = failed_row(name, f"{name}: is an empty file.", stage="read")
        else:
            row = SummaryRow(name, "done", int(text[:2]), text, 0, 0, 1.0, reached="karyotyped")
        rows.append(SummaryRow(**{**vars(row), "case": f"case{number % CASES}"}))
        folders[name] = f"image{number:05}"
        (folder / folders[name]).symlink_to(f"cell {text}")
    return rows, folders


def expected(rows: list[SummaryRow], folders: dict[str, str]) -> dict:
    """What the page must tell after each of `ACTIONS`."""

    def shown(test) -> str:
        return f"{sum(map(test, rows))} of {len(rows)} shown"

    third = sorted({row.case for row in rows})[2]
    by_name = sorted(row.image for row in rows)
    karyotyped = sorted(row.image for row in rows if row.reached == "karyotyped")
    return {
        "all": shown(lambda row: True),
        "failed": shown(lambda row: row.status == "failed"),
        "count_of_case1": shown(lambda row: row.case == "case1" and row.status == "done" and row.count != 46),
        "by_name": shown(lambda row: row.image == "image00007.tif"),
        "case_by_click": shown(lambda row: row.case == third),
        "karyotyped": shown(lambda row: row.reached == "karyotyped"),
        "first_by_name": by_name[0],
        "large": f"{folders[karyotyped[0]]}/overlay.png",
        "next": f"{folders[karyotyped[1]]}/karyogram.png",
        "open": False,
    }


def chromium(program: str, page: Path, *arguments: str) -> str:
    command = [program, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--window-size=1400,1000"]
    waiting = "--virtual-time-budget=10000"
    return subprocess.run(
        [*command, waiting, *arguments, page.as_uri()], capture_output=True, text=True, check=True
    ).stdout


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=5000)
    parser.add_argument("--chromium", default="chromium", help="the browser's command")
    parser.add_argument("--picture", type=Path, help="where a picture of the page is put, to be looked at")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        rows, folders = made_up(given.images, folder)
        page = report.html(rows, folder, folders)
        if given.picture:
            chromium(given.chromium, page, f"--screenshot={given.picture.resolve()}")
        acted = folder / "acted.html"
        acted.write_text(page.read_text(encoding="utf-8") + ACTIONS, encoding="utf-8")
        title = re.search("<title>(.*?)</title>", chromium(given.chromium, acted, "--dump-dom"))
    said = json.loads(html.unescape(title.group(1))) if title else {}
    awaited = expected(rows, folders)
    print(json.dumps(said, indent=1))
    wrong = [key for key, value in awaited.items() if said.get(key) != value]
    for key in wrong:
        print(f"{key} must be {awaited[key]!r}. Got: {said.get(key)!r}.", file=sys.stderr)
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
