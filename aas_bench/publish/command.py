"""The command line that all dataset scripts share.

Its options are those of every build, and one for each field of the builders' configurations.
"""

from __future__ import annotations

import inspect
import shlex
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, get_origin, get_type_hints

import typer

from aas_bench.errors import InputError, UnknownNameError, told_in_one_line
from aas_bench.files import quiet_when_piped
from aas_bench.publish.build import build
from aas_bench.publish.builder import BenchBuilder
from aas_bench.publish.built import Build
from aas_bench.publish.changes import Allowed
from aas_bench.publish.push import publish
from aas_bench.publish.rollback import rollback as rollback_to
from aas_bench.publish.sync import Target, check_access

WITH_FAULTS = 1
INTERRUPTED = 130


def command(*builders: type[BenchBuilder]) -> Callable[[], None]:
    """The `main` of a dataset script.

    Leaves with 0; with 1 where items were left out ("built with faults") or a service failed;
    with 2 where the options or sources are at fault.

    Args:
        builders: The builders of one dataset; the first configuration is the default one.
    """
    task = builders[0].TASK
    program = f"{task.name}.py"
    names = ", ".join(config.name for b in builders for config in b.BUILDER_CONFIGS)
    app = typer.Typer(
        name=program,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
    )
    app.command(help=f"Build {task.hub_id}: {task.summary}. Configurations: {names}.")(
        _with_options(_runner(program, builders), builders)
    )

    def main() -> None:
        quiet_when_piped()
        with told_in_one_line(program):
            code = app(prog_name=program, standalone_mode=False)
            if code == INTERRUPTED:  # typer's own answer to Ctrl-C
                again = shlex.join(["python", *sys.argv])
                typer.echo(f"\n{program}: interrupted. Go on with: {again}", err=True)
            raise SystemExit(code)

    return main


def _runner(program: str, builders: Sequence[type[BenchBuilder]]) -> Callable[..., None]:
    def run(
        *,
        dry_run: Annotated[
            Path | None,
            typer.Option("--dry-run", help="Folder for what would be pushed; continued if begun."),
        ] = None,
        push: Annotated[
            str | None, typer.Option(help="Push to this dataset repository, owner/name.")
        ] = None,
        private: Annotated[
            bool, typer.Option("--private", help="A repository that is new becomes private.")
        ] = False,
        create_pr: Annotated[
            bool | None,
            typer.Option(
                "--create-pr/--no-create-pr",
                show_default=False,
                help="Open a pull request, or push; unless told, a pull request where data is.",
            ),
        ] = None,
        revision: Annotated[
            str | None, typer.Option(help="Branch to push to; made where absent.")
        ] = None,
        replace_card: Annotated[
            bool, typer.Option("--replace-card", help="Overwrite a card that was edited there.")
        ] = False,
        allow_faults: Annotated[
            bool, typer.Option("--allow-faults", help="Push though items were left out.")
        ] = False,
        allow_shrink: Annotated[
            bool, typer.Option("--allow-shrink", help="Push fewer rows than are there, or none.")
        ] = False,
        allow_schema_change: Annotated[
            bool, typer.Option("--allow-schema-change", help="Push other columns than are there.")
        ] = False,
        rollback: Annotated[
            str | None, typer.Option(help="Build nothing: restore the files of this version.")
        ] = None,
        limit: Annotated[
            int | None, typer.Option(min=1, help="Only the first so many items.")
        ] = None,
        config: Annotated[
            list[str] | None, typer.Option(help="Only this configuration; repeat for several.")
        ] = None,
        **options: Any,
    ) -> None:
        allowed = Allowed(
            faults=allow_faults, shrink=allow_shrink, schema_change=allow_schema_change
        )
        target = _target(push, allowed, private=private, create_pr=create_pr, revision=revision)
        if rollback is not None:
            _roll_back(target, rollback, dry_run)
            return
        if dry_run is None and target is None:
            msg = "nothing to do. Give --dry-run DIR to build, --push REPO to publish, or both."
            raise InputError(msg)
        if target is not None:
            check_access(target)  # now, not after an hour of building
        chosen = _make(builders, config or [], options)
        folder = dry_run or Path("build", builders[0].TASK.name)
        built = build(chosen, folder, repo=push, limit=limit)
        _tell(built)
        if target is not None:
            published = publish(
                built, target, replace_card=replace_card, allowed=allowed, tell=typer.echo
            )
            typer.echo(published.text())
        if built.n_faults:
            typer.echo(f"{program}: built with faults; see {built.faults_file}", err=True)
            raise SystemExit(WITH_FAULTS)

    return run


def _roll_back(target: Target | None, version: str, dry_run: Path | None) -> None:
    if target is None or dry_run is not None:
        msg = "--rollback builds nothing. Give it with --push REPO and without --dry-run."
        raise InputError(msg)
    check_access(target)
    typer.echo(rollback_to(target, version, tell=typer.echo).text())


def _target(push: str | None, allowed: Allowed, **options: Any) -> Target | None:
    if push is not None:
        return Target(repo=push, **options)
    options |= {f"allow_{name}": value for name, value in asdict(allowed).items()}
    given = [f"--{name.replace('_', '-')}" for name, value in options.items() if value]
    if given:
        verb = "has" if len(given) == 1 else "have"
        msg = f"{' and '.join(given)} {verb} no effect without --push. Give --push REPO."
        raise InputError(msg)
    return None


def _tell(built: Build) -> None:
    for config in built.configs:
        typer.echo(
            f"{config.name}: {config.n_rows:,} rows of {config.n_items:,} items in "
            f"{len(config.files)} files; {config.n_faults} left out, {config.n_flags} flags"
        )
    typer.echo(f"written to {built.path}")


def _make(
    builders: Sequence[type[BenchBuilder]], names: Sequence[str], options: Mapping[str, Any]
) -> list[BenchBuilder]:
    """The builders of the configurations asked for; of all that are available by default."""
    known = [config.name for b in builders for config in b.BUILDER_CONFIGS]
    for name in names:
        if name not in known:
            hint = f"The configurations are {', '.join(known)}."
            raise UnknownNameError("configuration", name, known, hint=hint)
    made, left_out = [], []
    for builder_class in builders:
        for config in builder_class.BUILDER_CONFIGS:
            if names and config.name not in names:
                continue
            builder = builder_class(config_name=config.name, **_options_of(config, options))
            reason = builder.unavailable()
            if reason is None:
                made.append(builder)
            else:
                left_out.append(f"{config.name}: {reason}")
    if left_out and (names or not made):
        raise InputError(" ".join(left_out))
    for line in left_out:
        typer.echo(f"left out {line}", err=True)
    return made


def _options_of(config: Any, options: Mapping[str, Any]) -> dict[str, Any]:
    """The options that were given and that this configuration has."""
    values = {f.name: options.get(f.name) for f in config.own_fields()}
    return {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in values.items()
        if value is not None and value != []
    }


def _with_options(
    run: Callable[..., None], builders: Sequence[type[BenchBuilder]]
) -> Callable[..., None]:
    """Give `run` a keyword for each field of the configurations, for typer to read."""
    hints = get_type_hints(run, include_extras=True)
    own = {
        name: parameter.replace(annotation=hints[name])
        for name, parameter in inspect.signature(run).parameters.items()
        if parameter.kind is parameter.KEYWORD_ONLY
    }
    for builder in builders:
        for config in builder.BUILDER_CONFIGS:
            for parameter in _parameters(type(config)):
                own.setdefault(parameter.name, parameter)
    run.__signature__ = inspect.Signature(list(own.values()))  # type: ignore[attr-defined]
    run.__annotations__ = {name: parameter.annotation for name, parameter in own.items()}
    return run


def _parameters(config: Any) -> list[inspect.Parameter]:
    """One optional keyword per field; None leaves the field at its default."""
    hints = get_type_hints(config)
    parameters = []
    for each in config.own_fields():
        kind = hints[each.name]
        if get_origin(kind) is tuple:
            kind = list[kind.__args__[0]]  # type: ignore[name-defined]
        said = each.metadata.get("help", "")
        flag = f"--{each.name.replace('_', '-')}"
        spec = typer.Option(flag, help=said, show_default=False)
        parameters.append(
            inspect.Parameter(
                each.name,
                inspect.Parameter.KEYWORD_ONLY,
                default=None,
                annotation=Annotated[kind | None, spec],
            )
        )
    return parameters
