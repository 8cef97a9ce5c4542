"""A chain of recipes as a Python script that needs polars and numpy only.

The script carries the very functions that made the versions, so that its result is theirs.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import polars as pl

from backend.science.recipes.fields import TableKey
from backend.science.recipes.planning import Outline, Outlined, Plan, follow, plan
from backend.science.recipes.scripts.carrying import Carried
from backend.science.recipes.scripts.facts import Stage, TableFacts
from backend.science.recipes.steps import AnyStep, Join
from backend.science.recipes.values import Kind

LONGEST_LINE: Final = 100
KINDS_OF_TYPES: Final[Mapping[str, Kind]] = {
    "integer": "number",
    "number": "number",
    "boolean": "boolean",
    "string": "string",
    "date": "date",
    "datetime": "datetime",
}
# Where the functions of expressions are.
SOURCES: Final = (
    "backend.science.recipes.expressions.functions",
    "backend.science.recipes.values",
)


@dataclass(slots=True)
class _Writer:
    """Collects the lines of the steps and the functions that they call."""

    outline: Outline
    others: Mapping[TableKey, TableFacts]
    lines: list[str] = field(default_factory=list)
    carried: Carried = field(default_factory=Carried)
    joined: list[TableKey] = field(default_factory=list)

    def write(self, step: AnyStep, number: int) -> None:
        """The call that does one step."""
        planned = plan(step, self.outline)
        other = self.others[step.dataset_id, step.version] if isinstance(step, Join) else None
        self.lines.append(f"    # {number}. {step.kind}")
        if planned is not None:
            self._write_call(step, planned)
        self.outline = follow(self.outline, step, None if other is None else _outline(other))

    def _write_call(self, step: AnyStep, planned: Plan) -> None:
        operation = planned.operation
        self.carried.add_once(operation.__module__, operation.__name__)
        arguments = {name: repr(value) for name, value in planned.arguments.items()}
        for name, source in planned.sources.items():
            arguments[name] = source
            self.carried.add_used(source, SOURCES)
        if isinstance(step, Join):
            key = (step.dataset_id, step.version)
            if key not in self.joined:
                self.joined.append(key)
            arguments["other"] = f"others[{self.joined.index(key)}]"
        named = [f"{name}={text}" for name, text in arguments.items()]
        line = f"    frame = take({', '.join([operation.__name__, 'frame', *named])})"
        if len(line) > LONGEST_LINE:
            inner = "".join(f"        {text},\n" for text in [operation.__name__, "frame", *named])
            line = f"    frame = take(\n{inner}    )"
        self.lines.append(line)


def write_script(
    start: TableFacts, stages: Sequence[Stage], others: Mapping[TableKey, TableFacts]
) -> str:
    """The script that makes the last stage's version from the first one's file.

    Parameters
    ----------
    start
        The version that the chain begins with.
    others
        The tables that steps join.

    Raises
    ------
    StepProblem
        A step does not go with the columns, which no recorded recipe does.
    """
    writer = _Writer(_outline(start), others)
    number = 0
    for stage in stages:
        writer.lines.append(f"\n    # Version {stage.version}")
        for step in stage.steps:
            number += 1
            writer.write(step, number)
    writer.carried.add_once("backend.science.recipes.scripts.reading", "read_input")
    writer.carried.add_once("backend.science.recipes.running", "take")
    last = stages[-1].version if stages else start.version
    tables = [others[key] for key in writer.joined]
    return _laid_out(writer, _heading(start, last, tables), start, tables)


def _outline(facts: TableFacts) -> Outline:
    return {name: Outlined(KINDS_OF_TYPES[kind]) for name, kind in facts.columns.items()}


def _heading(start: TableFacts, last: int, tables: Sequence[TableFacts]) -> str:
    joined = "".join(f" {_file_name(at)}" for at in range(len(tables)))
    lines = [
        f"Cleans the dataset {_shown(start.name)}: from version {start.version} to {last}.",
        f"Content of version {start.version}: {start.content_digest}",
        *(
            f"Joins {_shown(one.name)}, version {one.version}: {one.content_digest}"
            for one in tables
        ),
        "",
        f"python clean.py input.parquet output.parquet{joined}",
        "",
        "Inputs are CSV files as they were uploaded, plain or gzip, or a version's Parquet file.",
        "The functions are Goodfit's own, so the result is the version's table.",
        f"Made for polars {pl.__version__}.",
    ]
    return "\n".join(f"# {line}".rstrip() for line in lines)


def _shown(name: str) -> str:
    """A name that stays on its line and hides nothing."""
    return repr("".join(one if one.isprintable() else "?" for one in name))


def _file_name(at: int) -> str:
    return f"joined_{at + 1}.parquet"


def _laid_out(
    writer: _Writer, heading: str, start: TableFacts, tables: Sequence[TableFacts]
) -> str:
    imports = writer.carried.imports | {
        "import sys",
        "from pathlib import Path",
        "import polars as pl",
        "from datetime import date",
        "from datetime import datetime",
    }
    reading = [_reading(table) for table in (start, *tables)]
    inputs = "".join(f"    {one},\n" for one in reading)
    definitions = "\n\n\n".join(writer.carried.definitions)
    steps = "\n".join(writer.lines).strip("\n")
    usage = "input.parquet output.parquet" + "".join(
        f" {_file_name(at)}" for at in range(len(tables))
    )
    return _TEMPLATE.format(
        heading=heading,
        imports="\n".join(sorted(imports, key=lambda line: (line.split()[1], line))),
        definitions=definitions,
        inputs=inputs,
        steps=steps,
        count=len(tables) + 2,
        usage=usage,
    )


def _reading(table: TableFacts) -> str:
    return repr((dict(table.columns), table.delimiter, table.encoding))


_TEMPLATE: Final = """{heading}

{imports}

{definitions}


# Columns in their order with their types, delimiter and encoding of each input, for CSV files.
INPUTS = [
{inputs}]


def clean(frame: pl.DataFrame, others: list[pl.DataFrame]) -> pl.DataFrame:
{steps}
    return frame


if __name__ == "__main__":
    if len(sys.argv) != 1 + {count}:
        sys.exit("usage: python clean.py {usage}")
    source, target, *joined = map(Path, sys.argv[1:])
    tables = [read_input(path, *form) for path, form in zip([source, *joined], INPUTS)]
    clean(tables[0], tables[1:]).write_parquet(target, compression="zstd")
"""
