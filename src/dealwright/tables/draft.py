"""Look at the files in a folder and draft the mapping: guesses in TOML, doubts as comments next to their lines.

Headers say what a column may be (`vocabulary.toml`), contents whether it can be, and how the tables refer to each
other which table is what. The draft is tried before it is handed out.
"""

from __future__ import annotations

import json
import re
import textwrap
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, cached_property
from importlib.resources import files
from math import ceil
from pathlib import Path
from typing import Any, Final

import polars as pl

from dealwright.errors import DealwrightError, InputError
from dealwright.schemas import ACCOUNT_ROLES, BOOKING_STATUSES, CHANNELS, History
from dealwright.tables.coercion import AmbiguousError
from dealwright.tables.fields import TABLES
from dealwright.tables.history import read_history
from dealwright.tables.mapping import RESERVED, Source, TableMap, parse_mapping
from dealwright.tables.plan_inputs import read_plan_inputs
from dealwright.tables.reader import Format, RawTable, read_table
from dealwright.tables.validation import Rows
from dealwright.toml import read_toml

_WORKBOOKS: Final = (".xlsx", ".xlsm", ".xls", ".xlsb", ".ods")
_ENDINGS: Final = (".csv", ".tsv", ".tab", ".txt", ".jsonl", ".ndjson", ".parquet", *_WORKBOOKS)
