"""Sentences made into templates: each stands in a file, names the fields it rests on, and needs all of them.

A wording file is lines of ``## section`` (or ``## section: Heading``) followed by sentences ``- text``.
A sentence is Jinja text; ``- [when EXPRESSION] text`` says when it is true. Where a field it names is missing
for an account, the sentence is left out: nothing is ever invented in its place.
"""

from __future__ import annotations

import hashlib
import html
import pickle
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache, lru_cache
from importlib import resources
from pathlib import Path
from typing import Any, Final

from jinja2 import BytecodeCache, DictLoader, Template, TemplateError, meta
from jinja2.sandbox import SandboxedEnvironment
from markupsafe import Markup, escape

from dealwright.errors import InputError, UnknownNameError
from dealwright.plan.briefs import language as words
from dealwright.plan.briefs.language import LANGUAGES, filters
from dealwright.template_cache import template_cache

SECTIONS: Final = ("context", "rationale", "actions", "objections", "compliance")
# of the first three, the first sentence that can be said is a line of the day; of `more`, all of them
LINES: Final = ("why", "what", "careful", "more")
END: Final = "\x1e"  # ends each brief of a batch; removed from the data before
NEXT: Final = "\x1f"  # between the lines of one
_HEADING: Final = re.compile(r"##\s*(\w+)\s*(?::\s*(.+))?$")
_WHEN: Final = re.compile(r"\[when ([^\]]+)\]\s*(.*)$")
_FILTERS: Final = Path(words.__file__)
_MARKDOWN: Final = re.compile(r"([\\`*_\[\]<>#|])")


@dataclass(frozen=True)
class Sentence:
    """One sentence of a brief: where it is written, and the fields it rests on."""

    file: str
    line: int
    section: str
    text: str
    when: str | None
    fields: tuple[str, ...]


@dataclass(frozen=True)
class Wording:
    """All sentences of a language: the package's, and the company's in their place."""

    language: str
    files: Mapping[str, tuple[Sentence, ...]]  # file name (`visit.md`) -> its sentences
    # file name and section -> its heading; that of the later file of a brief counts
    headings: Mapping[tuple[str, str], str]
    labels: Mapping[str, str]  # name of an action, channel or segment -> how the language says it
    currency: str = "EUR"  # ISO code of what amounts are in
    _environments: dict[str, SandboxedEnvironment] = field(default_factory=dict, repr=False, compare=False)
    _compiled: dict[tuple[str, str, str], Any] = field(default_factory=dict, repr=False, compare=False)

    def __reduce__(self) -> tuple[Any, ...]:
        """Send the sentences alone; where the same ones come again, what was compiled of them is there."""
        told = self.language, self.files, self.headings, self.labels, self.currency
        return _received, (pickle.dumps(told),)

    def sentences(self, action: str, channel: str) -> tuple[Sentence, ...]:
        """Return the sentences of an action on a channel, section by section."""
        chosen = [s for name in self._names(action, channel) for s in self.files.get(name, ())]
        # what is said of the action itself comes before what is said of any
        lines = [s for name in reversed(self._names(action, channel)) for s in self.files.get(name, ())]
        brief = tuple(s for section in SECTIONS for s in chosen if s.section == section)
        return brief + tuple(s for section in LINES for s in lines if s.section == section)

    def _names(self, action: str, channel: str) -> tuple[str, str, str]:
        own = f"{action}.md" if f"{action}.md" in self.files else "action.md"
        return "common.md", own, f"{channel}.md"

    def compile(self, action: str, channel: str, form: str) -> Any:
        """Return the compiled template of an action on a channel as ``"html"``, ``"markdown"`` or ``"text"``.

        It loops over ``rows``, tuples of `fields`, and ends each brief with `END`: a template that is entered
        once per thousand briefs spends its time on sentences, not on contexts.
        """
        key = action, channel, form
        if key not in self._compiled:
            self._compiled[key] = self._compile(*key)
        return self._compiled[key]

    def _compile(self, action: str, channel: str, form: str) -> Any:
        environment = self.environment(form)
        names = self.fields(action, channel)
        parts = [f"{{% for {', '.join(names)}, _ in rows %}}"]
        if form == "text":
            for section in LINES:
                parts += [*self._lines(section, action, channel), NEXT]
            return self._template("".join([*parts[:-1], f"{END}{{% endfor %}}"]), action, channel, form)
        chosen = self.sentences(action, channel)
        for section in SECTIONS:
            said = [self.headings.get((name, section)) for name in self._names(action, channel)]
            heading = next((words for words in reversed(said) if words), section)
            parts.append(
                f"<h3>{html.escape(heading)}</h3>\n<ul>\n" if form == "html" else f"### {heading}\n\n"
            )
            parts += [
                _guarded(sentence, form, environment) for sentence in chosen if sentence.section == section
            ]
            parts.append("</ul>\n" if form == "html" else "\n")
        parts.append(f"{END}{{% endfor %}}")
        return self._template("".join(parts), action, channel, form)

    def _template(self, source: str, action: str, channel: str, form: str) -> Template:
        """Compile a template, or take what an earlier process compiled of the same words."""
        # a filter of what stands in the wording itself is worked out when it is compiled
        given = repr((_FILTERS.stat().st_mtime_ns, self.currency, sorted(self.labels.items())))
        whole = f"{{# {hashlib.sha256(given.encode()).hexdigest()} #}}{source}"
        name = "/".join((self.language, *self._names(action, channel), form))
        return DictLoader({name: whole}).load(self.environment(form), name)

    def _lines(self, section: str, action: str, channel: str) -> Iterator[str]:
        """Yield the template of a section's lines: one after the other, or only the first that holds."""
        all_of_them, word = section == "more", "if"
        for sentence in self.sentences(action, channel):
            if sentence.section == section:
                test = _test(sentence) or "true"
                if all_of_them:
                    yield f"{{% if {test} %}}{sentence.text}\n{{% endif %}}"
                else:
                    yield f"{{% {word} {test} %}}{sentence.text}"
                    word = "elif"
        if word == "elif":
            yield "{% endif %}"

    def fields(self, action: str, channel: str) -> tuple[str, ...]:
        """Return the fields the sentences of an action on a channel rest on."""
        return tuple(sorted({name for s in self.sentences(action, channel) for name in s.fields}))

    def environment(self, form: str) -> SandboxedEnvironment:
        """Return the Jinja environment of a form: HTML escapes by itself, Markdown by its own signs."""
        if form not in self._environments:
            made = SandboxedEnvironment(
                # HTML is escaped in `finalize`, not by `autoescape`, which makes an object of every figure
                autoescape=False,
                keep_trailing_newline=True,
                finalize=_FINISH[form],
                bytecode_cache=_kept_templates(),
            )
            made.filters.update(filters(self.language, self.labels, self.currency))
            self._environments[form] = made
        return self._environments[form]


@cache
def _kept_templates() -> BytecodeCache | None:
    return template_cache(_FILTERS.parent)


@lru_cache(maxsize=4)
def _received(told: bytes) -> Wording:
    return Wording(*pickle.loads(told))  # noqa: S301  from `Wording.__reduce__`


def load_wording(
    language: str, own: Mapping[str, str], known: Collection[str], *, currency: str = "EUR"
) -> Wording:
    """Read the package's wording and put the company's files in the place of those of the same name.

    Parameters
    ----------
    own
        File name such as ``visit.md`` or ``en/visit.md`` -> its text.
    known
        The fields a sentence may name.

    Raises
    ------
    InputError
        The language is not known, or a file cannot be used; the message names file, line and fix.
    """
    if language not in LANGUAGES:
        raise UnknownNameError("language of the briefs", language, LANGUAGES)
    texts = dict(_package_files(language))
    for name, text in own.items():
        folder, _, file = name.rpartition("/")
        if folder in ("", language):
            texts[file] = text
    parser = SandboxedEnvironment()
    parser.filters.update(filters(language, {}))
    reader = _Reader(parser, known)
    files = {file: tuple(reader.read(file, text)) for file, text in sorted(texts.items())}
    return Wording(language, files, reader.headings, reader.labels, currency)


@cache
def _package_files(language: str) -> tuple[tuple[str, str], ...]:
    folder = resources.files("dealwright.plan.briefs") / language
    return tuple(
        sorted((item.name, item.read_text("utf-8")) for item in folder.iterdir() if item.name.endswith(".md"))
    )


@dataclass
class _Reader:
    """Reads wording files, and gathers what they say besides sentences."""

    environment: SandboxedEnvironment
    known: Collection[str]
    headings: dict[tuple[str, str], str] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)

    def read(self, file: str, text: str) -> Iterator[Sentence]:
        section = ""
        for number, raw in enumerate(text.splitlines(), start=1):
            line = raw.strip()
            where = f"wording file {file}, line {number}"
            if not line or line.startswith("<!--"):
                continue
            if heading := _HEADING.match(line):
                section = heading[1]
                if section not in (*SECTIONS, *LINES, "labels"):
                    raise UnknownNameError(f"section in {where},", section, (*SECTIONS, *LINES, "labels"))
                if heading[2]:
                    self.headings[file, section] = heading[2]
            elif not section or not line.startswith("- "):
                raise InputError(f"{where}: expected '## section' or '- sentence', found {line[:40]!r}")
            elif section == "labels":
                name, _, said = line[2:].partition("=")
                self.labels[name.strip()] = said.strip()
            else:
                when = _WHEN.match(line[2:])
                body, condition = (when[2], when[1]) if when else (line[2:], None)
                fields = self._fields(body, condition, where)
                yield Sentence(file, number, section, body, condition, fields)

    def _fields(self, body: str, condition: str | None, where: str) -> tuple[str, ...]:
        source = body if condition is None else f"{{% if {condition} %}}{body}{{% endif %}}"
        try:
            # goes through everything a compilation would: an unknown filter is found, too
            fields = meta.find_undeclared_variables(self.environment.parse(source))
        except TemplateError as error:
            raise InputError(f"{where}: {error}") from None
        for name in sorted(fields):
            if name not in self.known:
                raise UnknownNameError(f"field in {where},", name, self.known)
        return tuple(sorted(fields))


def _test(sentence: Sentence) -> str:
    """Return the expression that says whether all a sentence rests on is known, and its condition holds."""
    # "is not none" would call a function for every field of every brief
    tests = [f"{name} != none" for name in sentence.fields]
    if sentence.when:
        tests.append(f"({sentence.when})")
    return " and ".join(tests)


def _guarded(sentence: Sentence, form: str, environment: SandboxedEnvironment) -> str:
    """Write a sentence so that it only appears where all it rests on is known."""
    if form == "html":
        body = "".join(
            html.escape(text, quote=False) if kind == "data" else text
            for _, kind, text in environment.lex(sentence.text)
        )
        line = f'<li data-fields="{" ".join(sentence.fields)}">{body}</li>\n'
    else:
        line = f"- {sentence.text}\n"
    test = _test(sentence)
    return f"{{% if {test} %}}{line}{{% endif %}}" if test else line


def _escape_markdown(value: Any) -> Any:
    """Keep what stands in the data from being read as Markdown or as HTML."""
    return escape_text(value) if type(value) is str else value


def _escape_html(value: Any) -> Any:
    """Keep what stands in the data from being read as HTML; what a filter calls safe (`Markup`) stays."""
    kind = type(value)
    return value if kind is int or kind is float or kind is Markup else _escape_once(str(value))


@lru_cache(maxsize=100_000)
def _escape_once(text: str) -> str:
    return str(escape(text))


@lru_cache(maxsize=100_000)
def escape_text(text: str) -> str:
    """Return one line of Markdown that reads as `text`."""
    return _MARKDOWN.sub(r"\\\1", " ".join(text.split()))


def _one_line(value: Any) -> Any:
    """Return plain text on one line, to be escaped by whatever shows it."""
    return " ".join(value.split()) if type(value) is str else value


_FINISH: Final = {"markdown": _escape_markdown, "html": _escape_html, "text": _one_line}


def split_lines(text: str) -> tuple[str | None, str | None, str | None, list[str]]:
    """Take apart what the form ``"text"`` makes of one row: why, what, careful, more."""
    why, what, careful, more = (part.replace(END, " ").strip() for part in text.split(NEXT))
    return why or None, what or None, careful or None, [line for line in more.split("\n") if line]
