"""The report of a run of the paper's experiments: its numbers beside the paper's, as HTML and as Markdown."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from karyofast.evaluate_table import UNDEFINED, percent
from karyofast.experiments import published
from karyofast.experiments.chart import Points, chart
from karyofast.experiments.detection import METHODS, SETS, read_detection
from karyofast.experiments.figures import JUDGE, PLANE, read_figure9, read_figure10
from karyofast.experiments.found import EXTRAS, Found, arm_name, compare, conclusion, few_pairs, tell_change
from karyofast.experiments.plan import ALL_CELLS, Arm, few_arms, table1_arms, table2_arms
from karyofast.experiments.published import MEASURES
from karyofast.experiments.statistics import Spread
from karyofast.files import write_whole
from karyofast.io import write_png

MARKDOWN, PAGE = "report.md", "report.html"


CNNS = {
    "slim": "a slim VGG of 8 convolutions in place of VGG-16",
    "residual": "a residual network of 10 convolutions in place of VGG-16",
    "vgg16": "VGG-16",
}


@dataclass(frozen=True)
class Section:
    """One table or figure: text, rows of a table by column, a picture of the run folder."""

    title: str
    text: tuple[str, ...] = ()
    rows: tuple[Mapping[str, str], ...] = ()
    picture: str = ""

    @property
    def columns(self) -> list[str]:
        """Columns in the order of their first appearance."""
        return list(dict.fromkeys(name for row in self.rows for name in row))


def write_report(found: Found) -> Path:
    """Write ``report.md`` and ``report.html`` of what is there; returns the page."""
    sections = _sections(found)
    write_whole(found.folder / MARKDOWN, _markdown(sections))
    write_whole(found.folder / PAGE, _html(sections, found.folder))
    return found.folder / PAGE


def _sections(found: Found) -> list[Section]:
    made = [_setting(found)]
    if "table1" in found.parts or "figure11" in found.parts:
        made.append(_table1(found))
    if "table2" in found.parts:
        made.append(_table2(found))
    if "few" in found.parts:
        made += [_few(found), _few_reading(found)]
    if "figure8" in found.parts:
        made += _figure8(found)
    if "figure9" in found.parts and (found.folder / "figure9.png").exists():
        made += [_figure9(found), *_figure10(found)]
    if "detection" in found.parts:
        made.append(_detection(found))
    if "figure6" in found.parts and (found.folder / "figure6.png").exists():
        made.append(_figure6())
    return made


def _setting(found: Found) -> Section:
    options = found.options
    rows, columns = options.frame.size
    cnn = CNNS[options.cnn]
    text = []
    if found.cells:
        text += [
            f"Preset {options.preset}. CNN is {cnn}, on straightened chromosomes of {rows} x {columns} px, normalised "
            f"by cell; every classifier is trained for {options.steps} steps of {options.batch}, whatever it is given.",
            f"Cells are split by the hash of their name: {found.cells} to train on, {found.unseen} chromosomes of "
            f"unseen cells are read, one by one, without the assignment of the whole cell. Seeds: {found.scope.seeds}; "
            "a seed draws training cells, weights and batches, and the unseen cells stay the same, so that the spread "
            "tells nothing of other patients.",
            "PT is the accuracy on all classes; P4, P18 and P22 that on one pair, as the paper's section 6.1 defines "
            "them. The paper draws its 874 test images of 5,474 at random, not by cell, so that its column cannot be "
            "subtracted from ours; what changes from row to row can be compared.",
            f"Each of the 24 MD-GANs is trained for {options.gan_steps} steps, the conditional one for "
            f"{options.conditional_steps}."
            + (
                " Quick: far fewer than good pictures need, and so few steps of a classifier that variety can harm."
                if options.preset == "quick"
                else ""
            ),
        ]
        missing = found.missing([trial.arm for trial in found.results])
        if missing:
            text.append(
                "In some trials not generated, since too few were there to learn from or since the generator "
                f"collapsed: classes {', '.join(missing)}."
            )
    if found.results:
        spent = sum(one.seconds + one.added_seconds for one in found.results.values())
        text.append(f"The {len(found.results)} trials below took {spent / 60.0:.0f} minutes in sum.")
    if found.cost:
        cost = found.cost
        text.append(
            f"The preset full takes {cost.hours:.0f} hours on this machine ({cost.device}), extrapolated from "
            f"{cost.step:.2f} s a step of VGG-16 and {cost.generator_step:.2f} s a step of a generator: "
            f"{cost.trainings} classifiers, {cost.generators} generators. It is meant for a GPU."
        )
    return Section("The paper's experiments", tuple(text))


def _table1(found: Found) -> Section:
    arms = table1_arms(found.scope)
    rows = [_row(_paper_name(arm), published.TABLE1.get(arm.persons), found, arm) for arm in arms]
    told = [
        f"np {one.arm.persons} against none: {tell_change(one)}."
        for one in compare(found, [(arm, arms[0], ALL_CELLS) for arm in arms[1:]])
    ]
    if not told:
        told = ["One seed alone: whether np changes anything cannot be said. Run more with --seeds."]
    lines: dict[str, Points] = {}
    for number, name in enumerate(MEASURES):
        lines[f"{name}, paper"] = [(np_, values[number], 0.0) for np_, values in published.TABLE1.items()]
        lines[name] = [
            (arm.persons, one.mean, one.deviation or 0.0) for arm in arms if (one := found.spread(arm, ALL_CELLS, name))
        ]
    write_png(found.folder / "figure11.png", chart(lines, "Figure 11: accuracy, %", "np: 46 np generated chromosomes"))
    return Section("Table 1 and Figure 11: generated chromosomes", tuple(told), tuple(rows), "figure11.png")


def _table2(found: Found) -> Section:
    arms = table2_arms(found.options)
    rows = [_row(name, published.TABLE2.get(name), found, arm) for name, arm in arms.items()]
    rivals = [name for name in arms if name != "ours"]
    told = []
    for one in compare(found, [(arms["ours"], arms[name], ALL_CELLS) for name in rivals]):
        name = next(name for name in rivals if arms[name] == one.base)
        told.append(f"Ours ({arm_name(one.arm, found.options)}) against {name}: {tell_change(one)}.")
    told.append(
        "The paper tells little of the networks it compares with; the sizes of the MLPs, of the CNN after Sharma et "
        "al. and of the Siamese network after Swati et al. are ours."
    )
    return Section("Table 2: other networks", tuple(told), tuple(rows))


def _few(found: Found) -> Section:
    arms = few_arms(found.options, found.scope)
    rows = []
    lines: dict[str, Points] = {}
    for arm in arms:
        name = arm_name(arm, found.options)
        spreads = {cells: found.spread(arm, cells) for cells in found.scope.cells}
        rows.append({"arm": name, **{_cells(cells, found): _cell(one) for cells, one in spreads.items()}})
        lines[name.replace("conditional MD-GAN, DiffAugment", "cond. MD-GAN")] = [
            (cells or found.cells, one.mean, one.deviation or 0.0) for cells, one in spreads.items() if one
        ]
    picture = chart(lines, "PT, %, by the number of cells trained on", "cells trained on")
    write_png(found.folder / "few.png", picture)
    text: tuple[str, ...] = (
        "PT by the number of cells trained on; each kind of chromosome added in the same number "
        f"(np {found.scope.few_persons}), the same steps for each arm. Simulated: drawn from the ideogram. Composed: "
        "real ones of the training cells laid into scenes, photographed anew and cut out. Half of each batch is real, "
        "since beside few cells nearly all that is shown would else be added.",
    )
    augmented = [arm for arm in arms if arm.affine and arm.persons]
    if bare := [EXTRAS[arm.extra] for arm in augmented if replace(arm, affine=False) not in arms]:
        text += (f"To networks without affine augmentation this preset does not add: {'; '.join(bare)}.",)
    return Section("Few cells: what helps", text, tuple(rows), "few.png")


def _few_reading(found: Found) -> Section:
    comparisons = compare(found, few_pairs(few_arms(found.options, found.scope), found.scope.cells))
    rows = tuple(
        {
            "cells": _cells(one.cells, found),
            "arm": arm_name(one.arm, found.options),
            "against": arm_name(one.base, found.options),
            "points": f"{one.difference.mean:+.1f}",
            "95 % interval": f"{one.difference.low:+.1f} to {one.difference.high:+.1f}",
            "p (Holm)": f"{one.corrected:.3f}",
            "verdict": one.verdict,
        }
        for one in comparisons
    )
    return Section("Few cells: the reading", tuple(conclusion(comparisons, found)), rows)


def _detection(found: Found) -> Section:
    figures = read_detection(found.folder)
    names = {
        "otsu": "Otsu",
        "er-unfiltered": "ER, no filter",
        "er-no-variance": "ER, filter 1 (shape)",
        "er-no-geometry": "ER, filter 2 (intensity variance)",
        "er": "ER, both filters",
    }
    titles = {name: name for name in SETS}
    for scored in figures.values():
        titles[scored["set"]] = f"{scored['set']}, {scored['pictures']} pictures"
    rows = []
    for method in METHODS:
        paper = published.DETECTION.get(method)
        row = {"method": names[method], "paper": " / ".join(f"{one:.1f}" for one in paper) if paper else UNDEFINED}
        for name in SETS:
            one = figures.get(f"{name} {method}")
            row[titles[name]] = f"{percent(one['precision'])} / {percent(one['recall'])}" if one else UNDEFINED
        rows.append(row)
    text = [
        "Precision / recall of candidates against the blobs of the true masks, IoU 0.5; of mfish the slides that "
        "nothing was set on; the G-band pictures were in sight while the filters were built. The paper says accuracy "
        "where precision is meant."
    ]
    for name in SETS:
        both, otsu = figures.get(f"{name} er"), figures.get(f"{name} otsu")
        if both and otsu:
            text.append(
                f"{name}: both filters against Otsu {100 * (both['precision'] - otsu['precision']):+.1f} points of "
                f"precision and {100 * (both['recall'] - otsu['recall']):+.1f} of recall."
            )
    return Section("Detection (section 6.3)", tuple(text), tuple(rows))


def _figure8(found: Found) -> list[Section]:
    """A section for each mixture, with its picture."""
    mixtures = {
        "denver": "the Denver groups, as in the paper",
        "ring": "a ring of 8",
        "grid": "a grid of 25",
    }
    text = (
        f"Generators on the plane after {found.options.plane_steps} steps: modes found, seed by seed; share of points "
        "near a mode; divergence of the modes' shares from the true ones. The paper says that a typical GAN loses "
        "modes and MD-GAN does not, and gives no number.",
    )
    made: list[Section] = []
    for target, what in mixtures.items():
        rows = tuple(
            {
                "generator": one.kind,
                "modes found": f"{', '.join(map(str, one.modes))} of {one.of}",
                "high quality, %": f"{percent(one.high_quality)} (worst seed {percent(one.worst)})",
                "reverse KL": f"{one.reverse_kl:.3f}",
            }
            for one in found.plane
            if one.target == target
        )
        picture = f"{PLANE}/{target}.png"
        if rows:
            made.append(Section(f"Figure 8: {what}", () if made else text, rows, picture))
    return made


def _figure9(found: Found) -> Section:
    rows = []
    for kind, score in read_figure9(found.folder).items():
        each = [(EXTRAS[kind], score.generated, score.recognised), ("real, of the training cells", score.real, None)]
        for name, like, recognised in each:
            shares = {
                "precision": like.precision,
                "recall": like.recall,
                "density": like.density,
                "coverage": like.coverage,
            }
            rows.append(
                {
                    "chromosomes": name,
                    "KID": f"{like.kid:.3f}",
                    **{measure: f"{value:.2f}" for measure, value in shares.items()},
                    "recognised, %": percent(recognised),
                    "copies, %": percent(score.copies) if recognised is not None else UNDEFINED,
                }
            )
        rows.append({"chromosomes": "real, unseen", "recognised, %": percent(score.recognised_real)})
    text = (
        "By class a row of real chromosomes, one of the MD-GANs (m) and one of the conditional MD-GAN (c). Scored "
        f"against chromosomes of unseen cells in the feature space of the shipped classifier {JUDGE}, which has not "
        "seen these; recognised: given their class by it; copies: nearer to a training chromosome than one in a "
        "hundred real ones is.",
    )
    shown = list({tuple(row.items()): row for row in rows}.values())
    return Section("Figure 9: generated chromosomes", text, tuple(shown), "figure9.png")


def _figure10(found: Found) -> list[Section]:
    scored = read_figure10(found.folder)
    rows = tuple(
        {"np": persons, "looked at": str(one["crops"]), "recognised, %": percent(one["recognised"])}
        for persons, one in scored.items()
    )
    text = (
        "Chromosomes of the MD-GANs, class by class: on the left some of the smaller np, in the middle those of the "
        f"larger one that {JUDGE} is surest of, on the right those that it is least sure of. The paper finds "
        "fragments and noise in the larger np; it draws more from the same generators: bad ones grow in number, not "
        "in share.",
    )
    return [Section("Figure 10: more generated chromosomes", text, rows, "figure10.png")] if scored else []


def _figure6() -> Section:
    text = (
        "Clusters of the annotated G-band pictures; from the left: the picture, the masks by hand, the paper's chain "
        "(ring radius transform), karyofast's default. Above those that the paper's chain separates, below those that "
        "it does not.",
    )
    return Section("Figure 6: separated clusters", text, (), "figure6.png")


def _row(name: str, paper: Sequence[float] | None, found: Found, arm: Arm) -> dict[str, str]:
    row = {"method": name}
    for number, measure in enumerate(MEASURES):
        row[f"{measure} paper"] = f"{paper[number]:.1f}" if paper else UNDEFINED
        row[measure] = _cell(found.spread(arm, ALL_CELLS, measure))
    return row


def _cell(one: Spread | None) -> str:
    if one is None:
        return UNDEFINED
    return f"{one.mean:.1f}" + (f" ± {one.deviation:.1f} ({one.seeds})" if one.deviation is not None else " (1)")


def _cells(count: int, found: Found) -> str:
    return f"{count or found.cells} cells"


def _paper_name(arm: Arm) -> str:
    return f"CNN+{arm.persons}MG" if arm.persons else "CNN"


def _markdown(sections: Sequence[Section]) -> str:
    lines = []
    for number, section in enumerate(sections):
        lines += [f"{'##' if number else '#'} {section.title}", ""]
        lines += [line for text in section.text for line in (text, "")]
        if section.rows:
            lines += ["| " + " | ".join(section.columns) + " |", "|" + "---|" * len(section.columns)]
            lines += ["| " + " | ".join(row.get(name, "") for name in section.columns) + " |" for row in section.rows]
            lines.append("")
        if section.picture:
            lines += [f"![{section.title}]({section.picture})", ""]
    return "\n".join(lines)


def _html(sections: Sequence[Section], folder: Path) -> str:
    from jinja2 import Environment, PackageLoader

    pictures = {
        one.picture: base64.b64encode((folder / one.picture).read_bytes()).decode("ascii")
        for one in sections
        if one.picture
    }
    environment = Environment(loader=PackageLoader("karyofast"), autoescape=True, trim_blocks=True, lstrip_blocks=True)
    return environment.get_template("paper.html.j2").render(sections=sections, pictures=pictures)
