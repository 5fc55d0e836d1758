"""What ``--help`` shows: commands and options in groups, examples below, and no name cut short."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final

import typer
from typer.core import TyperCommand, TyperGroup

if TYPE_CHECKING:
    from typer._click import Command, Context, HelpFormatter, Parameter

# in the order in which somebody meets them
GROUPS: Final[Mapping[str, tuple[str, ...]]] = {
    "Begin": ("demo", "draft", "init", "import"),
    "The floor": (
        "rank",
        "assign",
        "settle",
        "contact",
        "accept",
        "decline",
        "reassign",
        "queue",
        "agents",
        "channels",
    ),
    "Learning": ("evidence", "train", "model"),
    "Why": ("explain", "replay", "verify", "dossier", "audit"),
    "Oversight": ("pause", "resume", "contest", "erase", "policy", "proposal"),
    "The night": ("plan", "report", "why", "task"),
    "Operation": (
        "serve",
        "key",
        "webhook",
        "mcp",
        "worker",
        "roles",
        "backup",
        "restore",
        "archive",
        "stop",
    ),
}
EXAMPLES: Final[Mapping[str, tuple[str, ...]]] = {
    "": ("dealwright demo", "dealwright assign --customer 'Ada King' --set destination=Mars"),
    "demo": ("dealwright demo", "dealwright demo --open"),
    "draft": ("dealwright draft exports", "dealwright draft exports --out company.toml --force"),
    "init": ("dealwright init", "dealwright init --database-url postgresql://desk@db.example.com/sales"),
    "import": ("dealwright import exports", "dealwright import exports --map company.toml --strict"),
    "rank": (
        "dealwright rank --set destination=Mars --top 5",
        "dealwright rank --policy fair --requirements 'speaks Catalan' --json",
    ),
    "assign": (
        "dealwright assign --customer 'Ada King' --set destination=Mars",
        "dealwright assign --lead 907 --agent a-7 --reason 'asked for by the customer'",
        "dealwright assign --file leads.csv --rejected rejected",
    ),
    "settle": ("dealwright settle 1842 confirmed --revenue 2400", "dealwright settle B-77 cancelled"),
    "contact": ("dealwright contact 1842", "dealwright contact 1842 --at 2026-07-01T10:30"),
    "accept": ("dealwright accept 1842", "dealwright accept 1842 --json"),
    "decline": (
        "dealwright decline 1842 --reason 'on holiday from tomorrow'",
        "dealwright decline 1842 --reason 'knows the customer' --json",
    ),
    "reassign": (
        "dealwright reassign 1842 --reason 'on sick leave'",
        "dealwright reassign 1842 --agent a-7 --reason 'knows the customer' --override",
    ),
    "dossier": ("dealwright dossier --out dossier.html", "dealwright dossier --out dossier.md --json"),
    "queue": ("dealwright queue --top 10", "dealwright queue --json"),
    "agents": ("dealwright agents --policy fair", "dealwright agents deactivate a-7 --hand-over"),
    "channels": ("dealwright channels", "dealwright channels set Phone --capacity 3"),
    "channels set": (
        "dealwright channels set Phone --capacity 3 --places 2",
        "dealwright channels set Phone --agent a-7 --capacity 1",
    ),
    "channels remove": ("dealwright channels remove Phone", "dealwright channels remove Phone --json"),
    "agents activate": ("dealwright agents activate a-7", "dealwright agents activate 12 --json"),
    "agents deactivate": (
        "dealwright agents deactivate a-7",
        "dealwright agents deactivate a-7 --hand-over",
    ),
    "evidence": ("dealwright evidence", "dealwright evidence --out evidence --pictures"),
    "train": ("dealwright train --promote", "dealwright train --as-of 2026-06-30 --out model --pictures"),
    "model": ("dealwright model list", "dealwright model promote 3"),
    "model list": ("dealwright model list", "dealwright model list --json"),
    "model show": ("dealwright model show 3", "dealwright model show 3 --json"),
    "model promote": ("dealwright model promote 3", "dealwright model promote 3 --json"),
    "model load": ("dealwright model load model.json", "dealwright model load model.json --promote"),
    "explain": ("dealwright explain 1842", "dealwright explain 1842 --agent 'Grace Hopper'"),
    "replay": ("dealwright replay 1842", "dealwright replay 1842 --json"),
    "verify": ("dealwright verify", "dealwright verify --json"),
    "audit": ("dealwright audit --top 20", "dealwright audit --about agent --id a-7 --json"),
    "pause": (
        "dealwright pause --reason 'the scores look wrong'",
        "dealwright pause --team 'Luxury Voyages' --reason 'new price list' --json",
    ),
    "resume": (
        "dealwright resume --reason 'looked into it'",
        "dealwright resume --agent a-7 --reason 'trained'",
    ),
    "contest": (
        "dealwright contest 1842 --reason 'the customer never asked for me'",
        "dealwright contest 1842 --resolve --reason 'corrected in the booking system'",
    ),
    "erase": (
        "dealwright erase C-1042 --reason 'the customer asked for it'",
        "dealwright erase C-1042 --lead 77 --reason 'the customer asked for it' --json",
    ),
    "plan": (
        "dealwright plan --world barcelona --out night",
        "dealwright plan exports --out tonight --previous last-night --publish",
    ),
    "report": ("dealwright report tonight", "dealwright report tonight --json"),
    "why": ("dealwright why A-1042 --run tonight", "dealwright why 'Tallers Vidal' --run tonight --json"),
    "task": ("dealwright task list --rep r-3", "dealwright task done 52 won --note 'ordered twenty'"),
    "task list": (
        "dealwright task list --day 2026-07-01 --rep r-3",
        "dealwright task list --status planned --json",
    ),
    "task show": ("dealwright task show 52", "dealwright task show 52 --json"),
    "task start": ("dealwright task start 52", "dealwright task start 52 --rep r-3"),
    "task done": (
        "dealwright task done 52 won",
        "dealwright task done 52 lost --at 2026-07-01T10:30 --note 'has a contract elsewhere'",
    ),
    "task failed": (
        "dealwright task failed 52 --note 'nobody there'",
        "dealwright task failed 52 --at 2026-07-01T10:30",
    ),
    "task cancel": ("dealwright task cancel 52", "dealwright task cancel 52 --note 'moved away'"),
    "task reopen": (
        "dealwright task reopen 52 --reason 'reported for the wrong account'",
        "dealwright task reopen 52 --reason 'the order was cancelled' --json",
    ),
    "task report": ("dealwright task report outcomes.csv", "dealwright task report outcomes.xlsx --json"),
    "task export": (
        "dealwright task export touches.parquet",
        "dealwright task export touches.csv --since 2026-06-01",
    ),
    "task runs": ("dealwright task runs --top 5", "dealwright task runs --json"),
    "task publish": ("dealwright task publish tonight", "dealwright task publish tonight --json"),
    "serve": ("dealwright serve", "dealwright serve --host 0.0.0.0 --port 8080 --processes 2"),
    "mcp": ("dealwright mcp", "dealwright mcp --url https://desk.example.com"),
    "key": ("dealwright key create shop --scope ingest", "dealwright key list"),
    "key create": (
        "dealwright key create 'web form' --scope ingest",
        "dealwright key create 'Ada King' --scope agent --agent a-7 --expires 2027-01-31",
    ),
    "key list": ("dealwright key list", "dealwright key list --json"),
    "key replace": ("dealwright key replace 3f9ac21b04de", "dealwright key replace 3f9ac21b04de --keep 1"),
    "key revoke": ("dealwright key revoke 3f9ac21b04de", "dealwright key revoke 3f9ac21b04de --json"),
    "policy": ("dealwright policy list", "dealwright policy set fair --use"),
    "policy list": ("dealwright policy list", "dealwright policy list --json"),
    "policy set": (
        "dealwright policy set fair --use --reason 'equal shares in August'",
        """dealwright policy set value --params '{"fairness": 0.2}'""",
    ),
    "proposal": (
        "dealwright proposal require --reason 'agreed with the works council'",
        "dealwright proposal list",
    ),
    "proposal list": ("dealwright proposal list", "dealwright proposal list --all --json"),
    "proposal agree": (
        "dealwright proposal agree 3",
        "dealwright proposal agree 3 --reason 'looked at the evidence'",
    ),
    "proposal refuse": (
        "dealwright proposal refuse 3 --reason 'after the holidays'",
        "dealwright proposal refuse 3 --reason 'a typing error' --json",
    ),
    "proposal require": (
        "dealwright proposal require --reason 'agreed with the works council'",
        "dealwright proposal require --off --reason 'only one person is left'",
    ),
    "webhook": (
        "dealwright webhook add https://crm.example.com/hooks --kind assigned",
        "dealwright webhook list",
    ),
    "webhook add": (
        "dealwright webhook add https://crm.example.com/hooks --kind assigned --kind waiting",
        "dealwright webhook add http://10.0.0.7:8080/hooks --private --json",
    ),
    "webhook list": ("dealwright webhook list", "dealwright webhook list --json"),
    "webhook test": ("dealwright webhook test 3", "dealwright webhook test 3 --private"),
    "webhook rotate": ("dealwright webhook rotate 3", "dealwright webhook rotate 3 --keep-hours 1"),
    "webhook pause": ("dealwright webhook pause 3", "dealwright webhook pause 3 --json"),
    "webhook resume": ("dealwright webhook resume 3", "dealwright webhook resume 3 --json"),
    "webhook remove": ("dealwright webhook remove 3", "dealwright webhook remove 3 --json"),
    "webhook dead": ("dealwright webhook dead list 3", "dealwright webhook dead retry 3"),
    "webhook dead list": ("dealwright webhook dead list 3", "dealwright webhook dead list 3 --json"),
    "webhook dead send": ("dealwright webhook dead send 3", "dealwright webhook dead send 3 812-4711"),
    "webhook dead retry": ("dealwright webhook dead retry 3", "dealwright webhook dead retry 3 --json"),
    "worker": ("dealwright worker", "dealwright worker --once --json"),
    "roles": ("dealwright roles", "dealwright roles --json"),
    "backup": ("dealwright backup desk.backup", "dealwright backup desk.backup --json"),
    "restore": ("dealwright restore desk.backup", "dealwright restore desk.backup --overwrite"),
    "archive": (
        "dealwright archive --before 2026-01-01",
        "dealwright archive --before 2026-01-01 --out /mnt/archive --json",
    ),
    "stop": ("dealwright stop", "dealwright stop --json"),
}
OPTIONS: Final = "Options"
_NAMES_WIDTH = 34  # a longer name stands on a line of its own


class HelpCommand(TyperCommand):
    """A command whose options stand in groups (`rich_help_panel`), with examples below."""

    def format_options(self, ctx: Context, formatter: HelpFormatter) -> None:
        """Write arguments and options."""
        _write_parameters(self.get_params(ctx), ctx, formatter)

    def format_epilog(self, ctx: Context, formatter: HelpFormatter) -> None:
        """Write the examples."""
        _write_examples(ctx, formatter)


class HelpGroup(TyperGroup):
    """A command with others below it, in groups."""

    def format_options(self, ctx: Context, formatter: HelpFormatter) -> None:
        """Write the commands, then the options: the first is what people look for."""
        groups = _grouped(self.commands) if ctx.parent is None else {"Commands": list(self.commands.values())}
        width = max(map(len, self.commands))  # one column over all groups
        for title, commands in groups.items():
            with formatter.section(_heading(title)):
                formatter.write_dl(
                    [(f"{command.name:<{width}}", command.get_short_help_str(400)) for command in commands]
                )
        _write_parameters(self.get_params(ctx), ctx, formatter)

    def format_epilog(self, ctx: Context, formatter: HelpFormatter) -> None:
        """Write the examples."""
        _write_examples(ctx, formatter)


class App(typer.Typer):
    """A Typer application whose commands and groups help in this way."""

    def __init__(self, **settings: Any) -> None:
        settings.setdefault("cls", HelpGroup)
        super().__init__(rich_markup_mode=None, **settings)

    def command(self, name: str | None = None, **settings: Any) -> Callable[[Any], Any]:
        """Register a command."""
        settings.setdefault("cls", HelpCommand)
        return super().command(name, **settings)


def _grouped(commands: Mapping[str, Command]) -> dict[str, list[Command]]:
    """Return the program's commands by group."""
    return {title: [commands[name] for name in names if name in commands] for title, names in GROUPS.items()}


def _write_parameters(parameters: Iterable[Parameter], ctx: Context, formatter: HelpFormatter) -> None:
    groups: dict[str, list[tuple[str, str]]] = {}
    for parameter in parameters:
        record = parameter.get_help_record(ctx)
        if record is not None:
            argument = parameter.param_type_name == "argument"
            title = "Arguments" if argument else getattr(parameter, "rich_help_panel", None) or OPTIONS
            groups.setdefault(title, []).append(record)
    # those of all commands come last
    for title in sorted(groups, key=lambda name: name == OPTIONS):
        with formatter.section(_heading(title)):
            formatter.write_dl(groups[title], col_max=_NAMES_WIDTH)


def _write_examples(ctx: Context, formatter: HelpFormatter) -> None:
    _, _, path = ctx.command_path.partition(" ")
    with formatter.section(_heading("Examples")):
        for line in EXAMPLES.get(path.strip(), ()):
            formatter.write(f"{'':>{formatter.current_indent}}{line}\n")


def _heading(title: str) -> str:
    """Return a heading in bold; what is not a terminal gets none of it."""
    return typer.style(title, bold=True)
